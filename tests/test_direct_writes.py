"""What is written straight into the tables of an SQLite store is what MLflow itself would have written."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from ridgeline.tracking.direct import open_tables
from ridgeline.tracking.sqlite import _revisions
from ridgeline.tracking.store import Store, open_store
from test_tracking import configuration

TABLES = ("metrics", "latest_metrics", "params", "tags")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(configuration(tmp_path_factory.mktemp("runs of a study")))


@pytest.fixture(scope="module")
def path(store: Store) -> Path:
    assert store.tables is not None
    return store.tables._path


def new_run(store: Store) -> str:
    return str(store.client.create_run(store.experiment_id, 1, {"a": "b"}, "one").info.run_id)


def rows(path: Path, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the store has of a run, beside its own number."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for table in (*TABLES, "runs"):
            cursor = connection.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", [run_id])
            names = [column[0] for column in cursor.description]
            kept = [i for i, name in enumerate(names) if name not in ("run_uuid", "artifact_uri")]
            found[table] = sorted(tuple(row[i] for i in kept) for row in cursor)
    return found


def curve(steps: Sequence[int], value: float = 0.5, timestamp: int = 7) -> list[Metric]:
    return [Metric(name, value / (1 + step), timestamp, step) for step in steps for name in ("train/loss", "val/loss")]


BATCHES: list[tuple[list[Metric], list[Param], list[RunTag]]] = [
    (curve(range(30)), [Param("regularization.l2", "0.0001")], [RunTag("ridgeline.state", "RUNNING")]),
    (curve([40, 35]), [], []),
    (curve([35, 12, 31]), [Param("regularization.l2", "0.0001"), Param("seed", "")], [RunTag("optimizer:k", "é'\"")]),
    (curve([40, 40], value=3.0), [], [RunTag("ridgeline.state", "COMPLETE")]),
    (curve([40], value=1.0) + curve([40], value=1.0), [], []),
    ([Metric("values/val loss", 1, 8, 0), Metric("values/val loss", -2.5e300, 9, 0)], [], []),
    ([], [], [RunTag("ridgeline.state", ""), RunTag("mlflow.note.content", "x" * 5000)]),
]


def test_rows_are_those_that_mlflow_writes(store: Store, path: Path) -> None:
    ours, mlflows = new_run(store), new_run(store)
    assert store.tables is not None
    for metrics, params, tags in BATCHES:
        assert store.tables.log_batch(ours, metrics, params, tags)
        store.client.log_batch(mlflows, metrics, params, tags)
        assert rows(path, ours) == rows(path, mlflows)
    assert store.tables.end(ours, "FINISHED", 1234)
    store.client.set_terminated(mlflows, "FINISHED", 1234)
    assert rows(path, ours) == rows(path, mlflows)
    assert len(rows(path, ours)["metrics"]) > 60


def test_what_is_written_again_by_mlflow_adds_nothing(store: Store, path: Path) -> None:
    ours = new_run(store)
    for batch in BATCHES[:3]:
        store.log_batch(ours, *batch)
    before = rows(path, ours)
    for batch in BATCHES[:3]:
        store.client.log_batch(ours, *batch)
    assert rows(path, ours) == before


NAN = [Metric("val/loss", math.nan, 1, 0)]


@pytest.mark.parametrize(
    ("metrics", "params", "tags"),
    [
        pytest.param([Metric("val/loss", math.inf, 1, 0), *NAN], [], [], id="no number"),
        pytest.param([], [], [RunTag("mlflow.runName", "another")], id="the name of the run"),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_mlflow(
    store: Store, path: Path, metrics: list[Metric], params: list[Param], tags: list[RunTag]
) -> None:
    ours, mlflows = new_run(store), new_run(store)
    assert store.tables is not None
    assert not store.tables.log_batch(ours, metrics, params, tags)
    store.log_batch(ours, metrics, params, tags)
    store.client.log_batch(mlflows, metrics, params, tags)
    assert rows(path, ours) == rows(path, mlflows)


@pytest.mark.parametrize(
    ("metrics", "params", "tags"),
    [
        pytest.param([*curve([1]), Metric("../val", 1.0, 1, 0)], [], [], id="a path"),
        pytest.param([Metric("val@5", 1.0, 1, 0)], [], [], id="a letter"),
        pytest.param(curve([1]), [Param("seed", "6")], [], id="a param that has another value"),
        pytest.param([], [], [RunTag("k" * 251, "v")], id="a long name"),
    ],
)
def test_what_mlflow_refuses_it_refuses_still_and_nothing_is_written(
    store: Store, path: Path, metrics: list[Metric], params: list[Param], tags: list[RunTag]
) -> None:
    ours = new_run(store)
    store.log_batch(ours, params=[Param("seed", "5")])
    before = rows(path, ours)
    with pytest.raises(MlflowException):
        store.log_batch(ours, metrics, params, tags)
    assert rows(path, ours) == before


def test_run_that_is_deleted_or_unknown_gets_nothing(store: Store, path: Path) -> None:
    ours = new_run(store)
    store.client.delete_run(ours)
    for run_id in (ours, "0" * 32):
        before = rows(path, run_id)
        with pytest.raises(MlflowException):
            store.log_batch(run_id, *BATCHES[0])
        with pytest.raises(MlflowException):
            store.end(run_id, "FINISHED", 9)
        assert rows(path, run_id) == before


def test_store_that_is_locked_is_waited_for_by_mlflow_and_written_then(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = new_run(store)
    monkeypatch.setattr("ridgeline.tracking.direct.WAIT_SECONDS", 0.0)
    tables = open_tables(path)
    assert tables is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not tables.log_batch(ours, *BATCHES[0])
        other.execute("COMMIT")
    assert tables.log_batch(ours, *BATCHES[0])


def test_tables_of_another_revision_are_left_to_mlflow(store: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("UPDATE alembic_version SET version_num = 'another'")
        target.commit()
    assert open_tables(copy) is None
    assert open_tables(tmp_path / "none.db") is None
    assert not (tmp_path / "none.db").exists()


def test_tables_of_the_installed_mlflow_are_the_known_ones(store: Store) -> None:
    """A newer MLflow: compare its tables with the statements, then change REVISION."""
    assert store.tables is not None, f"MLflow has tables of revision {_revisions()[1]}"
