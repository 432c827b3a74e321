"""(a') The usual way with per-sample transforms, as popular templates read MNIST.

Each example, each time, is a uint8 image that goes through PIL, ToTensor and Normalize. The two transforms do what
torchvision's do, which is not installed: it has no CPU build to go with our torch.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ridgeline.data import Split
from rivals import usual
from rivals.crew import Slice, Task
from rivals.files import read_splits

SIDE = 28


class Images(Dataset):
    """Flat, normalized rows, made one by one from uint8 images (N, 28, 28)."""

    def __init__(self, images_NHW: Tensor, labels_N: Tensor, mean: float, std: float) -> None:
        self._images_NHW, self._labels_N = images_NHW, labels_N
        self._mean, self._std = (mean,), (std,)

    def __len__(self) -> int:
        return len(self._labels_N)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self._images_NHW[index].numpy())
        x_CHW = normalize(to_tensor(image), self._mean, self._std)
        return x_CHW.flatten(), int(self._labels_N[index])


def to_tensor(image: Image.Image) -> Tensor:
    """An 8-bit image as float32 (channels, height, width) in [0, 1]."""
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8, copy=True))
    return pixels.view(image.size[1], image.size[0], len(image.getbands())).permute(2, 0, 1).contiguous().float() / 255


def normalize(x_CHW: Tensor, mean_C: tuple[float, ...], std_C: tuple[float, ...]) -> Tensor:
    """(x - mean) / std, a mean and a deviation a channel."""
    mean = torch.as_tensor(mean_C, dtype=x_CHW.dtype).view(-1, 1, 1)
    std = torch.as_tensor(std_C, dtype=x_CHW.dtype).view(-1, 1, 1)
    return x_CHW.clone().sub_(mean).div_(std)


def prepare(task: Task) -> Slice:
    splits = read_splits(task.workload, task.folder)
    low, high = splits.train.x_NI.min(), splits.train.x_NI.max()  # of pixels 0 and 255
    mean, std = float(-low / (high - low)), float(1 / (high - low))

    def images(split: Split) -> Images:
        pixels_NI = ((split.x_NI - low) / (high - low) * 255).round().to(torch.uint8)
        return Images(pixels_NI.view(-1, SIDE, SIDE), split.y_N, mean, std)

    return usual.slice_of(task, images(splits.train), images(splits.validation))
