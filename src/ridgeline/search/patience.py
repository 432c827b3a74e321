"""A study's database may be locked by another program, or restart: it is waited for, for a minute."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from ridgeline.command_line.passwords import hidden, hidden_everywhere
from ridgeline.stack import interrupts

PATIENCE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)


class StorageAway(Exception):
    """A study's database does not answer. The text is one line: which one, and why."""


class PatientStorage(RDBStorage):
    """A database as Optuna's storage, in which each operation is tried again while the database is away.

    After an interrupt, or once it was waited for in vain, it is not waited for any more.
    """

    def __init__(self, url: str) -> None:
        self._shown, self._waiting, self._gave_up = hidden(url), threading.local(), False
        settings = _engine_settings(url)
        _refuse_other_tables(self._fill_storage_url_template(url), settings)
        super().__init__(url, engine_kwargs=settings)

    def _patiently(self, operation: Callable[[], Any]) -> Any:
        if getattr(self._waiting, "inside", False):
            return operation()
        self._waiting.inside = True
        try:
            return self._try(operation)
        finally:
            self._waiting.inside = False

    def _try(self, operation: Callable[[], Any]) -> Any:
        until, attempts = time.monotonic() + PATIENCE_SECONDS, 0
        while True:
            try:
                found = operation()
            except UpdateFinishedTrialError:
                if attempts == 0:
                    raise
                return True  # it was written, but there was nobody left to say so
            except (StorageInternalError, DBAPIError) as error:
                reason = _why_away(error)
                if reason is None:
                    raise
                if self._gave_up or time.monotonic() > until:
                    self._gave_up = True
                    raise StorageAway(f"search.storage={self._shown} does not answer ({reason})") from error
                if attempts == 0:
                    log.warning(f"search.storage={self._shown} does not answer ({reason}). The study waits for it.")
                attempts += 1
                self._pause(attempts)
            else:
                if attempts > 0:
                    log.info(f"search.storage={self._shown} is back.")
                return found

    def _pause(self, attempts: int) -> None:
        try:
            interrupts.sleep(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempts))
        except KeyboardInterrupt:
            self._gave_up = True
            raise


def _tried_again(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def patient(self: PatientStorage, *given: Any, **named: Any) -> Any:
        return self._patiently(lambda: method(self, *given, **named))

    return patient


for _name, _method in vars(RDBStorage).items():
    if inspect.isfunction(_method) and not _name.startswith("__"):
        setattr(PatientStorage, _name, _tried_again(_method))


def _engine_settings(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):  # seconds that it waits for a lock by itself, deaf to Ctrl-C
        return {"connect_args": {"timeout": 2.0}}
    return {"pool_pre_ping": True}  # connections of before a restart are replaced


def _refuse_other_tables(url: str, settings: dict[str, Any]) -> None:
    """Raise ValueError where a table with the name of one of Optuna's is another's: nothing is made beside it."""
    engine = sqlalchemy.create_engine(url, **settings)
    try:
        found = sqlalchemy.inspect(engine)
        names = set(found.get_table_names())
        for table in BaseModel.metadata.sorted_tables:
            needed = {column.name for column in table.primary_key}
            if table.name in names and not needed <= {column["name"] for column in found.get_columns(table.name)}:
                raise ValueError(f"its table {table.name} is another program's")
    finally:
        engine.dispose()


def _why_away(error: Exception) -> str | None:
    """Why the database did not answer; None where it did, and refused the operation."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, DBAPIError):
        inner = inner.__cause__ or inner.__context__
    if inner is None or not (isinstance(inner, (OperationalError, InterfaceError)) or inner.connection_invalidated):
        return None
    text = " ".join(str(inner.orig).split())
    is_sqlite = type(inner.orig).__module__.startswith("sqlite3")
    if is_sqlite and not ("locked" in text or "busy" in text):
        return None  # a full disk, a file that is gone
    return hidden_everywhere(hidden(text))[:200]
