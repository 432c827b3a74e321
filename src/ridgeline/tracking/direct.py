"""What a run gets, written straight into the tables of a store that is an SQLite file.

MLflow makes objects of each value and checks them twice: 20 ms of CPU for the curves of one trial, which these
statements write in two. They do what MLflow does ordinarily, in one transaction, and leave the rest to MLflow:
tables of another revision, a run that is deleted, a name that it might refuse, a param that has another value, a file
that is locked or gone. What was written here may be written again by MLflow: it adds nothing.
"""

from __future__ import annotations

import functools
import math
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, RunTag

REVISION = "dc11669786a5"
"""The revision of MLflow's tables that these statements are written for: that of MLflow 3.17."""

PLAIN_NAME = re.compile(r"\w[\w\-.: ]*(/\w[\w\-.: ]*)*", re.ASCII)
LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 8000
RENAMES = "mlflow.runName"
"""The tag that MLflow writes into two tables."""

WAIT_SECONDS = 1.0
"""How long a lock is waited for here; MLflow waits longer."""

IS_ACTIVE = "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
ADD_POINT = """
    INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)
    ON CONFLICT DO NOTHING"""
RENEW_LATEST = """
    INSERT INTO latest_metrics AS old (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE
    SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = 0
    WHERE (excluded.step, excluded.timestamp, excluded.value) > (old.step, old.timestamp, old.value)"""
PARAMS_OF = "SELECT key, value FROM params WHERE run_uuid = ?"
ADD_PARAM = "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SET_TAG = """
    INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"""
END = "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?"


class Tables:
    """The tables of an MLflow store in an SQLite file. Each method says whether it has written; if not, nothing is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> bool:
        """Metrics, params and tags of a run."""
        if not (all(map(_is_number, metrics)) and all(map(_is_short, params)) and all(map(_is_ordinary, tags))):
            return False
        points = [(m.key, float(m.value), m.timestamp, m.step, run_id) for m in metrics]
        latest: dict[str, tuple[str, float, int, int, str]] = {}
        for point in points:
            if point[0] not in latest or _place(point) > _place(latest[point[0]]):
                latest[point[0]] = point

        def write(connection: sqlite3.Connection) -> bool:
            there = dict(connection.execute(PARAMS_OF, [run_id])) if params else {}
            if any(there.get(p.key, p.value) != p.value for p in params):
                return False
            connection.executemany(ADD_PARAM, [(p.key, p.value, run_id) for p in params])
            connection.executemany(ADD_POINT, points)
            connection.executemany(RENEW_LATEST, latest.values())
            connection.executemany(SET_TAG, [(t.key, t.value, run_id) for t in tags])
            return True

        return self._write(run_id, write)

    def end(self, run_id: str, status: str, ended: int) -> bool:
        """The status with which a run ended, and when, in milliseconds since 1970."""

        def write(connection: sqlite3.Connection) -> bool:
            connection.execute(END, [status, ended, run_id])
            return True

        return self._write(run_id, write)

    def _write(self, run_id: str, write: Callable[[sqlite3.Connection], bool]) -> bool:
        connection = self._connection
        try:
            if connection is None:
                connection = self._connection = _connect(self._path)
            connection.execute("BEGIN IMMEDIATE")
            is_written = connection.execute(IS_ACTIVE, [run_id]).fetchone() is not None and write(connection)
            connection.execute("COMMIT" if is_written else "ROLLBACK")
        except sqlite3.Error:
            if connection is not None:
                connection.close()
            self._connection = None
            return False
        return is_written


def open_tables(path: Path) -> Tables | None:
    """The tables of the store, or None if they are of another revision."""
    try:
        with closing(_connect(path)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return None
    return Tables(path) if found == [(REVISION,)] else None


def _connect(path: Path) -> sqlite3.Connection:
    """It makes no file where there is none. One thread after the other may use it."""
    uri = f"{path.as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)


def _place(point: tuple[str, float, int, int, str]) -> tuple[int, int, float]:
    """Of the points of a curve, the one with the greatest step is the latest, and of equal ones as MLflow has it."""
    _, value, timestamp, step, _ = point
    return step, timestamp, value


def _is_number(metric: Metric) -> bool:
    of_a_run = metric.model_id is None and metric.dataset_name is None
    return _is_plain(metric.key) and math.isfinite(metric.value) and of_a_run


def _is_short(param: Param) -> bool:
    return _is_plain(param.key) and isinstance(param.value, str) and len(param.value) <= LONGEST_PARAM


def _is_ordinary(tag: RunTag) -> bool:
    return _is_plain(tag.key) and tag.key != RENAMES and isinstance(tag.value, str) and len(tag.value) <= LONGEST_TAG


@functools.cache
def _is_plain(name: str) -> bool:
    """Whether MLflow surely takes the name of a metric, a param or a tag."""
    return len(name) <= LONGEST_NAME and PLAIN_NAME.fullmatch(name) is not None
