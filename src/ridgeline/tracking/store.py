"""Where runs are kept: an SQLite file, or an MLflow server."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from ridgeline.command_line.commands import Where, look_at
from ridgeline.command_line.passwords import hidden, revealed
from ridgeline.command_line.places import STORE
from ridgeline.config import TrackingConfig
from ridgeline.tracking.direct import Tables, open_tables

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

SQLITE = "sqlite:///"
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The tag without which the MLflow UI opens the experiment as one of language models."""


class Keeping(Protocol):
    """The part of a configuration that says where runs and models are kept."""

    @property
    def runs(self) -> str: ...

    @property
    def tracking(self) -> TrackingConfig: ...


@dataclass(frozen=True)
class Store:
    """An open store, and the experiment that our runs belong to. `tables`: those of an SQLite file that are known."""

    client: MlflowClient
    experiment_id: str
    tables: Tables | None = None

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """Add metrics, params and tags to a run, as many as MLflow takes at once."""
        if self.tables is None or not self.tables.log_batch(run_id, metrics, params, tags):
            self.client.log_batch(run_id, metrics, params, tags)

    def end(self, run_id: str, status: str, ended: int) -> None:
        """Say how a run ended, and when, in milliseconds since 1970."""
        if self.tables is None or not self.tables.end(run_id, status, ended):
            self.client.set_terminated(run_id, status, ended)


def store_uri(config: Keeping) -> str:
    """`tracking.uri` with its password, or the SQLite store in the runs folder. A path to a file is made absolute."""
    uri = revealed(config.tracking.uri) if config.tracking.uri is not None else None
    if uri is None:
        return f"{SQLITE}{Path(config.runs).absolute() / STORE}"
    if uri.startswith(SQLITE):
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return uri


def how_to_look(config: Keeping) -> str:
    """What to type or open, here and now, to see the runs."""
    return server_of(config) or f"{ui_command(config, where='here')}, then http://127.0.0.1:5000"


def ui_command(config: Keeping, *, where: Where = "anywhere") -> str | None:
    """The shell command that starts the MLflow UI; None where a server shows the runs."""
    uri = store_uri(config)
    return look_at(Path(uri.removeprefix(SQLITE)), where=where) if uri.startswith(SQLITE) else None


def server_of(config: Keeping) -> str | None:
    """The address of the MLflow server, without user and password; None where the store is a file."""
    parts = urlsplit(hidden(store_uri(config)))
    if parts.scheme not in ("http", "https"):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def open_store(config: Keeping) -> Store:
    """Open the store; create what is missing: the tables, the experiment. Several processes may do so at once.

    The artifacts of an SQLite store lie in the runs folder, by absolute path; a server chooses for itself.
    """
    from mlflow import MlflowClient  # a second, which whoever only wants an address need not wait for
    from mlflow.exceptions import MlflowException

    uri = store_uri(config)
    artifacts = tables = None
    if uri.startswith(SQLITE):
        artifacts = (Path(config.runs).absolute() / "artifacts").as_uri()
        _create_tables(Path(uri.removeprefix(SQLITE)), artifacts)
        tables = open_tables(Path(uri.removeprefix(SQLITE)))
    client = MlflowClient(uri, registry_uri=uri)
    name = config.tracking.experiment
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return Store(client, client.create_experiment(name, artifacts, tags=KIND), tables)
        except MlflowException as error:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise error
    return Store(client, experiment.experiment_id, tables)


def _create_tables(path: Path, artifacts: str) -> None:
    """Make the database under another name and put it in place when it is whole.

    MLflow's migrations, run by two processes at once or killed half-way, leave a database that never opens again.
    """
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a killed process with this number
    SqlAlchemyStore(f"{SQLITE}{draft}", artifacts).engine.dispose()
    try:
        os.link(draft, path)
    except FileExistsError:  # another process was faster
        pass
    except OSError:  # a file system without links
        os.replace(draft, path)
    draft.unlink(missing_ok=True)
