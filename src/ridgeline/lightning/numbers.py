"""What a module or a callback finds where it looks for a logger."""

from __future__ import annotations

from typing import Any


def numbers_logger(package: Any) -> Any:
    """A logger that keeps the last value of each number, and lets whatever else is asked of it be.

    So `self.logger.experiment.add_image(...)` does no harm, and what a callback logs by itself, LearningRateMonitor
    say, is part of the curve.
    """
    dummy = __import__(f"{package.__name__}.loggers.logger", fromlist=["DummyLogger"]).DummyLogger

    class Numbers(dummy):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.numbers: dict[str, float] = {}

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            self.numbers |= {name: float(value) for name, value in metrics.items() if name != "epoch"}

    return Numbers()
