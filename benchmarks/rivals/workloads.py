"""What is trained: three networks on two data sets, and how much of each fits into one slice of measuring."""

from __future__ import annotations

import dataclasses
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


@dataclass(frozen=True)
class Workload:
    """A network, its data, and the number `k` of trials in one of our stacks.

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

    @property
    def full_steps(self) -> int:
        """Steps of a full trial."""
        return self.full_epochs * -(-self.full_train // BATCH)

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """(M, N, inner size) of each product that one trial needs in one step.

        A layer's output, its weights' gradient and, but for the first layer, its input's gradient.
        """
        shapes = []
        for layer, (n_in, n_out) in enumerate(pairwise(self.sizes)):
            shapes += [(BATCH, n_out, n_in), (n_in, n_out, BATCH)]
            if layer > 0:
                shapes.append((BATCH, n_in, n_out))
        return shapes

    @property
    def flop(self) -> int:
        """Floating-point operations of the products of one trial and step, two for each multiplication."""
        return sum(2 * m * n * inner for m, n, inner in self.products)

    def config(self, *, root: str | None, seed: int = 0, threads: int | None = None) -> Config:
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
                    "accelerator": "cpu",
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
        "mnist", "mnist", (784, 128, 256, 64, 10), k=8, epochs=2, examples=30000, full_epochs=10, full_train=48000
    ),
    Workload(
        "mnist-5x500", "mnist", (784, *[500] * 5, 10), k=2, epochs=2, examples=15000, full_epochs=10, full_train=48000
    ),
)

_QUICK = {"digits": (6, None), "mnist": (2, 6000), "mnist-5x500": (2, 4000)}


def quick(workload: Workload) -> Workload:
    """A slice that shows whether everything runs. What happens once an epoch weighs too much in it."""
    epochs, examples = _QUICK[workload.name]
    return dataclasses.replace(workload, epochs=epochs, examples=examples)
