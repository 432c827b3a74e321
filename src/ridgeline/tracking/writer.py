"""One thread that writes to the MLflow store: in batches, every few seconds, and again while the store is away.

What the store does not take is kept and tried again; what it refuses for good is counted, and `close` says so in one
line. Nothing here waits for a store that is away. A store that is slower than the study lags a few seconds, and then
the study waits for it in `keep_pace`: what is not written when a process ends is at most those seconds.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Any

from mlflow.exceptions import MlflowException

from ridgeline.command_line.passwords import hidden
from ridgeline.stack import interrupts
from ridgeline.tracking.check import cause_of, reason
from ridgeline.tracking.entries import Batch, Call, TrackingError
from ridgeline.tracking.store import Store

FLUSH_SECONDS = 2.5
"""A trial of a few seconds is one batch then, which costs half of two."""
PATIENCE_SECONDS = 30.0
"""How long `close`, and who asks for a run's id, wait for a store that is away."""
LAG_SECONDS = 2.5
"""How late the oldest entry may be before new trials wait."""
HASTE_SECONDS = 6.0
"""How long is written after an interrupt: `docker stop` kills after 10 s. The next start writes what then lacks."""
ATTEMPTS = 5
"""How often one entry is tried while the store takes others."""
LONGEST_PAUSE_SECONDS = 2.0
FOR_GOOD = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
}
FOR_GOOD_OF_FILES = (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError, PermissionError)

log = logging.getLogger("ridgeline.tracking")


