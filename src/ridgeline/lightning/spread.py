"""A module is trained on several devices: a process each, as Lightning's `strategy=ddp` has them.

A study sees one trial: rows, result and failure are those of the first process, which asks whether to go on.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ridgeline.config import Config
from ridgeline.lightning.data import open_data
from ridgeline.lightning.rank import Rank, is_about_others
from ridgeline.lightning.ranks import Ask, NoAnswer, on_ranks
from ridgeline.lightning.training import fit_module
from ridgeline.stack.records import FitResult, Row
from ridgeline.target import reason


@dataclass(frozen=True)
class _Told:
    """An epoch has ended."""

    row: Row


@dataclass(frozen=True)
class _Asked:
    """Whether to train another one after it."""

    row: Row


@dataclass(frozen=True)
class _Fit:
    """What each process does. `is_asking`: whether somebody may end the training."""

    config: Config
    job_dir: Path | None
    is_asking: bool

    def __call__(self, rank: Rank, ask: Ask) -> FitResult | NoAnswer:
        result = fit_module(
            self.config,
            go_on=(lambda row: bool(ask(_Asked(row)))) if self.is_asking else None,
            listener=lambda row: ask(_Told(row)),
            job_dir=self.job_dir,
            rank=rank,
        )
        return result if rank.number == 0 or result.failure is None else NoAnswer(result.failure)


def fit_on_devices(
    config: Config,
    *,
    go_on: Callable[[Row], bool] | None = None,
    listener: Callable[[Row], None] | None = None,
    job_dir: Path | None = None,
) -> FitResult:
    """As `fit_module`, on as many devices as the configuration says."""
    if not config.trainer.is_spread:
        return fit_module(config, go_on=go_on, listener=listener, job_dir=job_dir)
    began, history = time.monotonic(), list[Row]()

    def hear(message: Any) -> bool:
        if isinstance(message, _Asked):
            return go_on is None or go_on(message.row)
        history.append(message.row)
        if listener is not None:
            listener(message.row)
        return True

    try:
        prepare(config)
    except Exception as error:  # whatever the user's code raises
        return _failed(config, history, reason(error), time.monotonic() - began)
    first, *others = on_ranks(config.trainer.n_devices, _Fit(config, job_dir, go_on is not None), hear)
    own = first.failure if isinstance(first, FitResult) else first.reason
    why = cause([own, *(other.reason for other in others if isinstance(other, NoAnswer))])
    if isinstance(first, FitResult) and why == own:
        return first
    return _failed(config, history, str(why), time.monotonic() - began)


def cause(reasons: Sequence[str | None]) -> str | None:
    """Why a training failed, if it did: what happened, rather than that others missed the one who it happened to."""
    known = [each for each in reasons if each is not None]
    return next((each for each in known if not is_about_others(each)), known[0] if known else None)


def prepare(config: Config) -> None:
    """What a DataModule does once on a machine; in a worker process it has been done."""
    if config.data.is_module and multiprocessing.parent_process() is None:
        open_data(config).prepare_data()


def _failed(config: Config, history: list[Row], why: str, seconds: float) -> FitResult:
    return FitResult(config, math.nan, 0, "failed", why, history, {}, {}, seconds)
