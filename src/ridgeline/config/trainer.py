"""Settings of the group `trainer`: how long a fit trains, in which batches and on which device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ridgeline.checking import aside, course, require, targets
from ridgeline.config.lightning_keys import PRECISIONS, SPREAD, LightningKey, count_devices, started_alike
from ridgeline.config.precision import Precision


@dataclass(frozen=True)
class TrainerConfig:
    """How long, in which batches, on what. Null: the full batch, as many threads as pay. Intervals are in seconds.

    `precision`: `auto` never gets here: `parse` makes of it what it is on this machine.
    `lightning`: the other arguments of Lightning's Trainer that were given, by name.
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
    lightning: tuple[tuple[str, Any], ...] = targets(LightningKey)

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

        require(
            self.n_devices == 1 or self.is_spread,
            "trainer.strategy is auto or one of ddp where trainer.devices > 1",
            "trainer.strategy",
            self.strategy_name,
        )

    @property
    def n_devices(self) -> int:
        """On how many devices a trial trains."""
        return count_devices(dict(self.lightning).get("devices") or 1)

    @property
    def names_devices(self) -> bool:
        """Whether it says which ones."""
        given = dict(self.lightning).get("devices")
        return isinstance(given, tuple) or "," in str(given)

    @property
    def strategy_name(self) -> str:
        """How Lightning trains on them, whatever it would start their processes by."""
        given = started_alike(dict(self.lightning).get("strategy") or "auto")
        return "ddp" if given == "auto" and self.n_devices > 1 else given

    @property
    def is_spread(self) -> bool:
        """Whether a trial has a process a device, and so others than the one that it is in."""
        return self.strategy_name in SPREAD

    def check_without_model(self) -> None:
        """Raise ConfigError for what a Trainer of the user's module takes, and one that trains stacks does not."""
        for name, value in self.lightning:
            key = f"trainer.{name}"
            instead = INSTEAD.get(name)
            rule = f"{key} is given with a model of one's own" + (f" (else {instead})" if instead else "")
            require(False, rule, key, value)
        key, known = "trainer.precision", [name for name in get_args(Precision) if name not in PRECISIONS]
        holds = self.precision in known
        require(holds, f"{key} in {{{', '.join(known)}}} without a model of one's own", key, self.precision)


INSTEAD = {
    "gradient_clip_val": "optimizer.gradient_clip_val",
    "accumulate_grad_batches": "trainer.batch_size",
    "limit_train_batches": "data.examples",
}
"""What is there without a model in the place of a key of Lightning's."""
