"""Which rows train, which validate, which test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ridgeline.checking import require
from ridgeline.config import ConfigError, DataConfig
from ridgeline.config.data import MADE
from ridgeline.data.source import Source


@dataclass(frozen=True)
class RowNumbers:
    """Row numbers of a source, ascending, int64. The splits share none, but for `data.fit_on=train_validation`."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(source: Source, config: DataConfig) -> RowNumbers:
    """First the test split, then `data.examples` of what is left, then train and validation in their proportion.

    So neither `data.examples` nor their proportion changes the test split. Raises ConfigError if a split lacks a class.
    """
    pool, test = pool_and_test(source, config)
    fraction = config.train + config.validation
    train, validation = _divide(pool, round(len(pool) * config.train / fraction), source, config)
    rows = RowNumbers(train, validation, test)
    require_every_class(rows, source, asked(source, config))
    if config.fit_on == "train_validation":
        return RowNumbers(np.sort(np.concatenate([train, validation])), validation, test)
    return rows


def pool_and_test(source: Source, config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The rows that train and validate, and those of the test split."""
    rule = "data.split is auto, random or first in regression, for numbers are in no class"
    require(source.task == "classification" or config.split != "stratified", rule, "data.split", config.split)
    n_free = len(source.y_N) - source.n_test
    fraction = config.train + config.validation
    pool, rest = _divide(np.arange(n_free), round(fraction * n_free), source, config)
    test = np.arange(n_free, len(source.y_N)) if source.n_test else rest
    if config.examples is not None and config.name not in MADE:  # which were made in that number
        if config.examples > len(pool):
            rule = f"data.examples <= {len(pool)}, as many as train and validate,"
            raise ConfigError(f"`{rule}` must hold, but got data.examples={config.examples}.")
        pool, _ = _divide(pool, config.examples, source, config, usual_way(source))
    return pool, test


def way_of(source: Source, config: DataConfig) -> str:
    """How `data.split` says that rows are drawn: stratified, random or first."""
    return usual_way(source) if config.split == "auto" else config.split


def usual_way(source: Source) -> str:
    return "stratified" if source.task == "classification" else "random"


def _divide(
    rows: np.ndarray, count: int, source: Source, config: DataConfig, split: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`count` of the rows, and the others: drawn with `data.seed`, each class in its share if stratified; or simply the
    first. `split`: another way than `data.split`."""
    split = split or way_of(source, config)
    if split == "first" or count in (0, len(rows)):
        return rows[:count], rows[count:]
    from sklearn.model_selection import train_test_split

    classes = source.y_N[rows] if split == "stratified" else None
    try:
        chosen, others = train_test_split(rows, train_size=count, stratify=classes, random_state=config.seed)
    except ValueError as error:  # a class of one, or fewer rows than classes
        why = _alone(source, rows) or error
        raise ConfigError(f"`each split holds every class` must hold, but got {asked(source, config)}: {why}") from None
    return np.sort(chosen), np.sort(others)


def _alone(source: Source, rows: np.ndarray) -> str | None:
    """Which classes have one example, of which no two splits can have one; None: none has."""
    alone = np.flatnonzero(np.bincount(source.y_N[rows], minlength=source.n_classes) == 1)
    if len(alone) == 0:
        return None
    more = f", as have {len(alone) - 1} other classes" if len(alone) > 1 else ""
    return f"the class {source.class_names[alone[0]]} has one example{more}."


def require_every_class(rows: RowNumbers, source: Source, why: str) -> None:
    """Raise ConfigError if a split lacks a class, or in regression has no two targets that differ. `why`: the settings
    that made the splits."""
    for split, own in vars(rows).items():
        found = len(np.unique(source.y_N[own]))
        if found < max(2, source.n_classes):
            rule = f"the {split} split holds all {source.n_classes} classes"
            rule = rule if source.n_classes else f"the {split} split holds two different targets"
            raise ConfigError(f"`{rule}` must hold, but got {found} in {len(own)} examples with {why}.")


def asked(source: Source, config: DataConfig) -> str:
    text = f"data.split={way_of(source, config)} data.train={config.train} data.validation={config.validation}"
    return text if config.examples is None else f"{text} data.examples={config.examples}"
