"""Images decoded once: their pixels lie in a file of the cache, as bytes, which every process maps.

N images of the files, C channels, H and W the sides, I = C * H * W.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ridgeline.cache import cache_folder, made_once, require_space
from ridgeline.checking import ConfigError
from ridgeline.images.reading import Survey, pixels, survey
from ridgeline.tables.notes import code_of, noted

PIXELS, ABOUT = "pixels.bin", "about.json"
LONG = 5.0
"""Seconds after which it is said what took so long."""


@dataclass(frozen=True)
class Decoded:
    """`x_NI`: the pixels of the files that could be decoded, a map of a file; `kept_N`: the numbers of these files.
    `bad`: the numbers of the others, and what is wrong with them. `content`: a hash of the pixels' making."""

    x_NI: np.ndarray
    shape: tuple[int, int, int]
    kept_N: np.ndarray
    bad: tuple[tuple[int, str], ...]
    content: str


def survey_once(files: Sequence[Path]) -> Survey:
    """What is in the files; they are read for that once for as long as they stay as they are."""
    lacking = [number for number, file in enumerate(files) if not file.exists()]
    present = [file for file in files if file.exists()] if lacking else files
    question = ["images", lacking, code()]
    return Survey.of_tree(noted(question, present, lambda: json.loads(json.dumps(survey(files).tree()))))


def decode_once(files: Sequence[Path], known: Survey, n_channels: int, size: tuple[int, int], title: str) -> Decoded:
    """`known`: the survey of the files. `size`: (H, W). Raises ConfigError where the cache cannot be written, or the
    files change meanwhile."""
    asked = json.dumps([known.content, n_channels, size, code()])
    content = hashlib.sha256(asked.encode()).hexdigest()
    shape = (n_channels, *size)
    n_features = n_channels * size[0] * size[1]

    def make(draft: Path) -> None:
        start, bad = time.monotonic(), list[tuple[int, str]]()
        require_space(draft, len(files) * n_features)
        with (draft / PIXELS).open("wb") as file:
            for number, found in enumerate(pixels(files, n_channels, size)):
                if isinstance(found, str):
                    bad.append((number, found))
                else:
                    file.write(np.ascontiguousarray(found).data)
        if survey_once(files) != known:
            raise ConfigError(f"`the images stay as they are while they are read` must hold, but got {title}.")
        (draft / ABOUT).write_text(json.dumps(bad))
        seconds = time.monotonic() - start
        if seconds > LONG:
            kept = f"{(draft / PIXELS).stat().st_size / 2**20:,.0f} MiB kept in {folder}"
            print(f"{title}: {len(files)} images decoded in {seconds:.0f} s, {kept}", flush=True)

    folder = cache_folder() / "images" / content[:32]
    made_once(folder, make)
    bad = tuple((int(number), str(why)) for number, why in json.loads((folder / ABOUT).read_text()))
    kept_N = np.setdiff1d(np.arange(len(files)), np.array([number for number, _ in bad], np.int64))
    x_NI = np.zeros((0, n_features), np.uint8)
    if len(kept_N):
        x_NI = np.asarray(np.memmap(folder / PIXELS, np.uint8, "r", shape=(len(kept_N), n_features)))
    return Decoded(x_NI, shape, kept_N, bad, content)


@lru_cache
def code() -> str:
    """What decodes: another version makes other pixels."""
    return f"{code_of(Path(__file__).parent)} pillow {version('pillow')}"
