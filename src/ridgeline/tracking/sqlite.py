"""Checks of an MLflow store that is an SQLite file. They do without MLflow, whose import takes a second."""

from __future__ import annotations

import functools
import importlib.util
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ridgeline.checking import ConfigError
from ridgeline.command_line.commands import upgrade

NEEDED = {
    *("experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics"),
    *("datasets", "inputs", "input_tags"),
    *("logged_models", "logged_model_tags", "logged_model_params", "logged_model_metrics"),
    *("registered_models", "registered_model_tags", "registered_model_aliases", "model_versions", "model_version_tags"),
}
"""Tables that a study, its runs and its champion are written into."""


def try_to_write(folder: Path) -> None:
    """Raise OSError unless files can be made there, or where it would be made."""
    while not folder.exists():
        folder = folder.parent
    # Permission bits say little (root, read-only mounts), so make a file: one without a name, gone when closed.
    with tempfile.TemporaryFile(dir=folder):
        pass


def check_tables(path: Path, experiment: str, artifacts: Path) -> None:
    """Raise ConfigError for tables of another version or program, or a deleted experiment; OSError where artifacts
    cannot be written: where the experiment has them, or else in `artifacts`."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            _check_version(connection, tables, path)
            query = "SELECT lifecycle_stage, artifact_location FROM experiments WHERE name = ?"
            found = connection.execute(query, [experiment]).fetchone() if "experiments" in tables else None
        except sqlite3.OperationalError:
            return  # locked by another process, or to be recovered after a crash: the next writer does that
    if found is not None:
        check_experiment(experiment, *found)
    else:
        try_to_write(artifacts)


def check_experiment(name: str, stage: str, location: str | None) -> None:
    """Raise ConfigError for a deleted one, OSError where its artifacts are files that cannot be written here."""
    if stage == "deleted":
        cure = "restore it in MLflow, or give another"
        raise ConfigError(
            f"`tracking.experiment is not deleted` must hold, but got tracking.experiment={name}: {cure}."
        )
    parts = urlsplit(location or "mlflow-artifacts:/")
    if parts.scheme in ("", "file"):
        try_to_write(Path(unquote(parts.path)))


def _check_version(connection: sqlite3.Connection, tables: set[str], path: Path) -> None:
    if not tables:  # MLflow makes them
        return
    versions = connection.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    version = next((number for (number,) in versions), "none")
    known, latest = _revisions()
    missing = sorted(NEEDED - tables)
    if version == latest and missing:
        rule = f"the MLflow store has the table {missing[0]}"
        raise ConfigError(f"`{rule}` must hold, but got tracking.uri=sqlite:///{path}: restore it, or give another.")
    if version == latest or not known:
        return
    got = f"but got tracking.uri=sqlite:///{path} with version {version}"
    if "experiments" not in tables:
        raise ConfigError(f"`the MLflow store is a database of MLflow` must hold, {got}: it is another program's.")
    if version in known:
        raise ConfigError(f"`the MLflow store has the tables of {latest}` must hold, {got}. {upgrade(path)}")
    raise ConfigError(f"`this MLflow knows the store's tables` must hold, {got}: install the MLflow that made it.")


@functools.cache
def _revisions() -> tuple[set[str], str]:
    """The schema revisions that the installed MLflow knows, and the latest of them, read from its files."""
    package = importlib.util.find_spec("mlflow")
    if package is None or package.submodule_search_locations is None:
        return set(), ""
    scripts = Path(next(iter(package.submodule_search_locations))) / "store" / "db_migrations" / "versions"
    texts = [script.read_text() for script in scripts.glob("*.py")]
    found = [re.search(r'^revision *(?::.*)?= *"(\w+)"', text, re.M) for text in texts]
    before = [re.search(r'^down_revision *(?::.*)?= *"(\w+)"', text, re.M) for text in texts]
    known = {match[1] for match in found if match}
    latest = known - {match[1] for match in before if match}
    return (known, latest.pop()) if len(latest) == 1 else (set(), "")
