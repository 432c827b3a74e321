"""The examples of data=arrays: rows or images that lie in files as they are. N examples, I features."""

from __future__ import annotations

import hashlib

import numpy as np

from ridgeline.arrays.examples import Found, find_examples
from ridgeline.arrays.part import Part
from ridgeline.arrays.rows import as_rows
from ridgeline.config import ArraysConfig
from ridgeline.data.given import TEST, TRAIN, VALIDATION
from ridgeline.data.source import Source
from ridgeline.data.targets import Giver, read_targets
from ridgeline.tables.files import BadTable, naming
from ridgeline.tables.notes import noted

NUMBERS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
CHUNK = 1 << 22
"""Values of which it is asked at a time whether they are numbers."""


def read_array_source(config: ArraysConfig) -> Source:
    """Images of bytes stay bytes, all else becomes float32. Raises ConfigError, one line, for bad files."""
    found = find_examples(config.place)
    with naming("data.path", found.files[0]):
        rows = [_rows(part, is_image=found.image_shape is not None) for part in found.parts.values()]
    x_NI = rows[0] if len(rows) == 1 else np.concatenate(rows)
    giver = Giver(config.title, "data.path has", f"{config.path}, whose targets")
    targets = read_targets(found.targets_N, config.task, giver)
    counts = {name: len(own_NI) for name, own_NI in zip(found.parts, rows, strict=True)}
    given_N = np.repeat([NUMBERS[name] for name in counts], list(counts.values())).astype(np.int8)
    examples = content = _content(x_NI, targets.y_N, found, config)
    if len(counts) > 1:  # the same examples in other splits are other data
        content = hashlib.sha256(f"{examples} {counts}".encode()).hexdigest()
    return Source(
        x_NI,
        targets.y_N,
        content,
        found.image_shape,
        class_names=targets.class_names,
        given_N=given_N if len(counts) > 1 else None,
        examples=examples,
    )


def _rows(part: Part, *, is_image: bool) -> np.ndarray:
    x_NI, _ = as_rows(part.x.read())
    if x_NI.dtype == np.uint8 and is_image:
        return x_NI
    with np.errstate(over="ignore"):  # what is infinite then is refused below
        x_NI = x_NI.astype(np.float32, copy=False)
    flat = x_NI.reshape(-1)
    for start in range(0, len(flat), CHUNK):
        wrong = np.flatnonzero(~np.isfinite(flat[start : start + CHUNK]))
        if len(wrong):
            row = (start + int(wrong[0])) // x_NI.shape[1]
            rule = f"the numbers of {part.x_name} are finite in float32"
            raise BadTable(rule, f"row {row} has {flat[start + wrong[0]]}.")
    return x_NI


def _content(x_NI: np.ndarray, y_N: np.ndarray, found: Found, config: ArraysConfig) -> str:
    """SHA-256 of the examples, whatever kind of file holds them; remembered for as long as the files stay."""

    def ask() -> str:
        digest = hashlib.sha256(f"{x_NI.shape} {x_NI.dtype} {found.image_shape}".encode())
        digest.update(np.ascontiguousarray(x_NI).data)
        digest.update(y_N.tobytes())
        return digest.hexdigest()

    answer: str = noted(["arrays", config.task, config.image_shape, *found.parts], found.files, ask)
    return answer
