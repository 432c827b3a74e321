"""Networks as strangers write them, in plain torch, for rows of 20 numbers and 3 outputs."""

from __future__ import annotations

import os
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_INPUTS, N_OUTPUTS = 20, 3


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(N_INPUTS, 16), nn.Linear(16, 16)
        self.drop, self.last = nn.Dropout(0.2), nn.Linear(16, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(F.relu(self.second(F.relu(self.first(x))))))


class Residual(nn.Module):
    """With BatchNorm, and an activation in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(N_INPUTS, 16)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.3))
            for _ in range(2)
        )
        self.norm, self.last = nn.LayerNorm(16), nn.Linear(16, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(self.norm(x))


class Twice(Perceptron):
    """A layer that runs twice."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.second(self.first(x)).tanh()))


class Categories(nn.Module):
    """An embedding, whose index 0 is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.last = nn.Embedding(9, 4, padding_idx=0), nn.Linear(4 * N_INPUTS, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.embedding((x.abs() * 2).long().clamp(max=8)).flatten(1))


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.first(x)).relu())


class Images(nn.Module):
    """Convolutions with two kinds of norms, on rows taken as images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.group = nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.GroupNorm(2, 6)
        self.rows, self.last = nn.Conv1d(6, 4, 3, padding_mode="circular", padding=1), nn.Linear(80, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.first(x.view(-1, 1, 4, 5))))
        x = F.relu(self.group(self.second(x))).flatten(2)
        return self.last(self.rows(x).flatten(1))


class AcrossTheBatch(Perceptron):
    """What one example gets depends on the others."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0))


class ByItsSize(Perceptron):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x / len(x))


class Tied(Perceptron):
    def __init__(self) -> None:
        super().__init__()
        self.third = nn.Linear(16, 16)
        self.third.weight = self.second.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.third(self.second(self.first(x)).tanh()))


class Reading(Perceptron):
    """A layer's weights are used outside of the layer."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(F.linear(F.linear(hidden, self.second.weight), self.second.weight.t()))


class Bare(Perceptron):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(16))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x)) * self.scale)


class Functional(Perceptron):
    """Noise that is no layer's."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.dropout(self.first(x), 0.5, self.training))


class Skipping(Perceptron):
    """Whether a layer runs is drawn by `random`."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(hidden if self.training and random.random() < 0.5 else self.second(hidden))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.last = nn.GRU(4, 8, num_layers=2, dropout=0.2, batch_first=True), nn.Linear(8, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.gru(x.view(-1, 5, 4))[0][:, -1])


class Normed(Perceptron):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(self.first)
        self.second = nn.utils.parametrizations.weight_norm(self.second)


class Buffered(Perceptron):
    """Its own running mean, a new tensor in each step, beside a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_INPUTS))
        self.register_buffer("places", torch.arange(N_INPUTS, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return super().forward(x - self.mean + self.places / N_INPUTS)


class Channels(nn.Module):
    """Dropout of whole channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Conv1d(1, 4, 3), nn.Dropout1d(0.3), nn.Linear(72, N_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(self.first(x.unsqueeze(1))).flatten(1))


class Frozen(Perceptron):
    def __init__(self) -> None:
        super().__init__()
        self.first.requires_grad_(False)


class Sized(nn.Module):
    """Made for what there is: rows, with two rates of dropout and BatchNorm."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 12) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(n_inputs, width), nn.BatchNorm1d(width), nn.Linear(width, width)
        self.drops, self.last = nn.ModuleList([nn.Dropout(0.25), nn.Dropout(0.5)]), nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drops[0](F.relu(self.norm(self.first(x))))
        return self.last(self.drops[1](F.relu(self.second(x))))


class OfImages(nn.Module):
    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.first, self.norm = nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.drop, self.last = nn.Dropout(0.2), nn.Linear(4 * (height // 2) * (width // 2), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(F.max_pool2d(F.relu(self.norm(self.first(x))), 2).flatten(1)))


class Flattening(nn.Module):
    """Its sizes are written down in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x.flatten(1)).relu())


class Noisy(Sized):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.2, self.training))


class Three(Sized):
    def __init__(self, n_inputs: int) -> None:
        super().__init__(n_inputs, 3)


class Bias(nn.Module):
    """Without a weight."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), -1)


class Failing(nn.Module):
    """On batches of so many examples, or more, with what CUDA would say."""

    def __init__(self, n_inputs: int, n_outputs: int, says: str, at: int) -> None:
        super().__init__()
        self.layer, self.says, self.at = nn.Linear(n_inputs, n_outputs), says, at

    def forward(self, x: Tensor) -> Tensor:
        if len(x) >= self.at:
            raise torch.AcceleratorError(self.says)
        return self.layer(x)


def tell_gpu(config: object, go_on: object, data: object) -> None:
    """In place of a training."""
    raise RuntimeError(f"sees {os.environ.get('CUDA_VISIBLE_DEVICES')}")


def number() -> int:
    return 3


SWAPPED = (Perceptron, Residual, Twice, Categories, Lazy, Frozen)
LOOPED = {
    Images: "faster for convolutions on a CPU",
    AcrossTheBatch: "it differs by",
    ByItsSize: "it differs by",
    Tied: "it shares parameters",
    Reading: "",  # by which error shapes that do not fit are found is torch's to say
    Bare: "Bare has scale of its own",
    Functional: "draws random numbers of its own",
    Skipping: "draws random numbers of its own",
    Recurrent: "draws random numbers of its own",
    Normed: "has no twin",
    Buffered: "Buffered has mean of its own",
    Channels: "Dropout1d drop needs noise of its own",
}
