"""The configuration of pipelines/predict.py, which trains nothing: conf/predict.yaml, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ridgeline.checking import build, require
from ridgeline.config.tracking import TrackingConfig


@dataclass(frozen=True)
class ModelName:
    """What is typed as `model=NAME`. Hydra sets it as `model.name`, for `model` is a group of choices to it."""

    name: str | None = None


@dataclass(frozen=True)
class NewRows:
    """The rows to predict. `path`: the file that they are in; of images their folder, a glob, or a CSV, whose column
    `image` has their paths. `on_error`: what happens if an image cannot be read; None: as in the model's study."""

    path: str | None = None
    image: str | None = None
    on_error: Literal["refuse", "skip"] | None = None


@dataclass(frozen=True)
class PredictConfig:
    """`model` is a registered one, NAME@ALIAS or NAME/VERSION; `out` the CSV file that its predictions go to.

    `keep`: columns of the table that are written too, or `all`. `runs` and `tracking`: where the model is kept.
    """

    model: ModelName = ModelName()
    data: NewRows = NewRows()
    out: str | None = None
    keep: str | tuple[str, ...] = ()
    runs: str = "mlruns"
    tracking: TrackingConfig = TrackingConfig()

    def check(self) -> None:
        for key, value in (("model", self.model.name), ("data.path", self.data.path), ("out", self.out)):
            require(value is not None, f"{key}=... is given", key, "null")
        require(str(self.out).endswith(".csv"), "out ends in .csv", "out", self.out)
        require(self.out != self.data.path, "out is another file than data.path", "out", self.out)


def parse_predict(tree: Mapping[str, Any]) -> PredictConfig:
    """The checked configuration of a plain, resolved mapping. ConfigError, one line, at the first broken rule."""
    built: PredictConfig = build(PredictConfig, tree, "")
    return built
