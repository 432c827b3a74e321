"""The test part, for tests of the data themselves."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ridgeline.config import DataConfig
from ridgeline.data import Part
from ridgeline.data.test_split import confirming, open_test_split


def opened(config: DataConfig) -> Part:
    with tempfile.TemporaryDirectory() as folder, confirming():
        return open_test_split(config, Path(folder) / "ledger.jsonl", {"study": "a test"})[0]
