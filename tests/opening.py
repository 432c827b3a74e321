"""The test split, for tests of the data themselves."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ridgeline.config import DataConfig
from ridgeline.data import Split
from ridgeline.data.test_split import confirming, open_test_split


def opened(config: DataConfig) -> Split:
    with tempfile.TemporaryDirectory() as folder, confirming():
        return open_test_split(config, Path(folder) / "ledger.jsonl", {"study": "a test"})[0]
