"""One fit with a Trainer of its own, whichever it is: a stack of one, or a module of the user's own.

Lightning is imported when a fit begins, so that a process can send fits to others without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline.config import Config
from ridgeline.stack.garbage import search_garbage_as_usual

if TYPE_CHECKING:
    from ridgeline.stack.records import FitResult, Row


def train_here(config: Config, listener: Callable[[Row], None], job_dir: Path) -> FitResult:
    """In this process; `listener` gets each epoch."""
    if config.model is None:
        from ridgeline.data import load_splits
        from ridgeline.stack.device import pick_device
        from ridgeline.stack.fitting import fit

        splits = load_splits(config.data, pick_device(config))
        search_garbage_as_usual()
        return fit([config], splits, listener=lambda _, row: listener(row), job_dir=job_dir)[0]
    from ridgeline.lightning.spread import fit_on_devices

    search_garbage_as_usual()
    return fit_on_devices(config, listener=listener, job_dir=job_dir)


def train_alone(config: Config, go_on: Callable[[Row], bool], data: str | None = None) -> FitResult:
    """In a worker process. `go_on` gets each epoch when the next one begins, and says whether to train that.

    `data`: the hash of the data that it must train on.
    """
    if config.model is None:
        from ridgeline.stack.alone import train_stack_of_one

        return train_stack_of_one(config, go_on, data)
    from ridgeline.lightning.spread import fit_on_devices

    if not config.data.is_module:
        from ridgeline.data import describe, require_same

        require_same(describe(config.data), data)
    return fit_on_devices(config, go_on=go_on, job_dir=_job_folder(config))


def _job_folder(config: Config) -> Path | None:
    """That of the study's trial, where this machine has it."""
    trial = config.trial
    folder = Path(config.runs) / "studies" / str(trial.study) / "jobs" / str(trial.number)
    return folder.absolute() if trial.study is not None and folder.is_dir() else None
