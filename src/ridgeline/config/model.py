"""Settings of the group `model`: a LightningModule of the user's own, which a Trainer trains as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ridgeline.checking import require
from ridgeline.target import Target, of_lightning


@dataclass(frozen=True)
class OwnModel(Target):
    """By `model._target_`. All other keys are its arguments, nested targets among them.

    What `GIVEN` names it is given where the examples come from us. Images come as rows only if it asks for `n_inputs`,
    and not for `input_shape`, as to a network.
    """

    GIVEN: ClassVar[tuple[str, ...]] = ("n_inputs", "input_shape", "n_outputs", "layout")

    @classmethod
    def read(cls, tree: Any, key: str) -> Self:
        target = super().read(tree, key)
        found = target.find()
        holds = not isinstance(found, type) or of_lightning(found, "LightningModule")
        require(holds, f"{key}._target_ is a LightningModule", f"{key}._target_", target.path)
        return target

    @property
    def takes_images(self) -> bool:
        """Whether an example of images comes as (channels, height, width), and not as a row."""
        return self.takes("input_shape") or not self.takes("n_inputs")


INSTEAD = ("network", "loss", "optimizer", "lr_schedule", "augmentation")
"""Groups that say nothing where there is a `model`: it has its own."""
