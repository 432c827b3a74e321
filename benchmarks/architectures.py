"""What becomes of public architectures in a stack: swapped, looped or refused; how equal, and how fast.

For each network of zoo.py: the way that is chosen and its reason; the largest difference of a weight or a running
statistic from plain torch after 100 steps (float64, dropout and l2 on, three fits), of the way chosen and of the
other one; and milliseconds of CPU a fit and step (float32, 8 fits, batch 128, one thread; medians of turns) of both
ways and of plain torch, one trial at a time. Writes benchmarks/results/architectures.json, and prints the table of
docs/architectures.md. Ends in about 5 minutes.

    python benchmarks/architectures.py
    python benchmarks/architectures.py --quick --only LeNet RowGRU
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

from machine import describe_machine
from plain_training import seed_generators, train_plainly
from progress import Progress
from ridgeline.config import Config, parse
from ridgeline.data import Splits, load_splits
from ridgeline.networks.stacking.noise import Purpose, key
from ridgeline.networks.stacking.proof import Choice
from ridgeline.stack import networks
from ridgeline.stack.device import keep_freed_memory
from ridgeline.stack.module import Stack
from zoo import ZOO

WAYS = ("swapped", "looped")
BATCH, LR, L2 = 128, 1e-3, 1e-3
FITS, FITS_TIMED = 3, 8


def config_of(kind: type[nn.Module], seed: int = 0) -> Config:
    """A trial of this network on the bundled digits."""
    return parse(
        {
            "seed": seed,
            "data": {"name": "digits", "train": 0.6, "validation": 0.2, "standardize": "feature"},
            "network": {"_target_": f"{kind.__module__}.{kind.__qualname__}"},
            "regularization": {"l2": L2},
            "optimizer": {"name": "adam", "lr": LR},
            "trainer": {"max_epochs": 100, "batch_size": BATCH, "accelerator": "cpu", "num_threads": 1},
        }
    )


def double(splits: Splits) -> Splits:
    return replace(splits, train=splits.train.double(), validation=splits.validation.double())


def known(config: Config, splits: Splits) -> networks.Known:
    """What is found out about the network, and which way it goes."""
    return networks.known_network(config.network, splits.train.x_NI, networks.shape_of(splits))


@contextmanager
def forced(way: str) -> Iterator[None]:
    """Networks go this way, whatever would be chosen."""
    with (
        mock.patch.object(networks, "choose", return_value=Choice(way, "forced")),  # type: ignore[arg-type]
        mock.patch.object(networks, "_known", {}),
    ):
        yield


class Stepper:
    """A stack whose steps are taken by hand, epoch after epoch."""

    def __init__(self, configs: Sequence[Config], splits: Splits) -> None:
        self.stack = Stack(configs, splits)
        self.stack.optimizers = lambda *_: self.stack.optimizer.torch_optimizer  # type: ignore[method-assign]
        self.stack.train()
        self.restart()

    def restart(self) -> None:
        """Go on with each fit's own order of examples from here on."""
        self._positions = self._forever()

    def step(self) -> None:
        self.stack.train()
        self.stack.training_step(next(self._positions), 0)

    def _forever(self) -> Iterator[torch.Tensor]:
        while True:
            yield from self.stack.train_dataloader()
            for record in self.stack.records:
                record.epoch += 1


def difference(kind: type[nn.Module], splits: Splits, n_steps: int, *, is_keyed: bool = True) -> float:
    """The largest of a weight or a running statistic, of three fits in a stack from the same in plain torch.

    The fits begin with the weights that the module's own code draws. `is_keyed`: see `train_plainly`.
    """
    configs = [config_of(kind, seed) for seed in range(FITS)]
    stepper = Stepper(configs, splits)
    own = known(configs[0], splits)
    for _ in range(n_steps):
        stepper.step()
    largest = 0.0
    for k, config in enumerate(configs):
        seed_generators(key(config.seed, Purpose.INITIALIZATION))
        module = own.make()
        module.eval()(torch.zeros(2, *own.example_shape))  # what is lazy gets its shapes
        expected = train_plainly(module.double(), config, splits, own.example_shape, n_steps, is_keyed=is_keyed)
        state = stepper.stack.network.state(k)
        largest = max(largest, *(float((state[name] - expected[name]).abs().max()) for name in expected))
    return largest


