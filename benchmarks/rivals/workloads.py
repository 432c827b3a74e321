"""What is trained: five networks on two data sets, and how much of each fits into one slice of measuring."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ridgeline.config import Config, parse

BATCH = 128
EVALUATION_BATCH = 1024
LR = 1e-3
DROPOUT = 0.25
L2 = 1e-4
"""The gradient's share of a weight: the penalty is L2 / 2 * sum W^2."""

CHANNELS, KERNEL, DENSE = (16, 32), 3, 128
"""Of the convolutional network: two convolutions, each before a pooling, then a dense layer."""
RESIDUAL = (128, 256, 128, 256, 128)
"""The widths of the residual network of Linears, two blocks."""


@dataclass(frozen=True)
class Workload:
    """A network, its data, and the number `k` of trials in one of our stacks; `k_on_gpu` on a GPU.

    A slice trains `epochs` epochs, of which the first warms up and is not timed, on `examples` examples (train and
    validation; None: all). A full trial trains `full_epochs` on all examples, `full_train` of them in the train split.
    """

    name: str
    data: str
    sizes: tuple[int, ...]
    k: int
    epochs: int
    examples: int | None
    full_epochs: int
    full_train: int
    network: str = "mlp"
    channels: int = 1
    k_on_gpu: int = 64

    @property
    def full_steps(self) -> int:
        """Steps of a full trial."""
        return self.full_epochs * -(-self.full_train // BATCH)

    @property
    def dense(self) -> tuple[int, ...]:
        """The sizes between which its products of matrices go."""
        if self.network == "residual":
            return (self.sizes[0], *RESIDUAL, self.sizes[-1])
        if self.network == "cnn":
            _, n_out, side = self.convolutions[-1]
            return (n_out * (side // 2) ** 2, DENSE, self.sizes[-1])
        return self.sizes

    @property
    def convolutions(self) -> list[tuple[int, int, int]]:
        """(channels that come in, that go out, an image's side) of each."""
        if self.network != "cnn":
            return []
        side = math.isqrt(self.sizes[0] // self.channels)
        return [(*own, side // 2**i) for i, own in enumerate(pairwise((self.channels, *CHANNELS)))]

    @property
    def flop(self) -> int:
        """Floating-point operations of the products of one trial and step, two for each multiplication.

        A layer's output, its weights' gradient and, but for the first layer, its input's gradient.
        """
        layers = [n_in * n_out * KERNEL**2 * side**2 for n_in, n_out, side in self.convolutions]
        layers += [n_in * n_out for n_in, n_out in pairwise(self.dense)]
        return 2 * BATCH * (3 * sum(layers) - layers[0])

    def config(
        self,
        *,
        root: str | None,
        seed: int = 0,
        threads: int | None = None,
        precision: str = "32-true",
        device: str = "cpu",
    ) -> Config:
        """The slice as Ridgeline's own configuration. MNIST gets one mean and deviation, as the templates do."""
        mnist = self.data == "mnist"
        return parse(
            {
                "seed": seed,
                "data": {
                    "name": self.data,
                    "root": root if mnist else None,
                    "train": 0.8 if mnist else 0.6,
                    "validation": 0.2,
                    "standardize": "all" if mnist else "feature",
                    "examples": self.examples,
                },
                "network": self._network(),
                "regularization": {"l2": L2, **({} if self.network == "residual" else {"dropout": DROPOUT})},
                "optimizer": {"name": "adam", "lr": LR},
                "trainer": {
                    "max_epochs": self.epochs,
                    "batch_size": BATCH,
                    "accelerator": device,
                    "precision": precision,
                    "num_threads": threads,
                    "enable_progress_bar": False,
                },
            }
        )

    def _network(self) -> dict[str, Any]:
        if self.network == "cnn":
            return {"name": "cnn", "channels": list(CHANNELS), "kernel": KERNEL, "head": [DENSE]}
        if self.network == "residual":
            return {"_target_": "zoo.ResidualMLP"}
        return {"name": "mlp", "hidden": list(self.sizes[1:-1])}


WORKLOADS = (
    Workload("digits", "digits", (64, 128, 128, 10), k=32, epochs=31, examples=None, full_epochs=30, full_train=1078),
    Workload(
        "mnist", "mnist", (784, 128, 256, 64, 10), k=16, epochs=2, examples=30000, full_epochs=10, full_train=48000
    ),
    Workload(
        "mnist-5x500", "mnist", (784, *[500] * 5, 10), k=4, epochs=2, examples=15000, full_epochs=10, full_train=48000
    ),
    Workload("mnist-cnn", "mnist", (784, 10), 4, 2, 7500, full_epochs=10, full_train=48000, network="cnn"),
    Workload("digits-residual", "digits", (64, 10), 8, 16, None, full_epochs=30, full_train=1078, network="residual"),
)

_QUICK = {
    "digits": (6, None),
    "mnist": (2, 6000),
    "mnist-5x500": (2, 4000),
    "mnist-cnn": (2, 1500),
    "digits-residual": (3, None),
}


def quick(workload: Workload) -> Workload:
    """A slice that shows whether everything runs. What happens once an epoch weighs too much in it."""
    epochs, examples = _QUICK[workload.name]
    return dataclasses.replace(workload, epochs=epochs, examples=examples)
