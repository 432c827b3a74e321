"""Networks that do what a stack of fits may get wrong. Each says in a line what; `expected`: how a stack takes it.

B examples in a batch.
"""

from __future__ import annotations

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

WIDTH = 16


class Usual(nn.Module):
    """Two Linears: nothing strange."""

    expected = "swapped"
    uses_own_noise = False
    """Whether its dropout layers draw from torch's generator, for they cannot from a fit's bits."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(n_inputs, WIDTH), nn.Linear(WIDTH, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.first(x)))


class Images(nn.Module):
    """The same for images."""

    expected = "looped"
    uses_own_noise = False

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(input_shape[2], WIDTH), nn.Linear(WIDTH, n_outputs)


class MeanOverTheBatch(Usual):
    """Examples see each other, a little."""

    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(F.relu(hidden - 1e-3 * hidden.mean(0)))


class LargestOfTheBatch(Usual):
    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(hidden * (hidden >= hidden.flatten().topk(hidden.numel() // 2).values[-1]))


class BranchByNumbers(Usual):
    """What is computed depends on a number of the batch."""

    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(F.relu(2 * hidden if hidden.mean() > 0.05 else hidden))


class CountsCalls(Usual):
    """State that no parameter or buffer is."""

    expected = "looped"
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return super().forward(x) / (1 + 0.1 * self.calls)


class WritesInput(Usual):
    """In place on what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        x.clamp_(-0.5, 0.5)
        x -= x.mean(1, keepdim=True)
        return super().forward(x)


class LazyLayers(nn.Sequential):
    expected = "swapped"
    uses_own_noise = False

    def __init__(self, n_outputs: int) -> None:
        layers = (nn.LazyLinear(WIDTH), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(n_outputs))
        super().__init__(nn.Flatten(), *layers)


class FrozenWeight(Usual):
    expected = "looped"

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.first.weight.requires_grad_(False)


class UnusedLayer(Usual):
    expected = "looped"

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.unused = nn.Linear(WIDTH, 3)


class OwnNoise(Usual):
    """Noise of torch's and of NumPy's generators."""

    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x + 0.1 * torch.randn_like(x)) * np.random.rand() if self.training else x)


class Shuffles(Usual):
    """Examples get something of each other at random."""

    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(F.relu(hidden + 0.1 * hidden[torch.randperm(len(x))] if self.training else hidden))


class BatchNorms(nn.Sequential):
    """With no momentum, with no scale, with no running statistics."""

    expected = "looped"
    uses_own_noise = False

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(
            *(nn.Linear(n_inputs, WIDTH), nn.BatchNorm1d(WIDTH, momentum=None), nn.ReLU()),
            *(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH, affine=False), nn.Tanh()),
            *(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH, track_running_stats=False), nn.Tanh()),
            nn.Linear(WIDTH, n_outputs),
        )


class BatchNormWithoutTensors(nn.Sequential):
    """A layer that has nothing to exchange, and yet sees the whole batch."""

    expected = "looped"
    uses_own_noise = False

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        norm = nn.BatchNorm1d(WIDTH, affine=False, track_running_stats=False)
        super().__init__(nn.Linear(n_inputs, WIDTH), norm, nn.Linear(WIDTH, n_outputs))


class OtherDropouts(nn.Sequential):
    expected = "looped"
    uses_own_noise = False

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        convolution = nn.Conv2d(1, 4, 3, padding="same", padding_mode="circular")
        dropouts = (nn.Dropout2d(0.3), nn.Flatten(), nn.AlphaDropout(0.1))
        super().__init__(convolution, nn.SELU(), *dropouts, nn.Linear(4 * 64, n_outputs))


class DropoutTwice(Usual):
    """One dropout layer that runs at two places."""

    expected = "looped"
    uses_own_noise = True

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.dropout(F.relu(self.first(self.dropout(x)))))


