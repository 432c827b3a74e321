"""The usual ways to train on a folder of images: one Lightning Trainer a trial, each image decoded whenever it is asked
for, as torchvision's ImageFolder does it, or all of them once, into memory.

C channels, H and W an image's sides, N images.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from ridgeline.config import Config, parse
from ridgeline.data import Splits
from rivals import usual
from rivals.crew import Slice, Task
from rivals.files import read_splits
from rivals.samples import normalize, to_tensor
from rivals.workloads import CHANNELS, DENSE, KERNEL, Workload

SIDE, CLASSES = 32, 10


@dataclasses.dataclass(frozen=True)
class OfImages(Workload):
    """Of a folder with a folder of PNG files for each class: `root`."""

    def config(
        self,
        *,
        root: str | None,
        seed: int = 0,
        threads: int | None = None,
        precision: str = "32-true",
        device: str = "cpu",
    ) -> Config:
        tree: dict[str, Any] = {
            "seed": seed,
            "data": {"name": "images", "path": root or ".", "train": 0.75, "validation": 0.2},
            "network": {"name": "cnn", "channels": list(CHANNELS), "kernel": KERNEL, "head": [DENSE]},
            "regularization": {"l2": 1e-4, "dropout": 0.25},
            "optimizer": {"name": "adam", "lr": 1e-3},
            "trainer": {"max_epochs": self.epochs, "accelerator": device, "precision": precision},
        }
        return parse(
            {
                **tree,
                "trainer": {**tree["trainer"], "batch_size": 128, "num_threads": threads, "enable_progress_bar": False},
            }
        )


class Folder(Dataset):
    """Each image is read, decoded and normalized when it is asked for."""

    def __init__(self, files: list[Path], labels_N: Tensor, scale: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        self._files, self._labels_N, self._scale = files, labels_N, scale

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self._files[index]) as image:
            x_CHW = to_tensor(image.convert("RGB"))
        return normalize(x_CHW, *self._scale).flatten(), int(self._labels_N[index])


def write_images(folder: Path, n: int, seed: int = 0) -> None:
    """PNG files of noise around a pattern for each class, N of all classes together."""
    draw = np.random.default_rng(seed)
    patterns = draw.uniform(105, 150, (CLASSES, 4, 4, 3)).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
    for i in range(n):
        pixels = patterns[i % CLASSES] + draw.normal(0, 60, (SIDE, SIDE, 3))
        place = folder / f"class{i % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / f"{i:06}.png")


def prepare(task: Task) -> Slice:
    """`task.options["decoded"]`: once, or each time."""
    splits = read_splits(task.workload, task.folder)
    if task.options["decoded"] == "once":
        train, validation = (
            TensorDataset(split.features_MI(slice(None)), split.y_N) for split in (splits.train, splits.validation)
        )
        return usual.slice_of(task, train, validation)
    return usual.slice_of(task, *_folders(splits, task.folder / "images"))


def _folders(splits: Splits, folder: Path) -> tuple[Folder, Folder]:
    """As many images as in our splits, those of each class in the order of their names."""
    files = sorted(folder.glob("*/*.png"))
    labels_N = torch.tensor([int(file.parent.name.removeprefix("class")) for file in files])
    order_N = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))
    mean_C, std_C = (
        tuple(float(values_I[c * SIDE * SIDE]) / 255 for c in range(3))
        for values_I in (splits.scaler.mean_I, splits.scaler.std_I)
    )
    sizes = [len(splits.train.y_N), len(splits.validation.y_N)]
    train, validation = (
        Folder([files[i] for i in rows.tolist()], labels_N[rows], (mean_C, std_C))
        for rows in order_N[: sum(sizes)].split(sizes)
    )
    return train, validation
