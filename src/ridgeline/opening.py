"""What a single run says at once, before torch is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ridgeline.config import Config
from ridgeline.knobs import NOT_TRAINED


def opening_words(config: Config, arguments: Sequence[str], job_dir: str) -> str:
    """`arguments`: as they were typed."""
    what = f"{config.network.name} on {config.data.name}"
    if config.debug is not None:
        return f"Checking {config.debug} of {what}; nothing is written"
    kind = "Training" if config.trainer.ckpt_path is None else "Going on to train"
    epochs = "1 epoch" if config.trainer.max_epochs == 1 else f"at most {config.trainer.max_epochs} epochs"
    tried = [argument for argument in what_is_tried(arguments) if "max_epochs" not in argument]
    given = f", with {' '.join(tried)}" if tried else ""
    return f"{kind} {what}, {epochs}{given}, into {job_dir}"


def what_is_tried(arguments: Sequence[str]) -> list[str]:
    """Those arguments that a training's numbers may depend on: not where it is written, and no secret."""
    return [argument for argument in arguments if _group(argument) not in NOT_TRAINED]


def _group(argument: str) -> str:
    return re.split(r"[./@=]", argument.lstrip("+~"), maxsplit=1)[0]
