"""The train and the validation split of a data set, read once per process; of a table, once per machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ridgeline.checking import require
from ridgeline.config import ArraysConfig, ConfigError, DataConfig, TableConfig
from ridgeline.data.array_splits import (
    ArraySplit,
    ArraySplits,
    DataDescription,
    describe_rows,
    joined,
    sizes_of,
    take_rows,
)
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.data_module import describe_module, has_test_loader
from ridgeline.data.scaler import scaler_of
from ridgeline.data.sources import read_source
from ridgeline.finding import Finding


@lru_cache(maxsize=4)
def load_arrays(config: DataConfig) -> ArraySplits:
    """The data set. Raises ConfigError, one line, for bad files or splits.

    The arrays are shared by all who ask: do not write into them.
    """
    if isinstance(config, TableConfig):
        from ridgeline.data.encoded import load_encoded  # pandas, which other data do without

        return load_encoded(config)
    source = read_source(config)
    if source.is_bytes:
        from ridgeline.data.pixels import load_pixels  # and with it the cache

        return load_pixels(source, config)
    folds = fold_rows(source, config)
    scalers = tuple(scaler_of(source, rows.train, config) for rows in folds)
    train = _joined([take_rows(source, rows.train, own) for rows, own in zip(folds, scalers, strict=True)])
    validation = _joined([take_rows(source, rows.validation, own) for rows, own in zip(folds, scalers, strict=True)])
    described = describe_rows(source, folds, config, train.x_NI.shape[1])
    findings: tuple[Finding, ...] = ()
    if isinstance(config, ArraysConfig) and source.image_shape is not None:
        from ridgeline.data.image_leaks import image_leaks  # and with it the cache

        findings = image_leaks(source, folds[0], config)
    return ArraySplits(
        train, validation, scalers, source.n_classes, source.image_shape, described, source.notes, findings
    )


def _joined(splits: Sequence[ArraySplit]) -> ArraySplit:
    """The folds of a split as one."""
    weights = [split.w_N for split in splits if split.w_N is not None]
    x_NI, y_N = joined([split.x_NI for split in splits]), joined([split.y_N for split in splits])
    return ArraySplit(x_NI, y_N, sizes_of([split.y_N for split in splits]), joined(weights) if weights else None)


def describe(config: DataConfig) -> DataDescription:
    """What the data set is. Raises ConfigError as `load_arrays` does."""
    return describe_module(config) if config.is_module else load_arrays(config).description


def notes_of(config: DataConfig) -> tuple[str, ...]:
    """What whoever begins a study should be told of these data, in sentences."""
    return () if config.is_module else load_arrays(config).notes


def has_test_split(config: DataConfig) -> bool:
    """Whether confirming can measure: data that name their splits may have none that tests."""
    if config.is_module:
        return has_test_loader(config)
    return config.draws_test or describe(config).examples.test > 0


def require_test_split(config: DataConfig) -> None:
    """Raise ConfigError where there is none."""
    if config.is_module:
        found = "no test_dataloader" if not has_test_loader(config) else ""
        require(not found, "the data have a test split, on which confirming measures,", config.title, found)
    elif not has_test_split(config):
        column, shares = getattr(config, "split_column", None), "data.train + data.validation = 1"
        where = config.title if column is None else f"data.split_column={column}"
        found = f"no row of {where} that tests, and {shares}, which leaves none"
        raise ConfigError(f"`the data have a test split, on which confirming measures,` must hold, but got {found}.")


def check_again(config: DataConfig) -> None:
    """Raise ConfigError where a function of the user's own gives other examples when it is called again: each process
    of a study calls it, and so does whoever confirms the study."""
    if config.source is not None and not config.is_module:
        require_same(load_arrays.__wrapped__(config).description, describe(config).hash)


def require_same(found: DataDescription, known: str | None) -> None:
    """Raise ConfigError where the data are others than those of this hash, which were read before."""
    if known is not None:
        rule = f"{found.name} gives the same examples at each call (drawn with a seed)"
        require(found.hash == known, rule, "their hash", f"{known[:12]} and {found.hash[:12]}")
