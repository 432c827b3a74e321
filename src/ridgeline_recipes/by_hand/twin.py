"""The network by hand and its Lightning twin: the same points, initial weights and masks; are their weights the same?

N examples, I features, G points along each axis of a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline import (
    Beginning,
    Config,
    FitResult,
    KeptMasks,
    Objectives,
    Split,
    Splits,
    Tracker,
    TrialFailed,
    fit,
    keep_fit,
    load_splits,
    look_at_run,
)
from ridgeline_recipes.by_hand import reference
from ridgeline_recipes.by_hand.limits import check
from ridgeline_recipes.by_hand.picture import Side, boundaries


@dataclass(frozen=True)
class Pair:
    """Both after the last step. `costs`: J before each step. `twin` has the layers of `result` as NumPy has them."""

    splits: Splits
    setting: reference.Setting
    hand: list[reference.Layer]
    hand_costs: list[float]
    twin: list[reference.Layer]
    twin_costs: list[float]
    result: FitResult

    @property
    def difference(self) -> float:
        """The largest of any weight or bias."""
        pairs = zip(self.hand, self.twin, strict=True)
        return max(float(np.abs(a - b).max()) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


def train_pair(config: Config) -> Pair:
    """Train both in float64. Raises TrialFailed where the twin diverges."""
    splits = load_splits(config.data)
    splits = replace(splits, train=splits.train.double(), validation=splits.validation.double())
    beginning, masks, objectives = Beginning(), KeptMasks(), Objectives()
    (result,) = fit([config], splits, watchers=[beginning, masks, objectives])
    if result.failure is not None:
        raise TrialFailed(result.failure)
    regularization = config.regularization
    rates = [regularization.input_dropout, *regularization.dropout_rates(len(config.network.hidden))]
    setting = reference.Setting(
        activation=config.network.activation,  # type: ignore[attr-defined]
        loss="binary_cross_entropy",
        l2=regularization.l2,
        keep=[1 - rate for rate in rates],
    )
    hand, costs = reference.train(
        _layers(beginning.weights),
        splits.train.x_NI.numpy(),
        splits.train.y_N.numpy(),
        setting,
        lr=config.optimizer.lr,
        steps=config.trainer.max_epochs,
        masks=masks.steps if any(rates) else None,
    )
    return Pair(splits, setting, hand, costs, _layers(result.weights), objectives.values[0], result)


def compare(config: Config, job_dir: Path) -> str:
    """Train both, draw and record them as one run; what a user reads."""
    check(config)
    pair = train_pair(config)
    job_dir.mkdir(parents=True)
    figure = picture(pair)
    figure.savefig(job_dir / "by_hand.png")
    with Tracker(config) as tracker:
        run = tracker.start_trial(config, pair.splits.description, job_dir)
        run.set_tags({"mlflow.source.name": "pipelines/by_hand.py"})
        keep_fit(pair.result, run, job_dir)
        run.log_metrics({"by_hand/difference": pair.difference})
        run.log_file(job_dir / "by_hand.png")
        run.finish("COMPLETE")
        look = look_at_run(config, run.id)
    return f"{words(config, pair)}\n\nPicture: {job_dir / 'by_hand.png'}\nLook:    {look}"


def words(config: Config, pair: Pair) -> str:
    """Both side by side, and how far apart they are."""
    train, validation = pair.splits.train, pair.splits.validation
    m, steps = len(train.y_N), len(pair.hand_costs)
    sizes = "-".join(str(size) for size in (*(w.shape[0] for w, _ in pair.hand), 1))
    rows = [("J before step 1", pair.hand_costs[0], pair.twin_costs[0])]
    rows += [(f"J before step {steps}", pair.hand_costs[-1], pair.twin_costs[-1])]
    for name, split in (("train", train), ("validation", validation)):
        (loss, accuracy), (twin_loss, twin_accuracy) = (_measured(x, split, pair) for x in (pair.hand, pair.twin))
        rows += [(f"{name} loss", loss, twin_loss), (f"{name} accuracy", accuracy, twin_accuracy)]
    table = [f"{name:22}{hand:>16.12f}{twin:>16.12f}{abs(hand - twin):>12.1e}" for name, hand, twin in rows]
    return "\n".join(
        [
            f"{sizes}, {m} points, {steps} steps of gradient descent with lr {config.optimizer.lr:g};"
            f" lambda {config.regularization.l2 * m:g} (l2 = lambda / m = {config.regularization.l2:g}),"
            f" keep_prob {', '.join(f'{kept:g}' for kept in (pair.setting.keep or ())[1:])}",
            "",
            f"{'':22}{'by hand':>16}{'Lightning':>16}{'difference':>12}",
            *table,
            f"Largest difference of a weight or bias after {steps} steps, in float64: {pair.difference:.1e}",
        ]
    )


def picture(pair: Pair) -> Any:
    """The decision boundaries of both, and J."""
    x_NI, y_N = pair.splits.train.x_NI.numpy(), pair.splits.train.y_N.numpy()
    low_I, high_I = x_NI.min(axis=0) - 0.5, x_NI.max(axis=0) + 0.5
    x_G, y_G = (np.linspace(low, high, 200) for low, high in zip(low_I, high_I, strict=True))
    grid_N2 = np.stack(np.meshgrid(x_G, y_G), axis=-1).reshape(-1, 2)

    def side(name: str, layers: Sequence[reference.Layer], costs: Sequence[float]) -> Side:
        z_N1, _ = reference.scores(layers, grid_N2, replace(pair.setting, masks=None))
        return Side(name, (1 / (1 + np.exp(-z_N1))).reshape(len(y_G), len(x_G)), costs)

    sides = side("by hand, NumPy", pair.hand, pair.hand_costs), side("Lightning", pair.twin, pair.twin_costs)
    return boundaries(sides, x_G, y_G, x_NI, y_N, pair.difference)


def _measured(layers: Sequence[reference.Layer], split: Split, pair: Pair) -> tuple[float, float]:
    """Data loss and accuracy, nothing dropped."""
    x_NI, y_N, data_alone = split.x_NI.numpy(), split.y_N.numpy(), replace(pair.setting, l2=0.0, masks=None)
    predicted_N = reference.predict(layers, x_NI, data_alone)
    return reference.objective(layers, x_NI, y_N, data_alone), reference.accuracy(predicted_N, y_N)


def _layers(weights: Any) -> list[reference.Layer]:
    n = len(weights) // 2
    return [(weights[f"linears.{i}.weight"].numpy().T, weights[f"linears.{i}.bias"].numpy()) for i in range(n)]
