"""What a large table takes: memory and seconds of a study's first start, which encodes it, and of its second.

A made table of float32 numbers with a target of two classes; a study of two trials of one epoch in two workers. Memory:
the largest sum over the processes of what each has for itself (PSS), looked at five times a second, and the largest of
what is no map of a file, which the system could not take away where memory is short; beside them the same of a table of
5,000 rows, which is what the program itself takes. Writes benchmarks/results/table_size.json.

    python benchmarks/table_size.py --rows 1000000 5000000
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as arrow_csv

from machine import describe_machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/table_size.json"
COLUMNS, CHUNK, SMALL = 50, 100_000, 5_000
STUDY = (
    "search=bayes search.n_trials=2 hydra.launcher.workers=2 data=table data.target=y network=mlp network.hidden=[8] "
    "trainer.max_epochs=1 trainer.batch_size=4096"
)


def write_table(path: Path, rows: int) -> None:
    draw = np.random.default_rng(0)
    names = [f"x{i}" for i in range(COLUMNS)]
    weights = draw.normal(size=COLUMNS)
    schema = pa.schema([*((name, pa.float32()) for name in names), ("y", pa.string())])
    with arrow_csv.CSVWriter(path, schema) as writer:
        for start in range(0, rows, CHUNK):
            x_NI = draw.normal(size=(min(CHUNK, rows - start), COLUMNS)).astype(np.float32)
            y_N = np.where(x_NI @ weights + 5 * draw.normal(size=len(x_NI)) > 0, "yes", "no")
            columns = [pa.array(x_N) for x_N in x_NI.T.copy()]
            writer.write_table(pa.table([*columns, pa.array(y_N)], schema=schema))


def memory(pid: int) -> tuple[int, int]:
    """MiB of a process and those below it: all, and what is no map of a file."""
    total, own = 0, 0
    with contextlib.suppress(psutil.Error):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                kib = {name: int(n) for name, n in re.findall(r"^(Pss|Pss_Anon): +(\d+)", text, re.MULTILINE)}
                total, own = total + kib.get("Pss", 0), own + kib.get("Pss_Anon", 0)
    return total // 2**10, own // 2**10


def study(table: Path, folder: Path) -> dict[str, Any]:
    """A study of its own on this table. The cache is that of the folder."""
    env = {**os.environ, "RIDGELINE_CACHE": str(folder / "cache")}
    runs = tempfile.mkdtemp(dir=folder)
    command = [sys.executable, ROOT / "pipelines/train.py", "-m", *STUDY.split(), f"data.path={table}", f"runs={runs}"]
    start, peak, own = time.monotonic(), 0, 0
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            found = memory(process.pid)
            peak, own = max(peak, found[0]), max(own, found[1])
            time.sleep(0.2)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(text)
    line = re.search(r"read and encoded in (\d+) s", text)
    reading = {"reading_and_encoding_seconds": int(line[1])} if line else {}
    return {"seconds": round(time.monotonic() - start, 1), "peak_mib": peak, "peak_without_maps_mib": own, **reading}


def measure(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / f"rows_{rows}.csv"
        write_table(table, rows)
        time.sleep(3)  # what is known of a file is kept once it has lain there for a while
        size = {"file_mib": table.stat().st_size >> 20, "float32_mib": rows * COLUMNS * 4 >> 20}
        return {"rows": rows, "columns": COLUMNS, **size, "first": study(table, folder), "second": study(table, folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    asked = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for rows in (SMALL, *asked.rows):
        found = measure(rows)
        if lines:
            for start in ("first", "second"):
                for kind, said in (("peak", ""), ("peak_without_maps", "_without_maps")):
                    beside = found[start][f"{kind}_mib"] - lines[0][start][f"{kind}_mib"]
                    found[start][f"beside_the_program_in_float32_sizes{said}"] = round(beside / found["float32_mib"], 2)
        lines.append(found)
        print(json.dumps(found), flush=True)
        RESULTS.write_text(
            json.dumps({"machine": describe_machine(), "study": STUDY, "tables": lines}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
