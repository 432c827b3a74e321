"""The one function that opens the test split, and the ledger of who opened it.

Only pipelines/confirm.py, its twin `Study.confirm` in Python and pipelines/case_study.py may call it: a test reads the
sources to see that, and at run time it raises SplitLocked outside of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ridgeline.config import DataConfig
from ridgeline.data.array_splits import take_rows
from ridgeline.data.arrays import require_test_split
from ridgeline.data.data_module import open_test_loader
from ridgeline.data.ledger import record
from ridgeline.data.lock import SplitLocked
from ridgeline.data.rows import split_rows
from ridgeline.data.scaler import scaler_of
from ridgeline.data.sources import read_source
from ridgeline.data.splits import as_tensors

_CONFIRMING: ContextVar[bool] = ContextVar("confirming", default=False)


@dataclass(frozen=True)
class Opening:
    """The `number`-th time that this test split was opened in a runs folder, 1 for the first; `when` in UTC.

    `test_hash`: a hash of its examples. `by` says for what and by which revision. `earlier` has the openings before, as
    the ledger has them.
    """

    test_hash: str
    number: int
    when: str
    by: dict[str, Any]
    earlier: tuple[dict[str, Any], ...]


@contextmanager
def confirming() -> Iterator[None]:
    """Inside, the test split can be opened."""
    token = _CONFIRMING.set(True)
    try:
        yield
    finally:
        _CONFIRMING.reset(token)


def open_test_split(config: DataConfig, ledger: Path, by: Mapping[str, Any]) -> tuple[Any, Opening]:
    """The test split that belongs to `load_splits(config)`, a `Split` standardized alike, on the CPU; `data.folds` play
    no part. Of a LightningDataModule that trains as it is, a `TestLoader`.

    That it is opened is written to `ledger`, a file of one JSON object a line, before a label is given away. Raises
    SplitLocked outside of `confirming`, ConfigError where there is no test split.
    """
    if not _CONFIRMING.get():
        raise SplitLocked
    require_test_split(config)
    if config.is_module:
        loader, split = open_test_loader(config)
        return loader, _recorded(ledger, split, by)
    source = read_source(config, with_test=True)
    rows = split_rows(source, config)
    known = source.examples or source.content
    split = hashlib.sha256(known.encode() + rows.test.astype("<i8").tobytes()).hexdigest()
    opening = _recorded(ledger, split, by)
    scaler = scaler_of(source, rows.train, config)
    test = as_tensors(take_rows(source, rows.test, scaler), [scaler])
    groups_N = None if source.groups_N is None else torch.from_numpy(source.groups_N[rows.test])
    return replace(test, groups_N=groups_N), opening


def _recorded(ledger: Path, split: str, by: Mapping[str, Any]) -> Opening:
    when, earlier = record(ledger, split, by)
    return Opening(split, len(earlier) + 1, when, dict(by), tuple(earlier))
