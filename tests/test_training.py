"""What one training promises: early stopping, schedules, restored weights, exact resumption."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from ridgeline.config import ConfigError, LRScheduleConfig, ScheduleConfig
from ridgeline.data import Splits
from ridgeline.regularizers.l1 import L1
from ridgeline.regularizers.l2 import L2
from ridgeline.stack.callbacks import Checkpoints, EarlyStopping, Schedules
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitRecord
from ridgeline.stack.schedules import lr_factor, schedule_factor
from ridgeline.trial.requirements import check
from settings import effect_of, small


def row(epoch: int, value: float) -> dict[str, float]:
    return {"epoch": epoch, "train/loss": 0.1, "val/loss": value, "val/error": value}


@pytest.mark.parametrize(
    "curve", [[5, 4, 4.5, 3.9, 4, 4, 4, 1], [3, 2.95, 2.9, 2.85, 2.8], [1, 2, 3, 4], [1, math.nan]]
)
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (2, 0.2)])
def test_early_stopping_stops_where_lightnings_does(
    digits: Splits, curve: list[float], patience: int, min_delta: float
) -> None:
    config = small(callbacks__early_stopping__patience=patience, callbacks__early_stopping__min_delta=min_delta)
    stack, ours = Stack([config], digits), EarlyStopping()
    lightnings = pl.callbacks.EarlyStopping("val/loss", patience=patience, min_delta=min_delta)
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, max_epochs=9, accelerator="cpu")
    for epoch, value in enumerate(curve):
        stack.records[0].add(row(epoch, value), "val/loss")
        ours.on_validation_end(trainer, stack)
        should_stop, _ = lightnings._evaluate_stopping_criteria(torch.tensor(value))
        assert (stack.records[0].end is not None) == should_stop, f"epoch {epoch}"
        if should_stop:
            return


def test_restored_weights_are_those_of_the_best_epoch(digits: Splits) -> None:
    config = small(optimizer__lr=0.05, trainer__max_epochs=8)
    (result,) = fit([config], digits)
    values = [r["val/loss"] for r in result.history]
    assert result.best_epoch == values.index(min(values)) + 1 < 8
    shorter = small(optimizer__lr=0.05, trainer__max_epochs=result.best_epoch, trainer__restore_best=False)
    (last,) = fit([shorter], digits)
    assert all(torch.equal(result.weights[name], last.weights[name]) for name in result.weights)
    assert result.value == last.value == min(values)


def test_last_weights_are_kept_without_restoring(digits: Splits) -> None:
    (result,) = fit([small(optimizer__lr=0.05, trainer__max_epochs=8, trainer__restore_best=False)], digits)
    assert result.best_epoch == 8
    assert result.value == result.history[-1]["val/loss"]


def test_learning_rate_schedules() -> None:
    cosine, step = LRScheduleConfig("cosine", final_factor=0.1), LRScheduleConfig("step", step_size=3, gamma=0.5)
    assert [lr_factor(step, epoch, 9) for epoch in range(9)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    factors = [lr_factor(cosine, epoch, 9) for epoch in range(9)]
    assert factors[0] == 1
    assert factors[4] == pytest.approx(0.55)
    assert factors[-1] == pytest.approx(0.1)
    assert factors == sorted(factors, reverse=True)


def test_schedules_of_rates_and_penalties() -> None:
    def factors(name: str) -> list[float]:
        return [schedule_factor(ScheduleConfig(name, epochs=2), epoch) for epoch in range(4)]  # type: ignore[arg-type]

    assert factors("constant") == [1, 1, 1, 1]
    assert factors("linear") == [0, 0.5, 1, 1]
    assert factors("early") == [1, 1, 0, 0]
    assert factors("late") == [0, 0, 1, 1]
    assert factors("curriculum") == [0, pytest.approx(1 - math.exp(-5)), *[pytest.approx(1, abs=5e-5)] * 2]
    assert schedule_factor(None, 3) == 1


class Rates(pl.Callback):
    """Notes what each epoch trains with."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[float], list[list[float]]]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, stack: Stack, outputs: object, batch: object, index: int) -> None:
        if index == 0:
            lr_K = [group["lr"] for group in stack.optimizers().param_groups]
            self.seen.append((lr_K, [list(layer.rates) for layer in stack.network.noisy_layers]))