def plain_steps(kind: type[nn.Module], splits: Splits) -> Callable[[], None]:
    """A step of what a careful user writes: tensors, torch's own dropout, Adam with its weight_decay."""
    config = config_of(kind)
    own = known(config, splits)
    module = own.make().train()
    optimizer = torch.optim.Adam(module.parameters(), lr=LR, weight_decay=L2)
    x_N, y_N = splits.train.x_NI.view(-1, *own.example_shape), splits.train.y_N
    orders = iter(lambda: torch.randperm(len(y_N)).split(BATCH), None)
    positions = (at_B for order in orders for at_B in order)

    def step() -> None:
        at_B = next(positions)
        optimizer.zero_grad()
        F.cross_entropy(module(x_N[at_B]), y_N[at_B]).backward()
        optimizer.step()

    return step


def timed(kind: type[nn.Module], splits: Splits, ways: Sequence[str], rounds: int, seconds: float) -> dict[str, float]:
    """Milliseconds of CPU a fit and step, each in turn."""
    steps: dict[str, tuple[Callable[[], None], int]] = {"torch": (plain_steps(kind, splits), 1)}
    for way in ways:
        with forced(way):
            steps[way] = (Stepper([config_of(kind, seed) for seed in range(FITS_TIMED)], splits).step, FITS_TIMED)
    turns: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, (step, fits) in steps.items():
            begin, n = time.process_time(), 0
            while time.process_time() - begin < seconds:
                step()
                n += 1
            if number > 0:  # the first warms up
                turns[name].append(1e3 * (time.process_time() - begin) / n / fits)
    return {name: statistics.median(each) for name, each in turns.items()}


def examine(kind: type[nn.Module], splits: Splits, n_steps: int, rounds: int, seconds: float) -> dict[str, Any]:
    """A row of the table."""
    own = known(config_of(kind), splits)
    ways = list(WAYS) if own.survey.why_looped is None else ["looped"]
    differences = {}
    for way in ways:
        with forced(way):
            differences[way] = difference(kind, double(splits), n_steps)
    return {
        "parameters": own.survey.n_parameters,
        "way": own.choice.way,
        "why": own.choice.why.removeprefix("network: "),
        "difference": differences,
        "ms": timed(kind, splits, ways, rounds, seconds),
    }


def table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Markdown."""
    text = [
        "| network | parameters | way | differs by | swapped, ms | looped, ms | torch, ms | gain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ms, largest = row["ms"], max(row["difference"].values())
        swapped, looped = (f"{ms[way]:.2f}" if way in ms else "-" for way in WAYS)
        gain = ms["torch"] / ms[row["way"]]
        cells = [name, f"{row['parameters']:,}", row["why"].split(";")[0].split(", equal")[0], f"{largest:.0e}"]
        text.append("| " + " | ".join([*cells, swapped, looped, f"{ms['torch']:.2f}", f"{gain:.1f}"]) + " |")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    names = [kind.__name__ for kind in ZOO]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="few steps, to see whether all runs; not written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    splits = load_splits(config_of(ZOO[0]).data)
    n_steps, rounds, seconds = (20, 1, 0.1) if args.quick else (100, 3, 0.3)
    rows, progress = {}, Progress()
    for kind in ZOO:
        if kind.__name__ in args.only:
            progress.say(kind.__name__)
            rows[kind.__name__] = examine(kind, splits, n_steps, rounds, seconds)
    progress.clear()
    print("\n".join(table(rows)))
    if not args.quick:
        report = {"machine": describe_machine(), "steps": n_steps, "fits": FITS_TIMED, "networks": rows}
        path = Path(__file__).parent / "results" / "architectures.json"
        path.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
