"""An example of weight w counts as w copies of it: in training, in the figures, in the verdict's means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from opening import opened
from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.data import Split, Splits, load_splits
from ridgeline.stack.evaluation import Measures, data_loss_of
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.tasks.figures import FIGURES
from ridgeline_recipes.by_hand import reference
from settings import small

N = 40


def few(split: Split, weights_N: np.ndarray) -> tuple[Split, Split]:
    """Some examples in float64, with weights and as copies."""
    rows = torch.arange(len(weights_N)) * (len(split.y_N) // len(weights_N))
    weighted = Split(split.x_NI[rows].double(), split.y_N[rows], w_N=torch.from_numpy(weights_N / weights_N.mean()))
    copies = rows.repeat_interleave(torch.from_numpy(weights_N))
    return weighted.double(), Split(split.x_NI[copies], split.y_N[copies]).double()


def both(config: Config) -> tuple[Splits, Splits]:
    """The same few examples, with whole weights of which some are 0, and as so many copies."""
    splits, draw = load_splits(config.data), np.random.default_rng(0)
    train = few(splits.train, draw.integers(0, 4, N))
    validation = few(splits.validation, draw.integers(0, 4, len(splits.validation.y_N)))
    made = [replace(splits, train=t, validation=v) for t, v in zip(train, validation, strict=True)]
    return made[0], made[1]


def of_wine(**overrides: Any) -> Config:
    own = {"trainer__batch_size": None, "trainer__max_epochs": 15, "optimizer__lr": 0.05, "network__hidden": [8]}
    return small(**{"data__name": "wine", **own, **overrides})


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_objective_and_gradients_equal_the_reference_of_copies(loss: str) -> None:
    config = of_wine(loss__name=loss, regularization__l2=0.03)
    weighted, copied = both(config)
    stack = Stack([config], weighted)
    loss_1, _, _ = stack.losses(torch.arange(N)[None])
    stack.rows.differentiate(loss_1)
    stack.add_to_gradients_()
    linears = stack.network.module.linears
    layers = [(li.weight[0].detach().numpy().copy(), li.bias[0].detach().numpy().copy()) for li in linears]
    setting = reference.Setting(activation=config.network.activation, loss=loss, l2=0.03)  # type: ignore[union-attr]
    x, y = copied.train.x_NI.numpy(), copied.train.y_N.numpy()
    j_1 = loss_1 + stack.penalties_K()
    assert j_1.item() == pytest.approx(reference.objective(layers, x, y, setting), rel=1e-6)
    ours = stack.rows.unpack(stack.rows.grads_KP[0])
    for i, (d_w, d_b) in enumerate(reference.gradients(layers, x, y, setting)):
        np.testing.assert_allclose(ours[f"linears.{i}.weight"].numpy().T, d_w, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(ours[f"linears.{i}.bias"].numpy(), d_b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "overrides",
    [
        {"metric": "val/auroc"},
        {"loss__class_weight": "balanced", "regularization__label_smoothing": 0.2, "metric": "val/f1"},
        {"metric": "val/balanced_error"},
        {"data__name": "diabetes", "metric": "val/r2"},
        {"data__name": "diabetes", "loss__name": "mae", "metric": "val/mae"},
    ],
    ids=lambda overrides: overrides["metric"],
)
def test_training_with_weights_is_training_on_copies(overrides: dict[str, Any]) -> None:
    config = of_wine(**overrides)
    weighted, copied = (fit([config, config], splits)[1] for splits in both(config))
    for ours, theirs in zip(weighted.history, copied.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    for name, own in weighted.weights.items():
        torch.testing.assert_close(own, copied.weights[name], rtol=1e-6, atol=1e-8)
    ends = [{k: v for k, v in one.metrics.items() if "seconds" not in k} for one in (weighted, copied)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_each_figure_of_weights_is_that_of_copies(task: str) -> None:
    config = of_wine() if task == "classification" else of_wine(data__name="diabetes")
    names = [name for name, figure in FIGURES.items() if figure.task == task and figure.takes_weights]
    weighted, copied = both(config)
    found, outputs = [], torch.randn(2, len(weighted.validation.y_N), weighted.n_outputs, dtype=torch.float64)
    counts_N = weighted.validation.w_N * len(copied.validation.y_N) / len(weighted.validation.y_N)  # type: ignore
    for splits, repeats_N in ((weighted, torch.ones_like(counts_N)), (copied, counts_N)):
        measures, split = Measures(names, splits.validation, splits, 2), splits.validation
        own = outputs.repeat_interleave(repeats_N.round().long(), dim=1)
        targets_2N = split.y_N.expand(2, -1)
        weights_2N = None if split.w_N is None else split.w_N.expand(2, -1)
        loss_2 = data_loss_of(config, splits, 2).mean_K(own, targets_2N, weights_KB=weights_2N)
        measures.add(own, targets_2N, loss_2, weights_KB=weights_2N)
        found.append(measures.values_MK())
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-7)


def test_batches_of_an_epoch_have_the_weighted_mean_of_the_split() -> None:
    config = of_wine(trainer__batch_size=7)
    splits, _ = both(config)
    stack = Stack([config], splits)
    sums = [stack.losses(piece)[0] * piece.shape[1] for piece in torch.arange(N)[None].split(7, dim=1)]
    whole, _, _ = stack.losses(torch.arange(N)[None])
    assert sum(sums).item() / N == pytest.approx(whole.item())  # type: ignore[attr-defined]


def test_mixup_mixes_the_weighted_losses() -> None:
    config = of_wine(regularization__mixup=0.5, regularization__label_smoothing=0.1)
    splits, _ = both(config)
    stack = Stack([config], splits)
    loss_1, outputs_1NC, batch = stack.losses(torch.arange(N)[None])
    assert batch.mixing is not None
    assert splits.train.w_N is not None
    smoothing, share = 0.1, batch.mixing.share_K
    log_p_NC = outputs_1NC[0].log_softmax(1)
    own_N, other_N = (-log_p_NC[torch.arange(N), y_1N[0]] for y_1N in (batch.targets_KB, batch.mixing.targets_KB))
    hard = share * (splits.train.w_N * own_N).mean() + (1 - share) * (splits.train.w_N.roll(1) * other_N).mean()
    expected = (1 - smoothing) * hard + smoothing * (-splits.train.w_N * log_p_NC.mean(1)).mean()
    torch.testing.assert_close(loss_1, expected)


def table(folder: Path, weight_N: np.ndarray) -> Path:
    draw = np.random.default_rng(0)
    x_N = draw.standard_normal(len(weight_N))
    path = folder / "weighted.csv"
    pd.DataFrame({"x": x_N, "y": np.where(x_N > 0, "a", "b"), "z": 3.5 * x_N, "w": weight_N}).to_csv(path, index=False)
    return path


def test_a_column_of_weights_reaches_every_split_and_no_features(tmp_path: Path) -> None:
    weight_N = np.random.default_rng(1).integers(0, 5, 100)
    path = table(tmp_path, weight_N)
    own = {"data__name": "table", "data__path": str(path), "data__target": "y", "data__drop": ["z"]}
    for folds in (None, 3):
        config = small(**own, data__weight="w", data__folds=folds)
        splits = load_splits(config.data)
        assert splits.n_features == 1
        for split in (splits.train, splits.validation):
            assert split.w_N is not None
            sizes = split.sizes or (split.n,)
            for size, w_N in zip(sizes, split.w_N.unflatten(0, (split.folds, split.n)), strict=True):
                assert w_N[:size].mean().item() == pytest.approx(1, rel=1e-6)
        assert opened(config.data).w_N is not None
    assert load_splits(small(**own).data).train.w_N is None


@pytest.mark.parametrize(
    ("weight", "others", "line"),
    [
        ([0] * 100, {}, "`each split holds an example with a data.weight above 0` must hold, but got data.weight=0 in"),
        ([1] * 99 + [-1], {}, "`data.weight is a finite number >= 0 in each row` must hold"),
        (
            [1] * 100,
            {"metric": "val/spearman"},
            "`metric is not of spearman, which knows no weights, with",
        ),
    ],
)
def test_weights_that_mean_nothing_are_refused(tmp_path: Path, weight: list[int], others: Any, line: str) -> None:
    own = {"data__name": "table", "data__path": str(table(tmp_path, np.array(weight))), "data__weight": "w"}
    target = {"data__target": "z", "data__drop": ["y"]}
    with pytest.raises(ConfigError) as raised:
        load_splits(small(**own, **target, **others).data)
    assert line in str(raised.value)
