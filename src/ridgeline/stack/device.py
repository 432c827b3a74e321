"""Where a training runs."""

from __future__ import annotations

import torch

from ridgeline.checking import require
from ridgeline.config import Config


def pick_device(config: Config) -> torch.device:
    """The device that `trainer.accelerator` names; auto takes CUDA where there is one. Refuses what it cannot do."""
    wanted, precision = config.trainer.accelerator, config.trainer.precision
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    rule = "trainer.precision is 32-true or bf16-mixed on a CPU"
    require(precision != "tf32" or wanted == "cuda", rule, "trainer.precision", precision)
    return torch.device(wanted)
