"""Addresses of pages in the MLflow UI: a study's table, a run. Known without MLflow, before anything is written."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from ridgeline.config import Config
from ridgeline.tracking.store import SQLITE, how_to_look, store_uri

FIRST = "1"
"""The experiment that a new store makes for us; 0 is MLflow's own, the empty `Default`."""

KIND = "workflowType=machine_learning"
"""Part of each address. Without it a browser that never saw the UI opens the pages for language models."""


def table_page(study: str, experiment: str) -> str:
    """The table of a study's trials, as its saved view has it."""
    return f"#/experiments/{experiment}/runs?{KIND}&viewStateShareKey={quote(study)}"


def run_page(run_id: str, experiment: str) -> str:
    return f"#/experiments/{experiment}/runs/{run_id}?{KIND}"


def look_at_study(config: Config, study: str) -> str:
    """What to type and open to see a study's trials."""
    experiment = experiment_of(config)
    if experiment is None:
        return f"{how_to_look(config)}, view {study}"
    return f"{how_to_look(config)}/{table_page(study, experiment)}"


def look_at_run(config: Config, run_id: str) -> str:
    """What to type and open to see a run."""
    experiment = experiment_of(config)
    if experiment is None:
        return f"{how_to_look(config)}, run {run_id}"
    return f"{how_to_look(config)}/{run_page(run_id, experiment)}"


def experiment_of(config: Config) -> str | None:
    """The id that `tracking.experiment` has, or will have in a new store. None where only a server knows it."""
    uri = store_uri(config)
    if not uri.startswith(SQLITE):
        return None
    path = Path(uri.removeprefix(SQLITE))
    if not path.exists():
        return FIRST
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_read_only(path)) as store:
        query = "SELECT experiment_id FROM experiments WHERE name = ?"
        found = store.execute(query, [config.tracking.experiment]).fetchone()
        if found is None:  # SQLite counts on from the largest
            found = store.execute("SELECT max(experiment_id) + 1 FROM experiments").fetchone()
        return str(found[0])
    return None


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)
