"""Settings of the group `trainer`: how long a fit trains, in which batches and on which device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ridgeline.checking import aside, course, require
from ridgeline.config.precision import Precision


@dataclass(frozen=True)
class TrainerConfig:
    """How long, in which batches, on what. Null: the full batch, as many threads as pay. Intervals are in seconds.

    `precision`: `auto` never gets here: `parse` makes of it what it is on this machine.
    """

    max_epochs: int = 30
    batch_size: int | None = 128
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "32-true"
    num_threads: int | None = course(None)
    restore_best: bool = True
    checkpoint_interval: float = aside(60.0)
    ckpt_path: str | None = course(None)
    enable_progress_bar: bool = aside(True)

    def check(self) -> None:
        require(self.max_epochs >= 1, "trainer.max_epochs >= 1", "trainer.max_epochs", self.max_epochs)
        size = self.batch_size
        require(size is None or size >= 1, "trainer.batch_size >= 1 (or null)", "trainer.batch_size", size)
        threads = self.num_threads
        require(threads is None or threads >= 1, "trainer.num_threads >= 1 (or null)", "trainer.num_threads", threads)
        require(
            self.checkpoint_interval >= 0,
            "trainer.checkpoint_interval >= 0",
            "trainer.checkpoint_interval",
            self.checkpoint_interval,
        )
