"""The examples that a function or a LightningDataModule of the user's own gives: `data._target_=mine.load`.

N examples, I features; images of C channels, H rows and W columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ridgeline.arrays.rows import as_rows
from ridgeline.checking import ConfigError, require
from ridgeline.config import DataConfig
from ridgeline.data.given import TEST, VALIDATION, number_splits
from ridgeline.data.loaders import ModuleExamples, read_module
from ridgeline.data.targets import Giver, Targets, read_targets


class OwnExamples(NamedTuple):
    """Features (N, I) float32; targets (N,) with the names of their classes, as `read_targets` gives them; (C, H, W) of
    an image, where the code gives images. `given_N`, `n_locked` and `notes` as in `Source`."""

    x_NI: np.ndarray
    targets: Targets
    image_shape: tuple[int, int, int] | None
    given_N: np.ndarray | None = None
    n_locked: int = 0
    notes: tuple[str, ...] = ()


def read_own(config: DataConfig, *, with_test: bool) -> OwnExamples:
    """Raises ConfigError, one line, where the code fails or gives something else than examples.

    Without `with_test` no example of the test split that a LightningDataModule brings along is read.
    """
    assert config.source is not None
    ours = {name: getattr(config, name) for name in config.source.GIVEN if getattr(config, name) is not None}
    # A file that the function opens lies relative to its folder, wherever the command is pasted later.
    with contextlib.chdir(config.source.folder or "."):
        given = config.source.build(**ours)
        if config.source.is_data_module:
            return _of_module(read_module(given, config.title, config.seed, with_test=with_test), config)
    path = config.title
    is_whole = isinstance(given, (tuple, list)) and len(given) in (2, 3)
    _check(is_whole, "(features, targets)", path, type(given).__name__)
    found = _examples(given[0], given[1], config)
    return found if len(given) == 2 else found._replace(given_N=_splits(given[2], len(found.x_NI), path))


def _examples(features: Any, targets: Any, config: DataConfig) -> OwnExamples:
    path = config.title
    x = _features(features, path)
    y_N = _array(targets, "targets", path)
    _check(y_N.ndim == 1 and len(y_N) == len(x), f"a target for each of {len(x)} examples", path, f"shape {y_N.shape}")
    x_NI, shape = as_rows(x)
    return OwnExamples(x_NI, read_targets(y_N, config.task, _giver(path)), shape)


def _giver(path: str) -> Giver:
    return Giver(path, "data._target_ gives", f"{path}()")


def _splits(given: Any, n: int, path: str) -> np.ndarray:
    names_N = _array(given, "splits", path)
    _check(names_N.shape == (n,), f"a split for each of {n} examples", path, f"shape {names_N.shape}")
    return number_splits(names_N.tolist(), f"the split that {path}() gives")


def _of_module(module: ModuleExamples, config: DataConfig) -> OwnExamples:
    """All that was read; the classes are those of the splits that a search sees."""
    splits, path = module.splits, config.title
    x, y_N = (np.concatenate([split[i] for split in splits.values()]) for i in (0, 1))
    found = _examples(x, y_N, config)
    if TEST in splits:
        seen = read_targets(y_N[module.given_N != TEST], config.task, _giver(path))
        new = sorted(set(found.targets.class_names) - set(seen.class_names))
        _check(not new, "no class in its test split alone", path, ", ".join(new))
    return found._replace(given_N=module.given_N, n_locked=module.n_test, notes=tuple(_notes(module, config)))


def _notes(module: ModuleExamples, config: DataConfig) -> Iterator[str]:
    """What is taken otherwise than its Trainer would take it, or is not there."""
    path, total = config.title, config.train + config.validation
    drawn = f"drawn with data.seed={config.seed}"
    if module.is_drawn:
        yield f"{path} draws its examples anew each time they are read, and they are read once, {drawn}."
    if module.n_test == 0 and config.draws_test:
        yield f"{path} has no test_dataloader: {1 - total:.0%} of its train examples test, {drawn}."
    if VALIDATION not in module.splits:
        share = config.validation / total
        yield f"{path} has no val_dataloader: {share:.0%} of the examples left to train validate, {drawn}."


def takes(config: DataConfig, name: str) -> bool:
    """Whether the user's function has an argument of this name."""
    return config.source is not None and config.source.takes(name)


def _check(holds: bool, rule: str, path: str, found: object) -> None:
    require(holds, f"data._target_ gives {rule}", f"{path}()", found)


def _array(given: Any, what: str, path: str) -> np.ndarray:
    """As NumPy has it, of a tensor too. A mask or an imaginary part would be lost: they are refused."""
    _check(not hasattr(given, "toarray"), f"{what} as an array", path, "a sparse matrix (its toarray() is one)")
    given = given.detach().cpu() if hasattr(given, "detach") else given
    n_masked = int(np.ma.getmaskarray(given).sum()) if isinstance(given, np.ma.MaskedArray) else 0
    _check(n_masked == 0, f"{what} without a mask", path, f"{n_masked} that are masked")
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:  # lists of several lengths
        rule = f"data._target_ gives {what} as an array"
        raise ConfigError(f"`{rule}` must hold, but {path}() has {_said(error)}.") from None
    _check(array.dtype.kind != "c", f"{what} that are real numbers", path, f"dtype {array.dtype}")
    return array


def _features(given: Any, path: str) -> np.ndarray:
    x = _array(given, "features", path)
    rule = "features that are numbers"
    _check(x.dtype.kind in "biufOUS", rule, path, f"dtype {x.dtype}")
    try:
        with np.errstate(over="ignore"):  # what is infinite then is refused below
            x = x.astype(np.float32)
    except (TypeError, ValueError) as error:
        found = _column_of_text(given) or _said(error)
        raise ConfigError(f"`data._target_ gives {rule}` must hold, but {path}() has {found}.") from None
    _check(x.ndim in (2, 3, 4), "features (N, I), or images (N, H, W) or (N, C, H, W)", path, f"shape {x.shape}")
    _check(x.size > 0, "an example and a feature or more", path, f"shape {x.shape}")
    n_not = int(np.count_nonzero(~np.isfinite(x)))
    _check(n_not == 0, "features that are finite in float32", path, f"{n_not} that are not")
    return x


def _column_of_text(given: Any) -> str | None:
    """The first column of a data frame that holds no numbers, and what it holds."""
    for name in getattr(given, "columns", ()):
        for value in np.asarray(given[name]).tolist():
            try:
                float(value)
            except (TypeError, ValueError):
                return f"{value!r} in the column {name}"
    return None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
