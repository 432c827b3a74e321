"""Can the store be written? Answered before training, and without writing."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from ridgeline.command_line.passwords import hidden, hidden_everywhere, require_secret
from ridgeline.config import Config, ConfigError
from ridgeline.tracking.sqlite import check_experiment, check_tables, try_to_write
from ridgeline.tracking.store import SQLITE, store_uri

ANSWER_SECONDS, CONNECT_SECONDS = 4.0, 1.0
ARTIFACTS = "the MLflow store's artifacts can be written"


def check_store(config: Config) -> None:
    """Raise ConfigError, one line, unless the store can be written. Answers within five seconds and writes nothing."""
    uri = store_uri(config)
    require_secret("tracking.uri", uri)
    if uri.startswith(SQLITE):
        _check_file(Path(uri.removeprefix(SQLITE)), uri, config)
    elif uri.startswith(("http://", "https://")):
        _check_server(uri, config.tracking.experiment)
    else:
        raise _refusal("tracking.uri is sqlite:///FILE or http(s)://SERVER", uri, None)


def _check_file(path: Path, uri: str, config: Config) -> None:
    try:
        if path.exists():
            os.close(os.open(path, os.O_RDWR))
        try_to_write(path.parent)
    except OSError as error:
        raise _refusal("the MLflow store can be written", uri, error) from None
    artifacts = Path(config.runs).absolute() / "artifacts"
    try:
        if path.exists():
            check_tables(path, config.tracking.experiment, artifacts)
        else:
            try_to_write(artifacts)
    except sqlite3.DatabaseError as error:
        raise _refusal("the MLflow store is an SQLite database", uri, error) from None
    except OSError as error:
        raise _refusal(ARTIFACTS, uri, error) from None


def _check_address(uri: str) -> None:
    """Whether somebody listens there: known in no time, where MLflow tries again and again."""
    address = urlsplit(uri)
    if getproxies() or address.hostname is None:
        return
    try:
        port = address.port or {"http": 80, "https": 443}[address.scheme]
        socket.create_connection((address.hostname, port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:  # ValueError: a port that is no number
        raise _refusal("an MLflow server answers", uri, error) from None


def _check_server(uri: str, experiment: str) -> None:
    _check_address(uri)
    from mlflow import MlflowClient  # a second, which a file need not wait for

    answers: list[Exception | None] = []

    def ask() -> None:
        try:
            found = MlflowClient(uri, registry_uri=uri).get_experiment_by_name(experiment)
            if found is not None:
                check_experiment(experiment, found.lifecycle_stage, found.artifact_location)
            answers.append(None)
        except Exception as error:
            answers.append(error)

    # In a thread of its own, because name look-up and a server that accepts and says nothing know no time limit.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    error = answers[0] if answers else RuntimeError(f"no answer within {ANSWER_SECONDS:.0f} s")
    if isinstance(error, ConfigError):
        raise error
    if error is not None:
        raise _refusal(ARTIFACTS if isinstance(error, OSError) else "an MLflow server answers", uri, error)


def _refusal(rule: str, uri: str, error: Exception | None) -> ConfigError:
    cause = f" ({reason(error)})" if error is not None else ""
    return ConfigError(f"`{rule}` must hold, but got tracking.uri={hidden(uri)}{cause}.")


def cause_of(error: BaseException) -> BaseException:
    """The innermost error of network, disk or database says more than what wraps it."""
    cause, inner = error, _wrapped(error)
    while inner is not None:
        if isinstance(inner, (OSError, sqlite3.Error)):
            cause = inner
        inner = _wrapped(inner)
    return cause


def reason(error: BaseException) -> str:
    """Why, as part of one line."""
    cause = cause_of(error)
    if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return os.strerror(errno.ENOSPC)  # said as it is said of any other file on that disk
    text = " ".join((getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).split())
    text = hidden_everywhere(hidden(text))
    return text if len(text) <= 200 else text[:197] + "..."


def _wrapped(error: BaseException) -> BaseException | None:
    in_arguments = (argument for argument in error.args if isinstance(argument, BaseException))  # urllib3 does so
    return error.__cause__ or error.__context__ or next(in_arguments, None)
