"""The files that are kept of each fit, so that a killed run goes on and no fit is trained twice.

Per fit FOLDER/fits/KEY/: SEED.json (its curve), SEED.safetensors (which examples it gets wrong), and its weights until
the test split is measured. KEY is a hash of all that the numbers follow from but the seed. N examples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ridgeline import Config, FitResult, Row, draft_of, fingerprint, load_splits, logits_KNC, write_whole

VALIDATION, TEST = "validation", "test"


@dataclass(frozen=True)
class KeptFit:
    """A fit by the place of its files; what is asked of it is read from them."""

    folder: Path
    config: Config

    @property
    def is_there(self) -> bool:
        return self._path("json").exists()

    @property
    def is_tested(self) -> bool:
        return self.is_there and TEST in load_file(self._path("safetensors"))

    @property
    def history(self) -> list[Row]:
        """A row an epoch."""
        rows: list[Row] = self._record["history"]
        return rows

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def seconds(self) -> float:
        """Wall time from the end of the previous fit to the end of this one, so that the sum is how long all took."""
        return float(self._record["seconds"])

    def wrong_N(self, split: str) -> Tensor:
        """Which of the examples of a split it gets wrong, uint8."""
        return load_file(self._path("safetensors"))[split]

    def keep(self, result: FitResult, seconds: float) -> None:
        """Write all of it, SEED.json last: with it the fit is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _save(result.weights, self._path("weights.safetensors"))
        validation = load_splits(self.config.data).validation
        wrong_N = self._wrong_N(result.weights, validation.x_NI, validation.y_N)
        _save({VALIDATION: wrong_N}, self._path("safetensors"))
        write_whole(self._path("json"), json.dumps({"history": result.history, "seconds": seconds}))

    def test(self, x_NI: Tensor, y_N: Tensor) -> None:
        """Measure it on the test split, and let its weights go."""
        weights, wrong = self._path("weights.safetensors"), self._path("safetensors")
        _save({**load_file(wrong), TEST: self._wrong_N(load_file(weights), x_NI, y_N)}, wrong)
        weights.unlink()

    @property
    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self._path("json").read_text())
        return record

    def _wrong_N(self, weights: dict[str, Tensor], x_NI: Tensor, y_N: Tensor) -> Tensor:
        logits_NC = logits_KNC(self.config, [weights], x_NI)[0]
        return (logits_NC.argmax(dim=1) != y_N).to(torch.uint8)

    def _path(self, ending: str) -> Path:
        return self.folder / f"{self.config.seed}.{ending}"


def kept_fit(folder: Path, config: Config) -> KeptFit:
    return KeptFit(folder / "fits" / fingerprint(config), config)


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    with draft_of(path) as draft:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft)
