"""Which rows train, which validate, which test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ridgeline.checking import require
from ridgeline.config import ConfigError, DataConfig
from ridgeline.config.data import MADE
from ridgeline.data.dividing import by_groups, by_time, last_times
from ridgeline.data.given import TEST, TRAIN, VALIDATION
from ridgeline.data.random_split import draw
from ridgeline.data.source import Source


@dataclass(frozen=True)
class RowNumbers:
    """Row numbers of a source, ascending, int64. The splits share none, but for `data.fit_on=train_validation`. There
    may be no test split, where the data name their splits: see `lacks_test`."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(source: Source, config: DataConfig) -> RowNumbers:
    """First the test split, then `data.examples` of what is left, then train and validation in their proportion.

    So neither `data.examples` nor their proportion changes the test split. Rows of a group are in one split; with times
    the latest test, and the latest of the others validate; a split that the data name is that one. Raises ConfigError
    if a split lacks a class.
    """
    pool, test = pool_and_test(source, config)
    if source.given_N is not None and (source.given_N[pool] == VALIDATION).any():
        validates = source.given_N[pool] == VALIDATION
        train, validation = pool[~validates], pool[validates]
    else:
        fraction = config.train + config.validation
        train, validation = _divide(pool, round(len(pool) * config.train / fraction), source, config)
    rows = RowNumbers(train, validation, test)
    has_test = not lacks_test(source, config)
    _require_whole_groups(rows, source, has_test=has_test)
    require_every_class(rows, source, asked(source, config), has_test=has_test)
    if config.fit_on == "train_validation":
        return RowNumbers(np.sort(np.concatenate([train, validation])), validation, test)
    return rows


def lacks_test(source: Source, config: DataConfig) -> bool:
    """Whether there is no test split: the data name the splits and none of it, and the shares leave nothing to it."""
    if source.given_N is None or source.n_locked:
        return False
    return not (source.given_N == TEST).any() and not config.draws_test


