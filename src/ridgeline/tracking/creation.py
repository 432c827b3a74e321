"""How a run begins in the store: its name, what it tried, its data, and of a trial only what its study does not say."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Param
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from ridgeline.config import Config
from ridgeline.config.deciding import is_trained
from ridgeline.tracking import provenance
from ridgeline.tracking.address import run_page
from ridgeline.tracking.entries import ROOM
from ridgeline.tracking.names import mlflow_key, overrides_in, run_name
from ridgeline.tracking.store import Store

Common = dict[str, str]
"""The params of a study: all that its trials have in common, and of a swept key the sweep."""


class Creation:
    """Creates a run, and only one: a server may go away after it did and before it said so.

    `place` begins its name. `common` keeps what the studies have in common, so that each is asked once.
    """

    def __init__(
        self, place: str, tags: Mapping[str, str], config: Config, dataset: Any, common: dict[str, Common]
    ) -> None:
        self._place, self._tags, self._config, self._dataset = place, dict(tags), config, dataset
        self._common = common
        self._started = time.time_ns() // 1_000_000  # ms
        self._run_id: str | None = None
        self._asked = False

    def __call__(self, store: Store) -> str:
        parent = self._tags.get(provenance.PARENT)
        common = common_params(store, parent, self._common)
        tried = tried_in(Path(self._tags[provenance.JOB]), common if parent else None)
        if self._run_id is None:
            self._run_id = self._create(store, run_name(self._place, tried), _note(store, self._tags, tried))
        log_params(store, self._run_id, own_params(self._config, common, tried))
        log_dataset(store, self._run_id, self._dataset)
        return self._run_id

    def _create(self, store: Store, name: str, note: str) -> str:
        if self._asked:
            job = {provenance.JOB: self._tags[provenance.JOB]}
            for run in find_runs(store, job, f"attributes.start_time = {self._started}"):
                return str(run.info.run_id)
        self._asked = True
        tags = self._tags | {provenance.NOTE: note}
        return str(store.client.create_run(store.experiment_id, self._started, tags, name).info.run_id)


def common_params(store: Store, parent: str | None, known: dict[str, Common]) -> Common:
    """The params of the study's run `parent`; empty if there is no such run."""
    if parent is None:
        return {}
    if parent not in known:
        try:
            known[parent] = dict(store.client.get_run(parent).data.params)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            known[parent] = {}
    return known[parent]


def tried_in(job_dir: Path, common: Common | None) -> dict[str, str]:
    """The settings that a job tried: of a study's trial the swept keys, of a single run all typed keys that train."""
    given = overrides_in(job_dir)
    if common is None:
        return {key: value for key, value in given.items() if is_trained(key)}
    return {key: value for key, value in given.items() if provenance.is_sweep(common.get(mlflow_key(key), ""))}


def own_params(config: Config, common: Common, tried: Mapping[str, str]) -> Sequence[Param]:
    """The params that a run gets: a trial's are those that differ from its study's, the swept keys first; those of a
    single run are its whole configuration."""
    flat = {param.key: param.value for param in provenance.params(config)}
    swept = {key: flat.get(key, value) for key, value in tried.items() if common}
    others = {key: value for key, value in flat.items() if common.get(key) != value}
    return [Param(mlflow_key(key), value) for key, value in (swept | others).items()]


def log_params(store: Store, run_id: str, params: Sequence[Param]) -> None:
    """Write the params, in batches as large as a store takes."""
    for first in range(0, len(params), ROOM["params"]):
        store.log_batch(run_id, params=params[first : first + ROOM["params"]])


def log_dataset(store: Store, run_id: str, dataset: Any) -> None:
    try:
        store.client.log_inputs(run_id, [dataset])
    except MlflowException:  # of two processes that bring the same data set, MLflow refuses the slower one
        store.client.log_inputs(run_id, [dataset])


def find_runs(store: Store, tags: Mapping[str, str], condition: str | None = None) -> list[MlflowRun]:
    """The runs that have these tags, the oldest first."""
    conditions = [f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items()]
    conditions += [condition] if condition else []
    order = ["attributes.start_time ASC"]
    return list(store.client.search_runs([store.experiment_id], " AND ".join(conditions), order_by=order))


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def _note(store: Store, tags: Mapping[str, str], tried: Mapping[str, str]) -> str:
    """The description of a run, in Markdown."""
    listed = ", ".join(f"`{key}={value.replace('`', '')}`" for key, value in tried.items())
    parent, folder = tags.get(provenance.PARENT), f"Folder: `{tags[provenance.JOB]}`"
    if parent is None:
        return f"A single training{f' with {listed}' if listed else ''}. {folder}"
    study = f"[{tags.get(provenance.STUDY)}]({run_page(parent, store.experiment_id)})"
    with_ = f" with {listed}" if listed else ""
    return f"Trial {tags.get(provenance.TRIAL)} of the study {study}{with_}. {folder}"
