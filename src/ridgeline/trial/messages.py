"""The first line of a single run, which is printed before torch is imported."""

from __future__ import annotations

from collections.abc import Sequence

from ridgeline.config import Config
from ridgeline.config.deciding import is_trained


def opening_words(config: Config, arguments: Sequence[str], job_dir: str) -> str:
    """One line: what trains, for how long, with which settings, into which folder. `arguments`: as they were typed."""
    what = f"{config.network.name} on {config.data.title}"
    if config.debug is not None:
        return f"Checking {config.debug} of {what}; nothing is written"
    kind = "Training" if config.trainer.ckpt_path is None else "Going on to train"
    epochs = "1 epoch" if config.trainer.max_epochs == 1 else f"at most {config.trainer.max_epochs} epochs"
    tried = [argument for argument in arguments if is_trained(argument) and "max_epochs" not in argument]
    given = f", with {' '.join(tried)}" if tried else ""
    return f"{kind} {what}, {epochs}{given}, into {job_dir}"
