"""One trial from its checked configuration: data, fit, tracking, files in the job folder."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from safetensors import SafetensorError
from safetensors.torch import save_file

from ridgeline.config import Config
from ridgeline.data import describe, load_splits
from ridgeline.lightning.alone import train_here
from ridgeline.stack.device import is_out_of_memory, pick_device
from ridgeline.stack.records import FitResult, Row, TrialFailed
from ridgeline.stack.samples import samples_RMCHW
from ridgeline.tracking import Run, Tracker, TrackingError

log = logging.getLogger(__name__)

HISTORY = "history.csv"
"""The file in a job's folder that holds the curve of its fit."""


class Outcome(TypedDict):
    """The result that a job hands back to the sweeper, through any launcher. `unwritten`: what MLflow did not take, and
    why."""

    value: float
    run_id: str
    job_dir: str
    best_epoch: int
    epochs: int
    seconds: float
    metrics: dict[str, float]
    unwritten: NotRequired[str | None]


def run_trial(config: Config, job_dir: Path) -> Outcome:
    """Train, track and store one trial.

    Raises TrialFailed where it diverged or found no memory; its run is closed as FAILED first. TrackingError where
    nothing could be begun.
    """
    description, result, unwritten = describe(config.data), None, None
    try:
        with Tracker(config) as tracker:
            run = tracker.start_trial(config, description, job_dir)
            result = _tracked(config, tracker, run, job_dir)
    except TrackingError as error:
        if result is None:
            raise
        unwritten = str(error)
    return {**outcome_of(result, run, job_dir), "unwritten": unwritten}


def _tracked(config: Config, tracker: Tracker, run: Run, job_dir: Path) -> FitResult:
    """Train and close the run with the state in which the training ended, whatever happens."""
    tracker.prove(run)
    try:
        result = _train(config, run, job_dir)
    except Exception as error:
        run.finish("FAILED", f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:  # Ctrl-C, of which Lightning makes SystemExit
        tracker.hasten()
        run.finish("INTERRUPTED", type(error).__name__)
        raise
    run.finish("COMPLETE")
    return result


def _train(config: Config, run: Run, job_dir: Path) -> FitResult:
    try:
        result = train_here(config, lambda row: run.log_epoch(*epoch_metrics(row)), job_dir)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrialFailed(f"it needs more memory than there is ({' '.join(str(error).split())})") from None
    keep_fit(result, run, job_dir)
    if result.failure is not None:
        raise TrialFailed(result.failure)
    if config.trial.study is None:  # of a study's trials only the best are drawn and kept, by the sweeper
        # matplotlib, which a study's process needs at its end alone
        from ridgeline.report.curves import augmentation_figure, curve_figure

        is_own = config.model is not None
        figure = curve_figure(result.history, result.best_epoch, metric=config.metric, of_module=is_own)
        run.log_figure(figure, "curves.png")
        if config.model is None and config.augmentation.is_on:
            splits = load_splits(config.data, pick_device(config))
            run.log_figure(augmentation_figure(samples_RMCHW(config, splits).numpy()), "augmented.png")
        run.log_file(job_dir / "weights.safetensors", "weights")
    return result


def keep_fit(result: FitResult, run: Run, job_dir: Path) -> None:
    """The curve and the weights as files in the job folder, the final metrics in the run. Raises OSError."""
    if result.history:
        write_history(job_dir / HISTORY, result.history)
    if result.failure is None:
        try:
            save_file(result.weights, job_dir / "weights.safetensors")
        except SafetensorError as error:
            raise OSError(str(error)) from error
        run.log_metrics({**result.metrics, "final/best_epoch": float(result.best_epoch)})


def outcome_of(result: FitResult, run: Run, job_dir: Path) -> Outcome:
    """The outcome of a job that has trained."""
    return Outcome(
        value=result.value,
        run_id=run.id,
        job_dir=str(job_dir),
        best_epoch=result.best_epoch,
        epochs=result.epochs,
        seconds=result.seconds,
        metrics=result.metrics,
    )


def epoch_metrics(row: Row) -> tuple[int, dict[str, float]]:
    """The step and the metrics of a curve's row, for the run."""
    return int(row["epoch"]), {name: value for name, value in row.items() if name != "epoch"}


def write_history(path: Path, history: Sequence[Row]) -> None:
    """One line an epoch, numbers in full precision."""
    with path.open("w", newline="") as file:
        names = dict.fromkeys(name for row in history for name in row)
        writer = csv.DictWriter(file, fieldnames=list(names))
        writer.writeheader()
        writer.writerows(history)


def read_history(path: Path) -> list[dict[str, float]]:
    """Read what `write_history` wrote; a row lacks what was not measured in its epoch."""
    with path.open(newline="") as file:
        rows: list[Mapping[str, Any]] = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if value != ""} for row in rows]