class TimeFirst(Images):
    """The batch is not the first axis where something is dropped."""

    uses_own_noise = True

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__(input_shape, n_outputs)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.dropout(self.first(x[:, 0].transpose(0, 1))).mean(0))


class TransformerLayer(Images):
    """Torch's own, which draws inside of its attention, and has a faster way in evaluation."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__(input_shape, n_outputs)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(self.first(x[:, 0])).mean(1))


class MovingAverage(Usual):
    """Buffers and frozen weights that its forward moves, in place and by putting others there."""

    expected = "looped"

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.teacher = nn.Linear(n_inputs, WIDTH).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        if self.training:
            with torch.no_grad():
                self.mean = 0.9 * self.mean + 0.1 * hidden.mean(0)
                self.teacher.weight.mul_(0.9).add_(0.1 * self.first.weight)
        return self.last(F.relu(hidden - self.mean + self.teacher(x)))


class OldNorms(Usual):
    """Norms of weights by hooks, as they were before parametrizations."""

    expected = "looped"

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.middle = torch.nn.utils.spectral_norm(nn.Linear(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.middle(F.relu(self.first(x)))))


class UpAgain(nn.Sequential):
    """A transposed convolution, a learned slope, statistics of single images."""

    expected = "looped"
    uses_own_noise = False

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int) -> None:
        norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
        down, up = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 2, 4, 2, 1)
        super().__init__(down, norm, nn.PReLU(), up, nn.Flatten(), nn.Linear(2 * 64, n_outputs))


class Hooked(Usual):
    expected = "looped"

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.first.register_forward_hook(lambda layer, inputs, output: 1.5 * output)


class WeightsInFunctions(Usual):
    """A layer's weights, and not the layer."""

    expected = "looped"

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(F.linear(x, self.first.weight.abs(), self.first.bias))
        return self.last(hidden) * self.last.weight.norm()


class Categories(nn.Module):
    """A row of a table of embeddings that stays as it is, and one whose rows are kept short in place."""

    expected = "looped"
    uses_own_noise = False

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.padded, self.short = nn.Embedding(17, 3, padding_idx=8), nn.Embedding(17, 3, max_norm=1.0)
        self.last = nn.Linear(6 * n_inputs, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        codes = (4 * x + 8).long().clamp(0, 16)
        return self.last(torch.cat([self.padded(codes), self.short(codes)], dim=2).flatten(1))


class Padded(nn.Module):
    expected = "swapped"
    uses_own_noise = False

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.padded, self.last = nn.Embedding(17, 3, padding_idx=8), nn.Linear(3 * n_inputs, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.padded((4 * x + 8).long().clamp(0, 16)).flatten(1))


class Squeezes(Usual):
    """An axis more, and a squeeze of all that are 1."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.unsqueeze(1)).squeeze()


class BehindAutograd(Usual):
    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        hidden.data.clamp_(min=0)
        return self.last(hidden)


class Checkpointed(Usual):
    """Computed again in the backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(checkpoint(lambda x: F.relu(self.first(x)), x, use_reentrant=False))


STRANGE = [
    kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__ == __name__ and kind is not Images
]


class LayerInAList(Usual):
    """A layer that the module does not know of, so that no state has it."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.hidden = [nn.Linear(WIDTH, WIDTH)]

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.hidden[0].to(x.dtype)(self.first(x))))


class DrawnConstant(Usual):
    """A tensor and numbers that its code draws once, and keeps in plain attributes."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.frequencies, self.scale = torch.randn(n_inputs, WIDTH), random.random() + np.random.rand()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.first(x) * self.scale + torch.cos(x @ self.frequencies.to(x.dtype))))


class CountsInItsClass(Usual):
    """Copies of it change each other."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        CountsInItsClass.calls += 1
        return super().forward(x) * (1 + CountsInItsClass.calls % 2)


class GivesTwo(Usual):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x), x


class GivesImages(Usual):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unsqueeze(-1)


class CountsInABuffer(Usual):
    """A whole number for which a row has no place."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return super().forward(x)
