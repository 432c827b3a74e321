"""The one way that anything is written to MLflow.

A `Tracker` opens the store, starts runs and owns the one background thread that writes; a `Run` is a handle that
never waits for the store while training. This module sets MLflow's environment before MLflow is imported, which happens
with the first name that needs it: whether the store can be written is checked without.
"""

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

# Nothing leaves the machine but what goes to the store itself.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# The writer tries again by itself, so that a server that is away is noticed in seconds instead of minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Schema migrations of a new store are no news, and every error of the store reaches us as an exception.
logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

from ridgeline.tracking.check import check_store  # noqa: E402
from ridgeline.tracking.entries import TrackingError  # noqa: E402
from ridgeline.tracking.store import how_to_look, server_of, store_uri, ui_command  # noqa: E402

if TYPE_CHECKING:
    from ridgeline.tracking.run import Run, State
    from ridgeline.tracking.tracker import Tracker

__all__ = [
    "Run",
    "State",
    "Tracker",
    "TrackingError",
    "check_store",
    "how_to_look",
    "server_of",
    "store_uri",
    "ui_command",
]

LATER = {"Run": "run", "State": "run", "Tracker": "tracker"}
"""Names that need MLflow, and the module of each: imported with the first that is asked for."""


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(importlib.import_module(f"{__name__}.{LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
