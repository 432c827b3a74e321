"""The knobs of the group `augmentation`, and the rules that their values must keep. docs/knobs.md explains them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ridgeline.checking import batchable, require

IMAGES = ("digits", "mnist")
SCALES = ("none", "all")


@dataclass(frozen=True)
class AugmentationConfig:
    """How much each image of a training batch may be changed at random; 0 = off.

    `rotate`: degrees to either side. `scale`: size times 1 - scale to 1 + scale. `shift`: part of the side, to all
    sides. `flip`: probability of left for right. `crop`: up to this part of the side is cut off, and the rest fills the
    image. `brightness`: added, up or down. `contrast`: the image less its background times 1 +- contrast. `erase`:
    probability of a rectangle of background.
    """

    rotate: float = batchable(0.0)
    scale: float = batchable(0.0)
    shift: float = batchable(0.0)
    flip: float = batchable(0.0)
    crop: float = batchable(0.0)
    brightness: float = batchable(0.0)
    contrast: float = batchable(0.0)
    erase: float = batchable(0.0)

    @property
    def is_on(self) -> bool:
        return any(dataclasses.astuple(self))

    @property
    def is_warped(self) -> bool:
        """Whether more than erasing is on, which leaves the other pixels exactly as they are."""
        return dataclasses.replace(self, erase=0.0).is_on

    def check(self) -> None:
        limits = {"rotate": 180, "shift": 1, "flip": 1, "contrast": 1, "erase": 1}
        for name, value in dataclasses.asdict(self).items():
            key, limit = f"augmentation.{name}", limits.get(name)
            if limit is not None:
                require(0 <= value <= limit, f"0 <= {key} <= {limit}", key, value)
            else:
                below = "inf" if name == "brightness" else "1"
                require(0 <= value < (math.inf if below == "inf" else 1), f"0 <= {key} < {below}", key, value)

    def check_fits(self, data: str, standardize: str) -> None:
        """The rules that the data bring: a moved pixel must mean in its new place what it meant before."""
        if self.is_on:
            require(data in IMAGES, "augmentation only of images (data=digits or data=mnist)", "data.name", data)
            rule = "data.standardize is none or all with augmentation"
            require(standardize in SCALES, rule, "data.standardize", standardize)
