"""K-fold cross-validation: what trains and validates is cut into `data.folds` parts, each of which validates once."""

from __future__ import annotations

import numpy as np

from ridgeline.checking import require
from ridgeline.config import ConfigError, DataConfig
from ridgeline.data.given import VALIDATION
from ridgeline.data.rows import (
    RowNumbers,
    asked,
    lacks_test,
    ordering_times,
    pool_and_test,
    require_every_class,
    split_rows,
    way_of,
)
from ridgeline.data.source import Source


def fold_rows(source: Source, config: DataConfig) -> list[RowNumbers]:
    """The rows of each fold, or of the one split; the test split is the same. Raises ConfigError if one lacks a class.

    Folds validate on all of the pool, and their sizes differ by one at most, but for groups of rows, which stay whole.
    With times they validate on the latest rows alone, each on rows later than those it trains on: see `_by_time`. They
    train on equally many, so that they can share a stack: where a fold could train on more, some are left out.
    """
    if config.n_folds == 1:
        return [split_rows(source, config)]
    pool, test = pool_and_test(source, config)
    _require_enough(pool, source, config)
    folds = _by_time(pool, source, config) if source.times_N is not None else _all_others(pool, source, config)
    found = [RowNumbers(train, validation, test) for train, validation in folds]
    why, has_test = f"{asked(source, config)} data.folds={config.folds}", not lacks_test(source, config)
    for rows in found:
        require_every_class(rows, source, why, has_test=has_test)
    return found


def _require_enough(pool: np.ndarray, source: Source, config: DataConfig) -> None:
    named = source.given_N is not None and bool((source.given_N == VALIDATION).any())
    rule = "data.folds=null where the data name their validation split"
    require(not named, rule, "data.folds", config.folds)
    if source.task == "classification":
        most = int(np.bincount(source.y_N[pool], minlength=source.n_classes).min())
        rule = f"data.folds <= {most}, as many as train and validate of the rarest class,"
    else:
        most = len(pool) // 2
        rule = f"data.folds <= {most}, half as many as train and validate,"
    require(config.n_folds <= most, rule, "data.folds", config.folds)
    if source.groups_N is not None:
        most = len(np.unique(source.groups_N[pool]))
        rule = f"data.folds <= {most}, as many groups of data.group_on as train and validate,"
        require(config.n_folds <= most, rule, "data.folds", config.folds)


def _all_others(pool: np.ndarray, source: Source, config: DataConfig) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each fold trains on what it does not validate on."""
    validations = _cut(pool, source, config)
    n_train, draw = len(pool) - max(len(validation) for validation in validations), np.random.default_rng(config.seed)
    folds = []
    for validation in validations:
        train = np.setdiff1d(pool, validation)
        if source.groups_N is not None and len(train) > n_train:  # more than one, and the last are often of one group
            train = np.sort(draw.choice(train, n_train, replace=False))
        folds.append((train[:n_train], validation))
    return folds


def _cut(pool: np.ndarray, source: Source, config: DataConfig) -> list[np.ndarray]:
    """Drawn with `data.seed`, each class in its share if stratified; or simply one piece after the other."""
    way = way_of(source, config)
    if source.groups_N is not None:
        return _cut_groups(pool, source, config)
    if way == "first":
        return np.array_split(pool, config.n_folds)
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if way == "stratified" else KFold
    cutter = kind(config.n_folds, shuffle=True, random_state=config.seed)
    return [pool[places] for _, places in cutter.split(pool, source.y_N[pool])]


def _cut_groups(pool: np.ndarray, source: Source, config: DataConfig) -> list[np.ndarray]:
    """The same with whole groups, so that the pieces are as large as that allows."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    assert source.groups_N is not None
    kind = StratifiedGroupKFold if way_of(source, config) == "stratified" else GroupKFold
    cutter = kind(config.n_folds, shuffle=True, random_state=config.seed)
    return [pool[places] for _, places in cutter.split(pool, source.y_N[pool], source.groups_N[pool])]


def _by_time(pool: np.ndarray, source: Source, config: DataConfig) -> list[tuple[np.ndarray, np.ndarray]]:
    """What would validate without folds, the latest rows of the pool, is cut by time; each piece validates what is
    trained on the rows right before it, as many as would train without folds.

    So the window moves on, and grows no longer: folds of one stack train on equally many.
    """
    times_P = ordering_times(source)[pool]
    pool, times_P = pool[np.argsort(times_P, kind="stable")], np.sort(times_P)
    share = config.validation / (config.train + config.validation)
    wished = len(pool) * (1 - share * (1 - np.arange(config.n_folds) / config.n_folds))
    starts = np.unique(times_P, return_index=True)[1]
    begins = [int(starts[np.abs(starts - begin).argmin()]) for begin in wished]
    if begins[0] == 0 or len(set(begins)) < config.n_folds:
        rule = f"data.time_on has a time or more for each of {config.folds} folds"
        raise ConfigError(
            f"`{rule}` must hold, but got {len(starts)} times to train and validate on, {asked(source, config)}."
        )
    ends = [*begins[1:], len(pool)]
    n_train = begins[0]
    return [
        (np.sort(pool[begin - n_train : begin]), np.sort(pool[begin:end]))
        for begin, end in zip(begins, ends, strict=True)
    ]