def test_schedules_reach_each_fits_training(digits: Splits) -> None:
    knobs = {"lr_schedule__name": "step", "lr_schedule__step_size": 1, "callbacks__dropout_schedule__epochs": 2}
    configs = [
        small(**knobs, lr_schedule__gamma=0.5, optimizer__lr=0.01, regularization__dropout=[0.4, 0.2]),
        small(**knobs, lr_schedule__gamma=0.1, optimizer__lr=0.02, regularization__input_dropout=0.6),
    ]
    rates = Rates()
    trainer = quiet_trainer(3, [Schedules(), rates])
    trainer.fit(Stack(configs, digits))
    assert [lr for lr, _ in rates.seen] == [[0.01, 0.02], [0.005, 0.002], pytest.approx([0.0025, 0.0002])]
    assert [layers for _, layers in rates.seen] == [
        [[0, 0], [0, 0], [0, 0]],
        [[0.2, 0], [0.1, 0], [0, 0.3]],
        [[0.4, 0], [0.2, 0], [0, 0.6]],
    ]


class Strengths(pl.Callback):
    """Notes the penalties of each epoch, and the decay that the optimizer applies."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[float], list[float], list[float]]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, stack: Stack, outputs: object, batch: object, index: int) -> None:
        if index == 0:
            decays = sorted({group["weight_decay"] for group in stack.optimizers().param_groups})
            self.seen.append((effect_of(stack, L1).l1_K.tolist(), effect_of(stack, L2).l2_K.tolist(), decays))


@pytest.mark.parametrize("hidden", [[16], [400, 300]])
def test_schedule_of_penalties_reaches_each_fit_and_its_optimizer(digits: Splits, hidden: list[int]) -> None:
    """Long rows have l2 added by the optimizer. Names and epochs of schedules are knobs: these fits share a stack."""
    knobs = {"regularization__l1": 0.5, "network__hidden": hidden}
    schedules = [{"name": "early", "epochs": 1}, {"name": "late", "epochs": 2}, {"name": "linear", "epochs": 2}]
    configs = [
        small(**knobs, regularization__l2=2.0**-k, **{f"callbacks__penalty_schedule__{n}": v for n, v in each.items()})
        for k, each in enumerate(schedules)
    ]
    strengths = Strengths()
    quiet_trainer(3, [Schedules(), strengths]).fit(Stack(configs, digits))
    l2_by_epoch = [[1, 0, 0], [0, 0, 0.125], [0, 0.5, 0.25]]
    assert [l1_K for l1_K, _, _ in strengths.seen] == [[0.5, 0, 0], [0, 0, 0.25], [0, 0.5, 0.5]]
    assert [l2_K for _, l2_K, _ in strengths.seen] == l2_by_epoch
    is_long = hidden == [400, 300]
    expected = [sorted({0.0, *l2_K}) if is_long else [0.0] for l2_K in l2_by_epoch]
    assert [decays for _, _, decays in strengths.seen] == expected


def test_penalty_that_is_scheduled_off_leaves_the_baseline(digits: Splits) -> None:
    knobs = {"callbacks__penalty_schedule__name": "late", "callbacks__penalty_schedule__epochs": 3}
    penalties = {f"regularization__{name}": 0.1 for name in ("l1", "l2", "group_lasso")}
    late, baseline = fit([small(**penalties, **knobs), small(**knobs)], digits)
    assert late.history == baseline.history
    assert all(torch.equal(late.weights[name], baseline.weights[name]) for name in late.weights)


def quiet_trainer(max_epochs: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(max_epochs=max_epochs, callbacks=callbacks, accelerator="cpu", num_sanity_val_steps=0, **quiet)


class Killed(RuntimeError):
    pass


class KillAfter(pl.Callback):
    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_train_epoch_start(self, trainer: pl.Trainer, stack: Stack) -> None:
        if stack.records[0].epoch == self._epochs:
            raise Killed


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_resumed_from_its_checkpoint_ends_with_the_same_bits(
    digits: Splits, tmp_path: Path, optimizer: str
) -> None:
    knobs = {
        "optimizer__name": optimizer,
        "regularization__dropout": 0.3,
        "regularization__l1": 1e-4,
        "regularization__input_noise": 0.1,
        "regularization__weight_average": 0.95,
        "callbacks__penalty_schedule__name": "late",
        "callbacks__penalty_schedule__epochs": 2,
        "lr_schedule__name": "cosine",
        "trainer__max_epochs": 6,
        "callbacks__early_stopping__patience": 2,
    }
    config = small(**knobs)
    (whole,) = fit([config], digits)
    callbacks = [Schedules(), EarlyStopping(), Checkpoints(tmp_path, interval=0), KillAfter(3)]
    trainer = quiet_trainer(6, callbacks)
    with pytest.raises(Killed):
        trainer.fit(Stack([config], digits))
    rows: list[float] = []
    resumed = small(**knobs, trainer__ckpt_path=str(tmp_path / "last.ckpt"))
    (result,) = fit([resumed], digits, listener=lambda _, row: rows.append(row["epoch"]))
    assert rows == list(range(4, whole.epochs + 1))
    assert result.history == whole.history
    assert (result.value, result.best_epoch, result.end) == (whole.value, whole.best_epoch, whole.end)
    assert all(torch.equal(result.weights[name], whole.weights[name]) for name in whole.weights)


def test_checkpoint_of_another_training_is_refused(digits: Splits, tmp_path: Path) -> None:
    trainer = quiet_trainer(1, [Schedules(), Checkpoints(tmp_path, interval=0)])
    trainer.fit(Stack([small(regularization__dropout=0.2)], digits))
    ckpt = str(tmp_path / "last.ckpt")
    runs = {"runs": str(tmp_path), "trainer__ckpt_path": ckpt}
    check(small(regularization__dropout=0.2, trainer__max_epochs=9, **runs))
    with pytest.raises(ConfigError, match=r"regularization.dropout is 0.2 as in the checkpoint.*got .*dropout=0.3"):
        check(small(regularization__dropout=0.3, **runs))
    (tmp_path / "other.ckpt").write_text("not a checkpoint")
    with pytest.raises(ConfigError, match="is a checkpoint of one training"):
        check(small(runs=str(tmp_path), trainer__ckpt_path=str(tmp_path / "other.ckpt")))


def test_finished_training_goes_on_with_more_epochs(digits: Splits, tmp_path: Path) -> None:
    quiet_trainer(3, [Schedules(), Checkpoints(tmp_path, interval=0)]).fit(Stack([small()], digits))
    (longer,) = fit([small(trainer__max_epochs=5, trainer__ckpt_path=str(tmp_path / "last.ckpt"))], digits)
    assert longer.history == fit([small(trainer__max_epochs=5)], digits)[0].history


def test_record_fails_with_its_reason_where_a_loss_is_not_finite() -> None:
    record = FitRecord()
    record.add(row(1, 1.0), "val/loss")
    record.add(row(2, math.inf), "val/loss")
    assert record.failure == "val/loss became inf in epoch 2"
    assert record.best_epoch == 1


def test_full_batch_gradient_descent_lets_the_objective_fall_at_every_step(digits: Splits) -> None:
    """The habit of SOURCES: with dropout off J must fall monotonically."""
    config = small(
        optimizer__name="sgd",
        optimizer__lr=0.05,
        trainer__batch_size=None,
        trainer__max_epochs=25,
        regularization__l2=1e-3,
    )
    (result,) = fit([config], digits)
    losses = [r["train/loss"] for r in result.history]
    assert losses == sorted(losses, reverse=True)
