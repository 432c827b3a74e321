"""A table may be larger than the memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROWS, COLUMNS = 500_000, 50
PROGRAM = """
import re
import sys
from pathlib import Path
from ridgeline.config import parse
from ridgeline.data.arrays import load_arrays

peaks = []
for path in sys.argv[1:]:
    data = {"name": "table", "path": path, "target": "y"}
    load_arrays(parse({"data": data, "network": {"name": "mlp"}, "optimizer": {"name": "adam", "lr": 0.01}}).data)
    peaks.append(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
print(peaks[1] - peaks[0])
"""


def write(path: Path, rows: int) -> Path:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(rows, COLUMNS)), columns=[f"x{i}" for i in range(COLUMNS)])
    frame.assign(y=np.where(frame["x0"] + draw.normal(size=rows) > 0, "yes", "no")).to_parquet(path)
    return path


@pytest.mark.verify
def test_reading_and_encoding_a_table_takes_less_memory_than_the_table(tmp_path: Path) -> None:
    """Beside what a small one takes, its maps included."""
    tables = [write(tmp_path / "small.parquet", 1000), write(tmp_path / "large.parquet", ROWS)]
    env = os.environ | {"RIDGELINE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *tables], env=env, capture_output=True, text=True, check=True)
    grown, float32 = int(done.stdout.splitlines()[-1]) * 1024, 4 * ROWS * COLUMNS
    assert grown < 1.5 * float32, f"{grown / float32:.2f} times its float32 size"
