"""Starts, finds and closes runs in one MLflow store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import yaml
from mlflow.entities import RunInfo
from mlflow.exceptions import MlflowException

from ridgeline.command_line.passwords import hidden
from ridgeline.config import Config, ConfigError, as_tree
from ridgeline.config.own_code import digest, own_sources
from ridgeline.tracking import provenance
from ridgeline.tracking.creation import (
    Common,
    Creation,
    common_params,
    find_runs,
    log_dataset,
    log_params,
    own_params,
    tried_in,
)
from ridgeline.tracking.entries import Call, TrackingError
from ridgeline.tracking.names import metric_name, run_place
from ridgeline.tracking.run import Run, StudyRun
from ridgeline.tracking.store import Store, open_store, store_uri
from ridgeline.tracking.views import View, as_tag
from ridgeline.tracking.writer import Writer

if TYPE_CHECKING:
    from ridgeline.data import DataDescription

OWN_CODE = "own_code"
"""The folder of the user's own source files among the artifacts of a run."""

log = logging.getLogger("ridgeline.tracking")


class Tracker:
    """A store and the thread that writes to it. A context manager; `close` waits until all is written."""

    def __init__(self, config: Config) -> None:
        self._place = hidden(store_uri(config))
        self._writer = Writer(store_uri(config), lambda: open_store(config))
        self._common: dict[str, Common] = {}  # of studies, by their run
        self._begun: list[Run] = []  # whose end is this process's to write; children of a study are the study's

    def start_study(
        self,
        name: str,
        config: Config,
        description: DataDescription,
        tags: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        run_id: str | None = None,
    ) -> StudyRun:
        """The parent run of a study: `run_id`, or the one of that name and key (then RUNNING again), or a new one.

        Studies of one name that were started from two runs folders have two keys. Raises ConfigError where `run_id` is
        gone, or the store takes no artifacts.
        """
        own = {provenance.KIND: "study", provenance.STUDY: name} | ({provenance.STUDY_KEY: key} if key else {})
        known = provenance.tags("study", description, None) | own | dict(tags or {})
        started = time.time_ns() // 1_000_000  # ms

        params = provenance.study_params(config, known)

        def find_or_create(store: Store) -> tuple[RunInfo | None, bool]:
            found = [_existing(store, run_id)] if run_id else [run.info for run in find_runs(store, own)]
            if found:
                if found[0] is not None:
                    store.client.update_run(found[0].run_id, status="RUNNING")
                return found[0], False
            made = store.client.create_run(store.experiment_id, started, known, name).info
            log_params(store, made.run_id, params)  # at once, for each trial asks for them
            log_dataset(store, made.run_id, provenance.dataset(description))
            return made, True

        info, is_new = self._writer.ask(f"start of study {name}", find_or_create)
        if info is None:
            cure = "restore it in MLflow, or begin a new study: search.study_name=NEW"
            where = f"is deleted or not in {self._place}"
            raise ConfigError(f"The MLflow run {run_id} of the study {name} {where}: {cure}.")
        run = StudyRun(self._writer, _done(info.run_id), f"study {name}", info.start_time / 1000, info.experiment_id)
        if not is_new:  # the params of a run cannot change, and those of a study do not
            run.set_tags({**known, provenance.REASON: ""})
        self._log_config(run, config)
        self._begun.append(run)
        self.prove(run)
        return run

    def prove(self, run: Run) -> None:
        """Wait until the run's first artifact is written. ConfigError where the store takes none."""
        try:
            run.prove()
        except TrackingError as error:
            raise ConfigError(
                f"`the MLflow store takes artifacts` must hold, but {self._place} does not: {error}."
            ) from error

    def start_trial(self, config: Config, description: DataDescription, job_dir: Path) -> Run:
        """A run for one trial: a child of `config.trial.parent_run` when that is set, else it stands alone."""
        trial = config.trial
        is_child = trial.parent_run is not None
        known = provenance.tags("trial" if is_child else "run", description, job_dir)
        if trial.parent_run is not None:
            known[provenance.PARENT] = trial.parent_run
        if trial.study is not None:
            known[provenance.STUDY] = trial.study
        if trial.number is not None:
            known[provenance.TRIAL] = str(trial.number)
        name = run_place(Path(job_dir), trial.number)
        dataset = provenance.dataset(description)
        create = Call(f"start of {name}", Creation(name, known, config, dataset, self._common))
        run = Run(self._writer, create.answer, name)
        self._writer.first(create)
        if not is_child:  # the study's run says what all of its trials have in common
            self._log_config(run, config)
            self.log_own_code(run, own_sources([as_tree(config)]))
            self._begun.append(run)
        return run

    def log_own_code(self, run: Run, sources: Mapping[str, str]) -> None:
        """The user's own source files that the run's numbers follow from, each revision of them in a folder."""
        for name, text in sources.items():
            run.log_text(text, f"{OWN_CODE}/{digest(sources)[:8]}/{name}")

    def save_view(self, view: View) -> None:
        """Put the view into the menu of the experiment's table, or renew it there."""
        tag = as_tag(view)

        def save(store: Store) -> None:
            store.client.set_experiment_tag(store.experiment_id, tag.key, tag.value)

        self._writer.call(Call(f"view {view.name}", save))

    def reopen(self, run_id: str) -> Run:
        """A handle to a run that exists, to add to it."""
        return Run(self._writer, _done(run_id), f"run {run_id}")

    def complete(
        self, run_id: str, config: Config, description: DataDescription, curve: Mapping[int, Mapping[str, float]]
    ) -> Run:
        """A handle to a run of a process that was killed, with what that one had not written yet."""
        written, known = self.written(run_id), _done(run_id)

        def complete(store: Store) -> None:
            tags = store.client.get_run(run_id).data.tags
            common = common_params(store, tags.get(provenance.PARENT), self._common)
            tried = tried_in(Path(tags[provenance.JOB]), common)
            log_params(store, run_id, own_params(config, common, tried))
            log_dataset(store, run_id, provenance.dataset(description))

        self._writer.call(Call(f"params of {run_id}", complete))
        run = Run(self._writer, known, f"run {run_id}")
        for step, metrics in curve.items():
            run.log_epoch(
                step, {name: value for name, value in metrics.items() if (metric_name(name), step) not in written}
            )
        return run

    def find_trial_run(self, parent_run: str, number: int) -> str | None:
        """The run of that trial, the latest if there are several."""
        wanted = {provenance.PARENT: parent_run, provenance.TRIAL: str(number)}
        found = self._writer.ask(f"search for trial {number}", lambda store: find_runs(store, wanted))
        return found[-1].info.run_id if found else None

    def unfinished(self, parent_run: str) -> dict[str, int]:
        """The children that are RUNNING, once all that was handed over is written: run and trial number."""

        def search(store: Store) -> dict[str, int]:
            found = find_runs(store, {provenance.PARENT: parent_run}, "attributes.status = 'RUNNING'")
            return {run.info.run_id: int(run.data.tags.get(provenance.TRIAL, -1)) for run in found}

        found: dict[str, int] = self._writer.ask("search for unfinished trials", search)
        return found

    def written(self, run_id: str) -> set[tuple[str, int]]:
        """The points that a run has: metric and step."""

        def search(store: Store) -> set[tuple[str, int]]:
            client = store.client
            names = client.get_run(run_id).data.metrics
            return {(name, point.step) for name in names for point in client.get_metric_history(run_id, name)}

        found: set[tuple[str, int]] = self._writer.ask(f"search for the curves of {run_id}", search)
        return found

    def ask(self, what: str, do: Callable[[Store], Any]) -> Any:
        """Ask the open store something, once all that was handed over before is written. `what` is for messages."""
        return self._writer.ask(what, do)

    def keep_pace(self) -> None:
        """Wait while the store is more than a few seconds behind."""
        self._writer.keep_pace()

    def hasten(self) -> None:
        """Let `close` wait a few seconds at most, and say nothing of what is not written by then."""
        self._writer.hasten()

    def tags_of(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        found: dict[str, str] = self._writer.ask(
            f"tags of {run_id}", lambda store: store.client.get_run(run_id).data.tags
        )
        return found

    def close(self) -> None:
        """Wait until all is written. Raises TrackingError, one line, if something could not be."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Exception):  # Ctrl-C
            self.hasten()
        for run in self._begun if error is not None else []:
            if run.is_open:
                run.interrupt(type(error).__name__)
        try:
            self.close()
        except TrackingError as unwritten:
            if error is None:
                raise
            if not isinstance(error.__cause__, TrackingError):  # which has said it
                log.error("%s", unwritten)  # the error that ends the block says more

    def _log_config(self, run: Run, config: Config) -> None:
        run.proof = run.log_text(yaml.safe_dump(as_tree(config), sort_keys=False), "config.yaml")


def _existing(store: Store, run_id: str) -> RunInfo | None:
    """The run, or None if it is deleted or was never there."""
    try:
        info = store.client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return info if info.lifecycle_stage == "active" else None


def _done(run_id: str) -> Future[str]:
    done: Future[str] = Future()
    done.set_result(run_id)
    return done
