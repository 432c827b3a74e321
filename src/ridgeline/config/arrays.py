"""Settings of data=arrays: files that hold examples as they are, and the targets of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ridgeline.checking import aside, build, require
from ridgeline.config.data import DataConfig

if TYPE_CHECKING:
    from ridgeline.arrays.examples import Place


@dataclass(frozen=True)
class ArraysConfig(DataConfig):
    """`path`: a .npz or .pt file with x and y, and x_test and y_test where it has a test split; or a file of x alone
    (.npy, .pt, IDX), whose y is in `targets`; or a folder of MNIST's four IDX files. `test_path`, `test_targets`: the
    same of the test split. `image_shape`: (H, W) or (C, H, W) of images that lie as rows in x.
    """

    name: Literal["arrays"] = "arrays"
    targets: str | None = aside(None)
    test_targets: str | None = aside(None)
    image_shape: tuple[int, ...] | None = None
    standardize: Literal["auto", "none", "feature", "all", "channel", "zca"] = "auto"  # type: ignore[assignment]

    def check(self) -> None:
        super().check()
        require(self.path is not None, "data.path=FILE is given with data=arrays", "data.path", "null")
        shape = self.image_shape
        if shape is not None:
            rule = "data.image_shape is [H, W] or [C, H, W], each 1 or more"
            require(len(shape) in (2, 3) and min(shape) >= 1, rule, "data.image_shape", list(shape))

    @property
    def has_test_split(self) -> bool:
        """The file will tell."""
        return True

    @property
    def title(self) -> str:
        """The name of the file or folder, without its endings."""
        return Path(str(self.path)).name.partition(".")[0] or "arrays"

    @property
    def place(self) -> Place:
        from ridgeline.arrays.examples import Place

        return Place(str(self.path), self.targets, self.test_path, self.test_targets, self.image_shape)


def told_by_arrays(data: Mapping[str, Any], task: str) -> tuple[str, Mapping[str, Any]]:
    """Task and settings as the files have it, where they are to tell: regression of numbers with a fraction, else what
    `task` is; and images are standardized by channel, rows by feature.

    Raises ConfigError for files that are not there, or are no arrays.
    """
    from ridgeline.arrays.examples import find_examples

    config = build(DataConfig, data, "data")
    assert isinstance(config, ArraysConfig)
    found = find_examples(config.place)
    if task == "auto":
        y_N = found.targets_N
        has_fractions = y_N.dtype.kind == "f" and bool((y_N != y_N.round()).any())
        task = "regression" if has_fractions else task
    if config.standardize != "auto":
        return task, data
    return task, {**data, "standardize": "feature" if found.image_shape is None else "channel"}
