"""What is compared: the choices of conf/experiment/case_study, in the order of the tutorial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ridgeline import Config

BASELINE, TUNED = "baseline", "tuned"
TEXT, LISTING = "text", "listing"
"""Two readings of the tutorial, whose text says one thing and whose program does another."""


@dataclass(frozen=True)
class Variant:
    """`name`: of the choice. `setting`: what sets it apart. `reading`: where there are two."""

    name: str
    title: str
    setting: str
    reading: str | None = None

    @property
    def label(self) -> str:
        return self.title if self.reading is None else f"{self.title} ({self.reading})"


VARIANTS = (
    Variant(BASELINE, "baseline", "none"),
    Variant("l2", "L2", "Keras l2(0.0001), `l2=2e-4`, hidden layers"),
    Variant("l1", "L1", "Keras l1(0.0001), `l1=1e-4`, hidden layers"),
    Variant("dropout", "dropout", "0.25 after every hidden layer"),
    Variant("augmentation", "augmentation", "ZCA whitening of train and validation, then dropout 0.25", TEXT),
    Variant("augmentation_listing", "augmentation", "whitening never applied: the networks of `dropout`", LISTING),
    Variant("early_stopping", "early stopping", "validation accuracy, patience 2, a fresh network", TEXT),
    Variant("early_stopping_listing", "early stopping", "the same, going on with the networks of `dropout`", LISTING),
    Variant(TUNED, "tuned", "l2 and dropout by search"),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}


def compose_all(compose: Callable[[str], Config]) -> dict[str, Config]:
    """The configuration of each variant, by name, ready to be trained many at once."""
    return {name: _quiet(compose(f"case_study/{name}")) for name in BY_NAME}


def tune(configs: Mapping[str, Config], l2: float, dropout: float) -> dict[str, Config]:
    """The same configurations, in which `tuned` has these values."""
    tuned = configs[TUNED]
    values: dict[str, Any] = {"l2": l2, "dropout": dropout}
    found = replace(tuned, regularization=replace(tuned.regularization, **values))
    return {**configs, TUNED: found}


def _quiet(config: Config) -> Config:
    return replace(config, trainer=replace(config.trainer, enable_progress_bar=False))
