"""How long it takes until a folder of PNG files can train: the first start, which decodes them, and the second.

    python benchmarks/images.py [images] [side]      10000 and 32 are the defaults

Prints seconds and MB: of prepare.py as a process of its own, which says what the images are, and of what a training
does with them, in a process that has imported all that it needs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

PREPARE = Path(__file__).parents[1] / "pipelines" / "prepare.py"
CLASSES = 10
LOAD = """
import sys, time
from ridgeline.config import DataConfig
from ridgeline.checking import build
from ridgeline.data import load_splits
import ridgeline.data.images, ridgeline.data.pixels
began = time.monotonic()
splits = load_splits(build(DataConfig, {"name": "images", "path": sys.argv[1]}, "data"))
print(f"{time.monotonic() - began:.2f}")
"""


def main(n: int, side: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.environ["RIDGELINE_CACHE"] = str(root / "cache")
        size = make(root / "pictures", n, side)
        print(f"{n} PNG files of {side} x {side} pixels in colours, {size / 2**20:.0f} MB, in {CLASSES} folders")
        time.sleep(3)  # files that were just written may be written again: nothing is noted of them
        print(f"{'':28}{'first start':>14}{'second start':>14}")
        rows = {"prepare.py, the whole process": [], "of that, the images alone": []}
        for _ in range(2):
            began = time.monotonic()
            subprocess.run(
                [sys.executable, PREPARE, "data=images", f"data.path={root / 'pictures'}"],
                check=True,
                capture_output=True,
            )
            rows["prepare.py, the whole process"].append(time.monotonic() - began)
        for cache in ("cache2", "cache2"):
            os.environ["RIDGELINE_CACHE"] = str(root / cache)
            done = subprocess.run(
                [sys.executable, "-c", LOAD, root / "pictures"], check=True, capture_output=True, text=True
            )
            rows["of that, the images alone"].append(float(done.stdout))
        for name, seconds in rows.items():
            print(f"{name:32}" + "".join(f"{own:10.2f} s" for own in seconds))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        kept = sum(file.stat().st_size for file in (root / "cache").rglob("*") if file.is_file()) / 2**20
        print(f"memory of a process at most {peak:.0f} MB; in the cache {kept:.0f} MB")


def make(place: Path, n: int, side: int) -> int:
    """Smooth noise, so that a PNG is about as large as one of a photograph; returns their bytes."""
    draw, size = np.random.default_rng(0), 0
    for i in range(n):
        folder = place / f"class {i % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        few = draw.integers(0, 256, (side // 4, side // 4, 3)).astype(np.uint8)
        path = folder / f"{i:06}.png"
        Image.fromarray(few).resize((side, side), Image.Resampling.BICUBIC).save(path)
        size += path.stat().st_size
    return size


if __name__ == "__main__":
    main(*(int(word) for word in (*sys.argv[1:], 10_000, 32)[:2]))