class Writer:
    """Entries are written in the order in which they came, creations of runs first; batches of one run become one."""

    def __init__(self, uri: str, open_store: Callable[[], Store]) -> None:
        self._uri = hidden(uri)
        self._open_store = open_store
        self._store: Store | None = None
        self._first: deque[Batch | Call] = deque()  # creations of runs: written at once, before all else
        self._entries: deque[Batch | Call] = deque()  # the first one is being written
        self._growing: dict[Future[str], Batch] = {}  # the batch of a run that may still be added to
        self._changed = threading.Condition()
        self._urgent = False
        self._away = False
        self._failing = False  # whatever was tried last was not written
        self._deadline: float | None = None  # set by close
        self._haste: float | None = None  # set by hasten: after it nothing is written
        self._error: Exception | None = None  # the latest
        self._lost: Counter[str] = Counter()
        self._why_lost: Exception | None = None  # the first
        self._thread = threading.Thread(target=self._work, name="ridgeline.tracking", daemon=True)
        self._thread.start()

    def log(self, batch: Batch) -> None:
        """Hand over metrics, params and tags; they are written within a few seconds."""
        with self._changed:
            growing = self._growing.get(batch.run)
            if growing is not None and growing.has_room(batch):
                growing.add(batch)
            else:
                self._growing[batch.run] = batch
                self._append(batch)

    def first(self, entry: Batch | Call) -> None:
        """Hand over what does not wait for what was handed over before: the creation of a run, an end in haste."""
        with self._changed:
            self._first.append(entry)
            self._changed.notify_all()

    def call(self, call: Call, run: Future[str] | None = None, *, urgent: bool = False) -> Call:
        """Hand over anything else; what is logged to `run` from now on is written after it."""
        with self._changed:
            if run is not None:
                self._growing.pop(run, None)
            self._urgent |= urgent
            self._append(call)
        return call

    def ask(self, what: str, do: Callable[[Store], Any]) -> Any:
        """The answer to a question, once all that was handed over before is written."""
        answer = self.call(Call(what, do), urgent=True).answer
        return self.answer(answer, what)

    def answer(self, answer: Future[Any], what: str) -> Any:
        """What `answer` holds, or TrackingError if the store stays away."""
        until = time.monotonic() + self._patience()
        while (left := until - time.monotonic()) > 0 and not answer.done():
            interrupts.check()
            futures.wait([answer], min(left, 0.2))
        if answer.done():
            return answer.result()
        cause = reason(self._error) if self._error else f"no answer within {PATIENCE_SECONDS:.0f} s"
        raise TrackingError(f"MLflow store {self._uri}: {what}: {cause}") from None

    def wait(self, answer: Future[Any]) -> None:
        """Wait until `answer` is there, but not for a store that is away: training goes on without it."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: answer.done() or self._away, timeout=self._patience())

    def keep_pace(self) -> None:
        """Wait while the store lags behind. For one that is away, or refuses what it is given, nobody waits."""
        with self._changed:
            while self._is_late() and not self._failing:
                interrupts.check()
                self._changed.wait(0.2)

    def hasten(self) -> None:
        """Write for a few seconds more: who calls it can do without what is not written by then."""
        with self._changed:
            self._haste = time.monotonic() + (HASTE_SECONDS if not self._failing else 1.0)
            self._urgent = True
            self._changed.notify_all()

    def close(self) -> None:
        """Write what is left, and raise TrackingError if that could not be done in time or something was refused."""
        with self._changed:
            self._deadline = time.monotonic() + PATIENCE_SECONDS
            self._changed.notify_all()
        if self._haste is not None:
            self._thread.join(self._patience())
            return
        self._thread.join()
        while queue := self._first or self._entries:
            self._lose(queue.popleft(), self._error or TimeoutError("no time left"))
        if self._lost:
            lost = ", ".join(f"{count} x {what}" for what, count in self._lost.items())
            cause = reason(self._why_lost or TimeoutError())
            raise TrackingError(f"MLflow store {self._uri}: not written: {lost} ({cause}).")

    def _patience(self) -> float:
        return PATIENCE_SECONDS if self._haste is None else max(0.0, self._haste - time.monotonic())

    def _append(self, entry: Batch | Call) -> None:
        entry.due = time.monotonic() + FLUSH_SECONDS
        self._entries.append(entry)
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._first or self._entries or self._deadline is not None)
                self._changed.wait_for(lambda: self._pressing(flushes=self._urgent), timeout=self._until_due())
                if not (self._first or self._entries):
                    return
                flushes, self._urgent = self._urgent, False
            attempts = 0
            while queue := self._pressing(flushes):
                if self._haste is not None and time.monotonic() > self._haste:
                    return
                attempts = self._write_first(queue, attempts)
                if attempts:
                    if self._deadline is not None and time.monotonic() > self._deadline:
                        return
                    time.sleep(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempts))

    def _pressing(self, flushes: bool) -> deque[Batch | Call] | None:
        """The queue whose first entry is to be written now."""
        if self._first:
            return self._first
        flushes |= self._deadline is not None
        return self._entries if self._entries and (flushes or self._until_due() <= 0) else None

    def _is_late(self) -> bool:
        return bool(self._entries) and self._until_due() < -LAG_SECONDS

    def _until_due(self) -> float:
        return self._entries[0].due - time.monotonic() if self._entries else 0.0

    def _write_first(self, queue: deque[Batch | Call], attempts: int) -> int:
        """Write the first entry. 0: it is done with; n: it failed n times and stays."""
        with self._changed:
            entry = queue[0]
            if isinstance(entry, Batch) and self._growing.get(entry.run) is entry:
                del self._growing[entry.run]
        try:
            entry.write(self._open())
        except Exception as error:
            self._error, self._failing = error, True
            away = self._is_away(error)
            if away or (attempts + 1 < ATTEMPTS and not _is_for_good(error)):
                self._set_away(away, error)
                return attempts + 1
            if isinstance(entry, Batch) and entry.counts().total() > 1:
                with self._changed:
                    queue.popleft()
                    queue.extendleft(reversed(entry.halves()))
                return 0
            self._lose(entry, error)
        else:
            self._failing = False
            self._set_away(False, None)
        with self._changed:
            queue.popleft()
            self._changed.notify_all()
        return 0

    def _open(self) -> Store:
        if self._store is None:
            if self._error is not None and _is_for_good(self._error):
                raise self._error  # a store that cannot be opened, to every entry alike
            self._store = self._open_store()
        return self._store

    def _is_away(self, error: Exception) -> bool:
        """Whether the store answers to nobody, or only refuses this entry."""
        if _is_for_good(error):
            return False
        if self._store is None or isinstance(cause_of(error), sqlite3.OperationalError):
            return True  # an SQLite file that is locked or read-only, or its disk full: to all entries alike
        try:
            self._store.client.get_experiment(self._store.experiment_id)
        except Exception:
            return True
        return False

    def _set_away(self, away: bool, error: Exception | None) -> None:
        if away and not self._away:
            log.warning(
                "MLflow store %s is away (%s). Training goes on; what is logged is kept and written later.",
                self._uri,
                reason(error or OSError()),
            )
        if self._away and not away:
            log.info("MLflow store %s is back.", self._uri)
        with self._changed:
            self._away = away
            self._changed.notify_all()

    def _lose(self, entry: Batch | Call, error: Exception) -> None:
        self._why_lost = self._why_lost or error
        self._lost += entry.counts()
        entry.fail(error)


def _is_for_good(error: Exception) -> bool:
    """Whether another try makes no sense. A network or disk that fails may come back; so may a server's own error."""
    cause = cause_of(error)
    if isinstance(cause, sqlite3.OperationalError) and "no such" in str(cause):  # table or column
        return True
    if isinstance(error, MlflowException):
        return error.error_code in FOR_GOOD
    return isinstance(error, FOR_GOOD_OF_FILES) or not isinstance(error, OSError)
