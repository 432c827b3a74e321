"""`ridgeline ui`: the MLflow UI on a runs folder's store, or on another SQLite file or database."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ridgeline.checking import ConfigError, nearest
from ridgeline.command_line.paths import readable
from ridgeline.command_line.places import RUNS, STORE

KEYS = ("runs", "tracking.uri")
SQLITE = "sqlite:///"
HERE = ("--host", "127.0.0.1")
"""Unless asked otherwise, nobody else can see it."""


def run(words: Sequence[str]) -> None:
    """Become that UI, until it is interrupted. A user's mistake ends in one line and exit code 2."""
    try:
        uri, options = asked(words)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # a password in a command line is seen by every user
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *options])


def asked(words: Sequence[str]) -> tuple[str, list[str]]:
    """The store's address, and the options of `mlflow ui`. Raises ConfigError, one line."""
    first = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    given, options = dict(_read(word) for word in words[:first]), [*words[first:]]
    runs = Path(given.get("runs") or os.environ.get("RIDGELINE_RUNS", "").strip() or RUNS).expanduser().absolute()
    uri = given.get("tracking.uri") or f"{SQLITE}{runs / STORE}"
    if uri.startswith(("http://", "https://")):
        raise ConfigError(f"`tracking.uri is a file or database` must hold, but got {uri}: open it in a browser.")
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
        raise ConfigError(
            f"There is no store {uri.removeprefix(SQLITE)}: `ridgeline train` makes one; or set runs=FOLDER."
        )
    return uri, [*(() if any(option.partition("=")[0] == "--host" for option in options) else HERE), *options]


def _read(word: str) -> tuple[str, str]:
    """Key and value of `KEY=VALUE`, in the grammar that pipelines have: a printed command may quote its value."""
    key, _, value = word.partition("=")
    if key not in KEYS:
        raise ConfigError(f"`ridgeline ui` has no key `{key}`. {nearest(key, KEYS)}")
    try:
        return key, str(OverridesParser.create().parse_override(readable(word)).value())
    except HydraException:
        return key, value
