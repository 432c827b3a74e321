"""A table's train and validation split, encoded once and kept in files, which every process maps into its memory.

A folder of the cache is named by what made it: the contents of the files, the settings of the data, the program. The
test split is in none. N examples, I features.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ridgeline.cache import cache_folder, made_once, require_space
from ridgeline.checking import ConfigError
from ridgeline.config import TableConfig
from ridgeline.config.data import PLACES
from ridgeline.data.array_splits import (
    ArraySplit,
    ArraySplits,
    DataDescription,
    Examples,
    describe_rows,
    joined,
    sizes_of,
    take_targets,
)
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.findings import find
from ridgeline.data.scaler import Scaler, scaler_of
from ridgeline.data.source import Source
from ridgeline.data.sources import read_source
from ridgeline.finding import Finding
from ridgeline.tables.encoding import CHUNK, Encoder
from ridgeline.tables.files import find_files
from ridgeline.tables.frames import forget_tables
from ridgeline.tables.notes import TABLES, code_of, hash_of

ABOUT, ENCODER = "about.json", "encoder."
"""All that is no array; and what the names of an encoder's arrays begin with, beside the scaler's."""
LONG = 5.0
"""Seconds after which it is said what took so long."""
ASIDE = ("name", "leaks", *PLACES)
"""Settings by which no number changes: what the places hold is in the hash instead."""
SPLITS = ("train", "validation")


def load_encoded(config: TableConfig) -> ArraySplits:
    """The arrays are maps of files: their pages are in memory once for all processes, and none is before it is read.

    Raises ConfigError for bad files or splits, and where the cache cannot be written.
    """
    folder = _folder(config)
    about = json.loads((folder / ABOUT).read_text())
    described = {**about["description"], "name": config.title, "examples": Examples(*about["description"]["examples"])}
    description = DataDescription(**{**described, "class_names": tuple(described["class_names"])})
    scalers = tuple(_scaler(folder / f"scaler_{i}.npz", settings) for i, settings in enumerate(about["encoders"]))
    train, validation = (_mapped(folder, split, about["sizes"][split]) for split in SPLITS)
    return ArraySplits(train, validation, scalers, description.classes, None, description)


def load_findings(config: TableConfig) -> tuple[Finding, ...]:
    """What looks wrong in the table, as it was found when it was encoded."""
    about = json.loads((_folder(config) / ABOUT).read_text())
    return tuple(Finding(**finding) for finding in about["findings"])


def _folder(config: TableConfig) -> Path:
    contents = _contents(config)
    settings = {name: value for name, value in dataclasses.asdict(config).items() if name not in ASIDE}
    made_by = json.dumps([contents, settings, code_of(TABLES, Path(__file__).parent)], sort_keys=True)
    folder = cache_folder() / "tables" / hashlib.sha256(made_by.encode()).hexdigest()[:32]

    def make(draft: Path) -> None:
        start = time.monotonic()
        _write(draft, config)
        forget_tables()  # what was kept of it until now
        if _contents(config) != contents:
            raise ConfigError(
                f"`data.path stays as it is while it is read` must hold, but got data.path={config.path}."
            )
        seconds = time.monotonic() - start
        if seconds > LONG:
            size = sum(file.stat().st_size for file in draft.iterdir()) / 2**20
            print(f"{config.title}: read and encoded in {seconds:.0f} s, {size:,.0f} MiB kept in {folder}", flush=True)

    return made_once(folder, make)


def _contents(config: TableConfig) -> list[Any]:
    """The hashes of the files, and where one file ends and the next begins."""
    places = {key: getattr(config, key) for key in ("path", "test_path") if getattr(config, key) is not None}
    found = [find_files(place, f"data.{key}") for key, place in places.items()]
    return [[hash_of(files), [file.stat().st_size for file in files]] for files in found]


def _write(draft: Path, config: TableConfig) -> None:
    source = read_source(config)
    forget_tables()
    folds = fold_rows(source, config)
    seen = [split for rows in folds for split in (rows.train, rows.validation)]
    known = np.unique(np.concatenate(seen)) if len(folds) > 1 else None
    scalers = tuple(scaler_of(source, rows.train, config, known) for rows in folds)
    encoders = [_encoder(scaler) for scaler in scalers]
    sizes = {}
    for split in SPLITS:
        rows = [getattr(fold, split) for fold in folds]
        targets = [take_targets(source, own, scaler) for own, scaler in zip(rows, scalers, strict=True)]
        np.save(draft / f"{split}_y.npy", joined([y_N for y_N, _ in targets]))
        weights = [w_N for _, w_N in targets if w_N is not None]
        if weights:
            np.save(draft / f"{split}_w.npy", joined(weights))
        _write_features(draft / f"{split}_x.npy", source, rows, encoders)
        sizes[split] = sizes_of(rows)
    for i, (scaler, encoder) in enumerate(zip(scalers, encoders, strict=True)):
        arrays: dict[str, Any] = {ENCODER + name: array for name, array in encoder.arrays().items()}
        np.savez(draft / f"scaler_{i}.npz", **scaler.arrays(), **arrays)  # type: ignore[arg-type]
    description = describe_rows(source, folds, config, len(encoders[0].features))
    about = {
        "description": dataclasses.asdict(description),
        "sizes": sizes,
        "encoders": [encoder.stored() for encoder in encoders],
        "findings": [dataclasses.asdict(finding) for finding in find(source, folds[0], config)],
    }
    (draft / ABOUT).write_text(json.dumps(about))


def _encoder(scaler: Scaler) -> Encoder:
    assert scaler.encoder is not None
    return scaler.encoder


def _write_features(path: Path, source: Source, folds: Sequence[np.ndarray], encoders: Sequence[Encoder]) -> None:
    """The rows of all folds one after the other, some at a time, so that they are nowhere in memory as a whole."""
    longest = max(map(len, folds))
    shape = (longest * len(folds), len(encoders[0].features))
    require_space(path.parent, 4 * shape[0] * shape[1])

    def chunks() -> Iterator[np.ndarray]:
        for rows, encoder in zip(folds, encoders, strict=True):
            filled = np.resize(rows, longest)
            for start in range(0, longest, CHUNK):
                yield encoder.apply(source.features(filled[start : start + CHUNK]))

    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for chunk in chunks():
            file.write(chunk.data)


def _scaler(path: Path, settings: dict[str, Any]) -> Scaler:
    with np.load(path) as file:
        arrays = dict(file)
    own = {name.removeprefix(ENCODER): arrays.pop(name) for name in list(arrays) if name.startswith(ENCODER)}
    return Scaler(**arrays, encoder=Encoder.restore(settings, own))


def _mapped(folder: Path, split: str, sizes: Sequence[int]) -> ArraySplit:
    """A page that somebody writes to would be their own: torch takes no array that cannot be written."""
    x_NI, y_N = (np.asarray(np.load(folder / f"{split}_{name}.npy", mmap_mode="c")) for name in "xy")
    weights = folder / f"{split}_w.npy"
    w_N = np.asarray(np.load(weights, mmap_mode="c")) if weights.is_file() else None
    return ArraySplit(x_NI, y_N, tuple(sizes), w_N)
