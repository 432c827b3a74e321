"""The one door to the test part. Only pipelines/confirm.py may open it; a test reads the sources to see that."""

from __future__ import annotations

import torch

from ridgeline.config import DataConfig
from ridgeline.data.rows import split_rows
from ridgeline.data.scaling import fit_scaling
from ridgeline.data.sources import read_source
from ridgeline.data.splits import Part, take_part


def open_test_split(config: DataConfig, device: str | torch.device = "cpu") -> Part:
    """The test part that belongs to `load_splits(config)`, standardized with the train part's statistics."""
    source = read_source(config)
    rows = split_rows(source, config)
    return take_part(source, rows.test, fit_scaling(source.x_NI[rows.train], config)).to(device)
