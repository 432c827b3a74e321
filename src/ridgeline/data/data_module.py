"""A LightningDataModule of the user's own that goes to the Trainer as it is: how it is made, and what it is.

Its examples are never read as a whole. So what is known of it is how many examples each split has, and a fingerprint of
the first of the validation split, by which other files under the same names are noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from ridgeline.checking import ConfigError, require
from ridgeline.config import DataConfig
from ridgeline.data.array_splits import DataDescription, Examples
from ridgeline.data.drawing import drawing_with
from ridgeline.data.lock import SplitLocked
from ridgeline.target import reason

TEST_LOADER = "test_dataloader"
FEW = 16
"""So many examples are read for the fingerprint."""


def open_data_module(config: DataConfig) -> Any:
    """The DataModule itself, before anything is prepared; its test split is locked. Raises ConfigError, one line, for
    what its code raises."""
    module = _built(config)
    module.test_dataloader = _locked
    return module


def _locked(*args: Any, **kwargs: Any) -> NoReturn:
    raise SplitLocked


def _built(config: DataConfig) -> Any:
    assert config.source is not None
    with contextlib.chdir(config.source.folder or "."):  # wherever the command is pasted later
        module = config.source.build()
    rule = "data._target_ gives a LightningDataModule"
    require(hasattr(module, "train_dataloader"), rule, "data._target_", config.source.path)
    return module


@lru_cache(maxsize=64)
def describe_module(config: DataConfig) -> DataDescription:
    """Prepares the data and sets them up, as a Trainer does. Raises ConfigError for what its code raises."""
    with _told(config), drawing_with(0):  # a split that is drawn without a seed of its own is the same at each start
        module = open_data_module(config)
        module.prepare_data()
        module.setup("fit")
        train, validation = _dataset(module, "train_dataloader"), _dataset(module, "val_dataloader")
        known = [config.title, _size(train), _size(validation), _fingerprint(validation)]
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    return DataDescription(config.title, Examples(_size(train), _size(validation), 0), 0, 0, digest)


def _dataset(module: Any, name: str) -> Any:
    """The dataset behind a loader; None where there is none, or it is no single DataLoader."""
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    try:
        loader = getattr(module, name)()
    except (AttributeError, NotImplementedError, MisconfigurationException):
        if name == "train_dataloader":
            raise
        return None
    return getattr(loader, "dataset", None)


def _size(dataset: Any) -> int:
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):  # one that streams
        return 0


def _fingerprint(dataset: Any) -> str | None:
    """Of the first examples; None where they are drawn anew at each reading, or are no numbers."""
    if _size(dataset) == 0 or not hasattr(dataset, "__getitem__"):
        return None
    once, again = (_digest(dataset[i] for i in range(min(FEW, _size(dataset)))) for _ in range(2))
    return once if once == again else None


def _digest(items: Iterator[Any]) -> str | None:
    digest = hashlib.sha256()
    for item in items:
        for part in item if isinstance(item, (tuple, list)) else [item]:
            array = np.asarray(part) if hasattr(part, "__array__") or isinstance(part, (int, float)) else None
            if array is None or array.dtype.kind not in "biuf":
                return None
            digest.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class TestLoader:
    """The test split of a DataModule, which is set up: what its `test_dataloader` gives."""

    __test__ = False  # no class of tests, whatever its name

    module: Any
    loader: Any


def has_test_loader(config: DataConfig) -> bool:
    """Whether the DataModule has a `test_dataloader` of its own; nothing is set up for that."""
    assert config.source is not None
    found = getattr(config.source.find(), TEST_LOADER, None)
    return found is not None and getattr(found, "__qualname__", "") != f"DataHooks.{TEST_LOADER}"


def open_test_loader(config: DataConfig) -> tuple[TestLoader, str]:
    """The test split of the DataModule, set up as after a training, and a hash of its batches. For `data.test_split`
    alone. Raises ConfigError for what its code raises."""
    with _told(config), drawing_with(0):
        module = _built(config)
        module.prepare_data()
        module.setup("fit")  # which may find what the test examples are scaled by
        module.setup("test")
        loader = getattr(module, TEST_LOADER)()
        digest = hashlib.sha256()
        for one in loader if isinstance(loader, (list, tuple)) else [loader]:
            for batch in one:
                _add(digest, batch)
    return TestLoader(module, loader), digest.hexdigest()


def require_fixed_splits(config: DataConfig) -> None:
    """Raise ConfigError where the DataModule draws its splits from the global generators: then each training has splits
    of its own, and what tests one has trained another."""
    assert config.source is not None
    known = []
    for seed in (0, 1):
        with _told(config), drawing_with(seed):
            module = open_data_module(config)
            module.prepare_data()
            module.setup("fit")
            validation = _dataset(module, "val_dataloader")
            indices = getattr(validation, "indices", None)
            known.append(_fingerprint(validation) if indices is None else [int(i) for i in indices])
    rule = f"{config.source.path} divides its examples alike with each seed (random_split with a generator of its own)"
    require(known[0] == known[1], rule, "its validation examples", "others with another seed")


@contextlib.contextmanager
def _told(config: DataConfig) -> Iterator[None]:
    """Whatever the user's code raises becomes one line."""
    assert config.source is not None
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        shown = f"data._target_={config.source.path}"
        raise ConfigError(f"`data gives its loaders` must hold, but got {shown}: {reason(error)}.") from error


def _add(digest: Any, given: Any) -> None:
    """Take in the numbers of a batch, whatever it is made of."""
    if isinstance(given, Mapping):
        given = [given[key] for key in sorted(given)]
    if isinstance(given, (list, tuple)):
        for one in given:
            _add(digest, one)
    elif hasattr(given, "__array__") or isinstance(given, (int, float, str)):
        array = np.asarray(given)
        digest.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
