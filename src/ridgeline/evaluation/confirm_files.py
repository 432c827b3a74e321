"""What confirming a study left in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ridgeline.report.facts import Boundary, Confirmed, Examples, History

FOLDER = "confirm"


def read_confirmed(study: Path) -> Confirmed | None:
    """None if the study in this folder is not confirmed."""
    folder = study / FOLDER
    if not (folder / "confirm.json").exists():
        return None
    record = json.loads((folder / "confirm.json").read_text())
    return Confirmed(record, _boundary(folder), _examples(folder))


def read_curves(study: Path) -> dict[str, list[History]]:
    """Of the best and the baseline, a history a seed; empty if the study is not confirmed."""
    path = study / FOLDER / "curves.json"
    found: dict[str, list[History]] = json.loads(path.read_text()) if path.exists() else {}
    return {name: [[_numbers(row) for row in rows] for rows in histories] for name, histories in found.items()}


def _numbers(row: Mapping[str, float | None]) -> dict[str, float]:
    """JSON has null for what is no finite number."""
    return {key: value for key, value in row.items() if value is not None}


def read_weights(path: Path) -> np.ndarray:
    """The entries of all weight matrices of a network, in one row; biases are not among them."""
    matrices = [values.ravel() for name, values in load_file(path).items() if name.endswith("weight")]
    return np.concatenate(matrices) if matrices else np.empty(0, np.float32)


def read_predictions(study: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels (N,) of the test examples, and of each network the probabilities (S, N, C) of its seeds."""
    held = load_file(study / FOLDER / "predictions.safetensors")
    labels_N = held.pop("labels_N")
    return labels_N, {name: held[f"{name}_SNC"] for name in ("best", "baseline") if f"{name}_SNC" in held}


def weights_of(study: Path, network: str) -> Path:
    """Of `best` or `baseline`, as they were confirmed."""
    return study / FOLDER / f"{network}.safetensors"


def _boundary(folder: Path) -> Boundary | None:
    path = folder / "boundary.safetensors"
    return Boundary(**load_file(path)) if path.exists() else None


def _examples(folder: Path) -> Examples | None:
    path = folder / "examples.safetensors"
    if not path.exists():
        return None
    held = load_file(path)
    height, width = (int(edge) for edge in held.pop("image_shape"))
    return Examples(**held, shape=(height, width))
