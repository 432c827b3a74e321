"""`trainer.precision=auto` becomes what it is on this machine where a training starts.

So it stands in what is stored, and in the command that trains it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ridgeline.command_line.commands import key_of
from ridgeline.config.precision import AUTO, choose
from ridgeline.quoting import setting

KEY = "trainer.precision"


def settle_precision(config: DictConfig, arguments: Sequence[str], before: Path | None = None) -> list[str]:
    """The arguments, and the configuration, with the chosen precision; it is said in one line which.

    `before`: what an earlier start of the same study has composed, whose choice is kept. A list of values that are
    swept stays as it is: each trial's `auto` is chosen where its configuration is read.
    """
    if OmegaConf.select(config, KEY) != AUTO:
        return list(arguments)
    kept = OmegaConf.select(OmegaConf.load(before), KEY) if before is not None and before.is_file() else None
    chosen = choose(str(OmegaConf.select(config, "trainer.accelerator")))
    precision = chosen.precision if kept in (None, AUTO) else kept
    print(chosen if precision == chosen.precision else f"Products are as the study began: {KEY}={precision}.")
    OmegaConf.update(config, KEY, precision)
    settled = [argument for argument in arguments if key_of(argument) != KEY] + [setting(f"++{KEY}", precision)]
    config.hydra.overrides.task = settled
    return settled
