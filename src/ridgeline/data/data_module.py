"""A LightningDataModule of the user's own that goes to the Trainer as it is: how it is made, and what it is.

Its examples are never read as a whole. So what is known of it is how many examples each split has, and a fingerprint of
the first of the validation split, by which other files under the same names are noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from ridgeline.checking import ConfigError, require
from ridgeline.config import DataConfig
from ridgeline.data.array_splits import DataDescription, Examples
from ridgeline.target import reason

FEW = 16
"""So many examples are read for the fingerprint."""


def open_data_module(config: DataConfig) -> Any:
    """The DataModule itself, before anything is prepared. Raises ConfigError, one line, for what its code raises."""
    assert config.source is not None
    with contextlib.chdir(config.source.folder or "."):  # wherever the command is pasted later
        module = config.source.build()
    rule = "data._target_ gives a LightningDataModule"
    require(hasattr(module, "train_dataloader"), rule, "data._target_", config.source.path)
    return module


@lru_cache(maxsize=64)
def describe_module(config: DataConfig) -> DataDescription:
    """Prepares the data and sets them up, as a Trainer does. Raises ConfigError for what its code raises."""
    import torch  # which the user's module imports anyway

    assert config.source is not None
    before = torch.get_rng_state(), np.random.get_state()
    torch.manual_seed(0)  # a split that is drawn without a seed of its own is the same at each start
    np.random.seed(0)
    try:
        module = open_data_module(config)
        module.prepare_data()
        module.setup("fit")
        train, validation = _dataset(module, "train_dataloader"), _dataset(module, "val_dataloader")
        known = [config.title, _size(train), _size(validation), _fingerprint(validation)]
    except ConfigError:
        raise
    except Exception as error:
        shown = f"data._target_={config.source.path}"
        raise ConfigError(f"`data gives its loaders` must hold, but got {shown}: {reason(error)}.") from error
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
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