def pool_and_test(source: Source, config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The rows that train and validate, and those of the test split."""
    rule = "data.split is auto, random or first in regression, for numbers are in no class"
    require(source.task == "classification" or config.split != "stratified", rule, "data.split", config.split)
    pool, test = _apart(source, config)
    if config.examples is not None and config.name not in MADE:  # which were made in that number
        if config.examples > len(pool):
            rule = f"data.examples <= {len(pool)}, as many as train and validate,"
            raise ConfigError(f"`{rule}` must hold, but got data.examples={config.examples}.")
        pool, _ = _draw(pool, config.examples, source, config, usual_way(source))
    return pool, test


def way_of(source: Source, config: DataConfig) -> str:
    """How `data.split` says that rows are drawn: stratified, random or first."""
    return usual_way(source) if config.split == "auto" else config.split


def usual_way(source: Source) -> str:
    return "stratified" if source.task == "classification" else "random"


def _apart(source: Source, config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the test split, as the data name it or as it is drawn, and all others before them."""
    fraction = config.train + config.validation
    if source.given_N is not None:
        train, validation, test = (np.flatnonzero(source.given_N == split) for split in (TRAIN, VALIDATION, TEST))
        if source.n_locked:  # they come last, be they in here or not
            test = len(train) + len(validation) + np.arange(source.n_locked)
        if len(test) == 0 and not lacks_test(source, config):
            train, test = _divide(train, round(fraction * len(train)), source, config, for_test=True)
        return np.sort(np.concatenate([train, validation])), test
    free, test = np.split(np.arange(len(source.y_N)), [len(source.y_N) - source.n_test])
    if source.n_test == 0:
        return _divide(free, round(fraction * len(free)), source, config, for_test=True)
    if config.name == "mnist":  # of which one may take a part
        free, _ = _divide(free, round(fraction * len(free)), source, config)
    return free, test


def _divide(
    rows: np.ndarray, count: int, source: Source, config: DataConfig, *, for_test: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`count` of the rows, and the others: by time or in whole groups, where the data have such, else as `_draw` has
    it. `for_test`: the others are the test split, whose interval needs two groups."""
    if count in (0, len(rows)):
        return rows[:count], rows[count:]
    if source.times_N is not None:
        is_first_N = by_time(ordering_times(source)[rows], count)
        if is_first_N is None:
            of = "" if source.groups_N is None else " as the last of each group"
            found = f"one{of} for two splits, {asked(source, config)}"
            raise ConfigError(f"`data.time_on has three times or more` must hold, but got {found}.")
        return rows[is_first_N], rows[~is_first_N]
    if source.groups_N is not None:
        least, n_groups = 2 if for_test else 1, len(np.unique(source.groups_N[rows]))
        if n_groups < 2 * least:
            rule = "data.group_on has four groups or more, of which two test,"
            raise ConfigError(f"`{rule}` must hold, but got {n_groups} for two splits, {asked(source, config)}.")
        classes_N = source.y_N[rows] if way_of(source, config) == "stratified" else None
        is_drawn_N = by_groups(source.groups_N[rows], count, classes_N, config.seed, least)
        return rows[is_drawn_N], rows[~is_drawn_N]
    return _draw(rows, count, source, config)


def ordering_times(source: Source) -> np.ndarray:
    """By which rows are divided. Rows of a group go with the last of them."""
    assert source.times_N is not None
    return source.times_N if source.groups_N is None else last_times(source.times_N, source.groups_N)


def _draw(
    rows: np.ndarray, count: int, source: Source, config: DataConfig, split: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`count` of the rows, and the others: drawn with `data.seed`, each class in its share if stratified; or simply the
    first. `split`: another way than `data.split`."""
    split = split or way_of(source, config)
    if split == "first" or count in (0, len(rows)):
        return rows[:count], rows[count:]
    classes = source.y_N[rows] if split == "stratified" else None
    try:
        chosen, others = draw(len(rows), count, classes, config.seed)
    except ValueError as error:  # a class of one, or fewer rows than classes
        why = _alone(source, rows) or error
        raise ConfigError(f"`each split holds every class` must hold, but got {asked(source, config)}: {why}") from None
    return np.sort(rows[chosen]), np.sort(rows[others])


def _alone(source: Source, rows: np.ndarray) -> str | None:
    """Which classes have one example, of which no two splits can have one; None: none has."""
    alone = np.flatnonzero(np.bincount(source.y_N[rows], minlength=source.n_classes) == 1)
    if len(alone) == 0:
        return None
    more = f", as have {len(alone) - 1} other classes" if len(alone) > 1 else ""
    return f"the class {source.class_names[alone[0]]} has one example{more}."


def _require_whole_groups(rows: RowNumbers, source: Source, *, has_test: bool) -> None:
    """Raise ConfigError where the splits that the data name have a group in two of them, or the test split has one
    group: from that no interval can be told."""
    if source.groups_N is None:
        return
    groups = {name: np.unique(source.groups_N[own]) for name, own in vars(rows).items()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        both = len(np.intersect1d(groups[one], groups[other], assume_unique=True))
        rule = "each group of data.group_on is in one split"
        require(both == 0, rule, f"groups in both {one} and {other}", both)
    rule = "the test split has two groups of data.group_on or more"
    require(not has_test or len(groups["test"]) > 1, rule, "groups", len(groups["test"]))


def require_every_class(rows: RowNumbers, source: Source, why: str, *, has_test: bool) -> None:
    """Raise ConfigError if a split lacks a class, or in regression has no two targets that differ. `why`: the settings
    that made the splits. A test split that is locked has what it has."""
    for split, own in vars(rows).items():
        if split == "test" and (source.n_locked or not has_test):
            continue
        found = len(np.unique(source.y_N[own]))
        if found < max(2, source.n_classes):
            rule = f"the {split} split holds all {source.n_classes} classes"
            rule = rule if source.n_classes else f"the {split} split holds two different targets"
            raise ConfigError(f"`{rule}` must hold, but got {found} in {len(own)} examples with {why}.")


def asked(source: Source, config: DataConfig) -> str:
    text = f"data.split={way_of(source, config)} data.train={config.train} data.validation={config.validation}"
    columns = {key: getattr(config, key, None) for key in ("group_on", "time_on", "split_column")}
    text += "".join(f" data.{key}={name}" for key, name in columns.items() if name is not None)
    return text if config.examples is None else f"{text} data.examples={config.examples}"
