"""K-fold cross-validation: what trains and validates is cut into `data.folds` parts, each of which validates once."""

from __future__ import annotations

import numpy as np

from ridgeline.checking import require
from ridgeline.config import DataConfig
from ridgeline.data.rows import RowNumbers, asked, pool_and_test, require_every_class, split_rows, way_of
from ridgeline.data.source import Source


def fold_rows(source: Source, config: DataConfig) -> list[RowNumbers]:
    """The rows of each fold, or of the one split; the test split is the same. Raises ConfigError if one lacks a class.

    Folds validate on all of the pool, and their sizes differ by one at most. They train on equally many, so that they
    can share a stack: where a fold could train on one more, its last example is left out.
    """
    if config.n_folds == 1:
        return [split_rows(source, config)]
    pool, test = pool_and_test(source, config)
    if source.task == "classification":
        most = int(np.bincount(source.y_N[pool], minlength=source.n_classes).min())
        rule = f"data.folds <= {most}, as many as train and validate of the rarest class,"
    else:
        most = len(pool) // 2
        rule = f"data.folds <= {most}, half as many as train and validate,"
    require(config.n_folds <= most, rule, "data.folds", config.folds)
    validations = _cut(pool, source, config)
    n_train = len(pool) - max(len(validation) for validation in validations)
    folds = [RowNumbers(np.setdiff1d(pool, validation)[:n_train], validation, test) for validation in validations]
    for rows in folds:
        require_every_class(rows, source, f"{asked(source, config)} data.folds={config.folds}")
    return folds


def _cut(pool: np.ndarray, source: Source, config: DataConfig) -> list[np.ndarray]:
    """Drawn with `data.seed`, each class in its share if stratified; or simply one piece after the other."""
    way = way_of(source, config)
    if way == "first":
        return np.array_split(pool, config.n_folds)
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if way == "stratified" else KFold
    cutter = kind(config.n_folds, shuffle=True, random_state=config.seed)
    return [pool[places] for _, places in cutter.split(pool, source.y_N[pool])]
