"""A user's callback, optimizer, learning rate schedule and regularizer, each named by `_target_`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ridgeline.command_line.places import ROOT
from ridgeline.config import Config, ConfigError, as_tree, parse
from ridgeline.config.batchable import structure
from ridgeline.data import Splits, load_splits
from ridgeline.regularizers import Effect
from ridgeline.stack.fitting import fit
from ridgeline.stack.own_effects import check_effects
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.trial.requirements import check_device
from settings import SMALL, tree
from sweeping import Studies, table
from test_promise_alone_equals_stacked import assert_same_bits


def own(**overrides: Any) -> Config:
    """As `small`, with a whole group given as a mapping where it has a `_target_`."""
    values = {**SMALL, **{key.replace("__", "."): value for key, value in overrides.items()}}
    kept = {key: v for key, v in values.items() if not any(key.startswith(f"{name}.") for name in overrides)}
    return parse(tree(kept))


# Callbacks -----------------------------------------------------------------------------------------------------------


class Notes(pl.Callback):
    """What a callback of Lightning's users sees of each epoch, and of the training as a whole."""

    def __init__(self, into: str = "notes") -> None:
        self.seen = NOTES.setdefault(into, [])

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seen.append("start")

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seen.append((trainer.current_epoch, {name: v.item() for name, v in trainer.callback_metrics.items()}))

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seen.append("end")


NOTES: dict[str, list[Any]] = {}


def callback(**settings: Any) -> dict[str, Any]:
    return {"mine": {"_target_": "test_own_parts.Notes", **settings}}


def test_a_callback_sees_one_training_with_its_metrics(digits: Splits) -> None:
    configs = [own(callbacks=callback(into=f"fit {seed}"), seed=seed) for seed in (1, 2)]
    results = fit(configs, digits)
    for seed, result in zip((1, 2), results, strict=True):
        start, *epochs, end = NOTES[f"fit {seed}"]
        assert (start, end) == ("start", "end")
        assert [epoch for epoch, _ in epochs] == [0, 1, 2]
        for (_, metrics), row in zip(epochs, result.history, strict=True):
            assert metrics == pytest.approx({name: value for name, value in row.items() if name != "epoch"})


def test_a_callback_leaves_the_fit_as_it_is_and_trains_alone(digits: Splits) -> None:
    with_it, without = own(callbacks=callback(), seed=1), own(seed=1)
    assert fitting_stack_size(with_it, 2) == 1
    assert_same_bits(fit([with_it], digits)[0], fit([without], digits)[0])


def test_lightnings_own_early_stopping_ends_the_fit(digits: Splits) -> None:
    stopping = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/loss", "patience": 1}
    stopping["min_delta"] = 100.0
    (result,) = fit([own(callbacks={"stop": stopping}, trainer__max_epochs=9)], digits)
    assert (result.epochs, result.end) == (2, "callback")


def test_what_is_no_callback_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"callbacks.mine._target_ is a Callback of Lightning` must hold"):
        own(callbacks={"mine": {"_target_": "torch.nn.ReLU"}})
    with pytest.raises(ConfigError, match=r"data.folds is null with callbacks of one's own"):
        own(callbacks=callback(), data__folds=3)


@pytest.mark.parametrize(
    ("name", "instead"),
    [("StochasticWeightAveraging", "regularization.weight_average"), ("ModelCheckpoint", "trainer.restore_best")],
)
def test_a_callback_that_would_do_nothing_here_is_refused_with_what_does(name: str, instead: str) -> None:
    with pytest.raises(ConfigError, match=rf"_target_ is no {name}, for .*{instead}.*,` must hold, but got callbacks"):
        own(callbacks={"mine": {"_target_": f"pytorch_lightning.callbacks.{name}"}})


# Optimizers ----------------------------------------------------------------------------------------------------------


class Sign(torch.optim.Optimizer):
    """Steps of one size; and, so that shapes matter, a row of a matrix at a time."""

    def __init__(self, params: Any, lr: float = 0.1, *, by_row: bool = False) -> None:
        super().__init__(params, {"lr": lr, "by_row": by_row})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                scale = p.grad.abs().amax(dim=-1, keepdim=True) if group["by_row"] else 1.0
                p.add_(p.grad.sign() * scale, alpha=-group["lr"])


def optimizer(path: str, lr: float = 1e-2, **settings: Any) -> dict[str, Any]:
    return {"_target_": path, "lr": lr, **settings}


OPTIMIZERS = {
    "RMSprop": optimizer("torch.optim.RMSprop", alpha=0.9, momentum=0.5),
    "SGD": optimizer("torch.optim.SGD", momentum=0.9, nesterov=True, weight_decay=1e-3),
    "NAdam": optimizer("torch.optim.NAdam"),
    "Adafactor": optimizer("torch.optim.Adafactor"),
    "mine": optimizer("test_own_parts.Sign", lr=1e-3, by_row=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fits_with_any_optimizer_are_bitwise_the_same_alone_and_stacked(digits: Splits, name: str) -> None:
    given = OPTIMIZERS[name]
    one, other = own(optimizer=given, seed=1), own(optimizer={**given, "lr": given["lr"] / 3}, seed=2)
    first, second = fit([one, other], digits)
    assert_same_bits(fit([one], digits)[0], first)
    assert_same_bits(fit([other], digits)[0], second)
    assert first.metrics["final/train_loss"] < first.history[0]["train/loss"]


def test_an_optimizer_by_target_steps_as_ours_does(digits: Splits) -> None:
    """To rounding: ours is the fused one."""
    theirs = fit([own(optimizer=optimizer("torch.optim.Adam", lr=3e-3))], digits)[0]
    ours = fit([own(optimizer__lr=3e-3)], digits)[0]
    for row, expected in zip(theirs.history, ours.history, strict=True):
        assert row["val/loss"] == pytest.approx(expected["val/loss"], rel=1e-3)


def rate(epoch: int, divisor: float) -> float:
    return 1 / divisor


def test_what_fails_in_a_first_step_is_refused_in_one_line() -> None:
    sparse = own(optimizer=optimizer("torch.optim.SparseAdam"))
    with pytest.raises(ConfigError, match=r"`optimizer can step` must hold, but got .*SparseAdam: RuntimeError.*dense"):
        check_device(sparse)
    for divisor, shown in ((-2.0, "-0.5"), (0.0, "ZeroDivisionError")):
        schedule = own(lr_schedule={"_target_": "test_own_parts.rate", "divisor": divisor})
        with pytest.raises(ConfigError, match=rf"`lr_schedule gives a number >= 0 .* but got .*rate: {shown}"):
            check_device(schedule)


def test_settings_of_an_optimizer_come_back_and_its_rates_are_batchable() -> None:
    config = own(optimizer=OPTIMIZERS["RMSprop"])
    assert parse(as_tree(config)) == config
    faster = own(optimizer={**OPTIMIZERS["RMSprop"], "lr": 1.0, "momentum": 0.0, "weight_decay": 0.1})
    assert structure(faster) == structure(config)
    assert structure(own(optimizer={**OPTIMIZERS["RMSprop"], "alpha": 0.5})) != structure(config)
    assert own(optimizer=optimizer("torch.optim.AdamW")).optimizer.decay == 0.01
    assert own(optimizer=optimizer("torch.optim.AdamW")).optimizer.without_decay().decay == 0


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"_target_": "torch.optim.LBFGS"}, "optimizer._target_ steps without a closure` must hold"),
        ({"_target_": "torch.nn.ReLU"}, "optimizer._target_ is an Optimizer of torch` must hold"),
        ({"_target_": "torch.optim.RMSprop", "alfa": 1}, "torch.optim.RMSprop has no argument `optimizer.alfa`"),
        ({"_target_": None}, "optimizer._target_ is given with optimizer=own` must hold"),
    ],
)
def test_a_wrong_optimizer_is_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        own(optimizer=given)


def test_a_proximal_step_is_refused_where_the_optimizers_steps_are_not_known() -> None:
    with pytest.raises(ConfigError, match=r"regularization.l1_form == subgradient where regularization.l1 > 0"):
        own(optimizer=OPTIMIZERS["NAdam"], regularization__l1=0.1)


# Learning rate schedules ---------------------------------------------------------------------------------------------


def warmup(epoch: int, max_epochs: int, start: float = 0.5) -> float:
    return start + (1 - start) * epoch / max_epochs


class Rates(pl.Callback):
    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, stack: pl.LightningModule) -> None:
        self.seen.append([group["lr"] for group in stack.optimizer.torch_optimizer.param_groups])


TORCH = "torch.optim.lr_scheduler"
SCHEDULES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "function": ({"_target_": "test_own_parts.warmup", "start": 0.4}, [0.4, 0.6, 0.8]),
    "exponential": ({"_target_": f"{TORCH}.ExponentialLR", "gamma": 0.5}, [1, 0.5, 0.25]),
    "cosine": (
        {"_target_": f"{TORCH}.CosineAnnealingLR", "T_max": 4},
        [1, 0.8535533905932737, 0.5],
    ),
    "plateau": (
        {
            "_target_": f"{TORCH}.ReduceLROnPlateau",
            "patience": 0,
            "threshold": 100.0,
            "threshold_mode": "abs",
        },
        [1, 1, 0.1],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_torch_or_a_function_sets_the_rate_of_each_fit(digits: Splits, name: str) -> None:
    schedule, factors = SCHEDULES[name]
    rates = Rates()
    fit([own(lr_schedule=schedule, optimizer__lr=lr) for lr in (0.01, 0.02)], digits, watchers=[rates])
    for seen, factor in zip(rates.seen, factors, strict=True):
        assert seen == pytest.approx([0.01 * factor, 0.02 * factor], abs=1e-12)


# Regularizers --------------------------------------------------------------------------------------------------------


class Towards(Effect):
    """Adds strength / 2 * the squared distance of all parameters from a point to the objective."""

    order = 10

    def __init__(self, strength: float, point: float = 0.0) -> None:
        self.strength, self.point = strength, point

    def on_gradients(self) -> None:
        rows = self.fits.rows
        rows.grads_KP.add_(rows.values_KP - self.point, alpha=self.strength)

    def values_K(self) -> torch.Tensor:
        return self.strength / 2 * (self.fits.rows.values_KP - self.point).square().sum(dim=1)


def test_a_regularizer_of_the_users_own_acts_and_is_off_in_the_baseline(digits: Splits) -> None:
    from ridgeline.evaluation.baseline import regularizers, without_regularization

    mine = {"_target_": "test_own_parts.Towards", "strength": 5.0, "point": 0.25}
    config = own(regularization={"mine": mine}, trainer__max_epochs=10, optimizer__lr=0.02)
    assert parse(as_tree(config)) == config
    (result,) = fit([config], digits)
    weights = torch.cat([weight.flatten() for weight in result.weights.values()])
    assert weights.mean().item() == pytest.approx(0.25, abs=0.02)
    assert result.history[-1]["train/objective"] > result.history[-1]["train/loss"]
    assert regularizers(config) == {"regularization.mine": mine}
    assert regularizers(without_regularization(config)) == {}


class Other(Towards): ...


class Mixed(Effect):
    """Each fit gets the mean gradient of all."""

    def on_gradients(self) -> None:
        grads_KP = self.fits.rows.grads_KP
        grads_KP.copy_(grads_KP.mean(0, keepdim=True).expand_as(grads_KP))


class ClippedTogether(Effect):
    """By the norm over all fits, where it should be over each."""

    def on_gradients(self) -> None:
        self.fits.rows.grads_KP.div_(self.fits.rows.grads_KP.norm())


class Left(Effect):
    """What it remembers of a fit is still there for the next one in its row."""

    def __init__(self) -> None:
        self.mean_KP: torch.Tensor | None = None

    def on_gradients(self) -> None:
        grads_KP = self.fits.rows.grads_KP
        self.mean_KP = grads_KP.clone() if self.mean_KP is None else self.mean_KP.lerp(grads_KP, 0.1)
        grads_KP.copy_(self.mean_KP)


class Renewed(Left):
    """The same, but `begin` forgets; and its numbers are float32, whatever the network's are."""

    def begin(self, k: int) -> None:
        if self.mean_KP is not None:
            self.mean_KP[k] = 0

    def on_gradients(self) -> None:
        if self.mean_KP is None:
            self.mean_KP = torch.zeros_like(self.fits.rows.grads_KP, dtype=torch.float32)
        torch.add(self.mean_KP, self.fits.rows.grads_KP, out=self.mean_KP)
        self.fits.rows.grads_KP.copy_(self.mean_KP)


class Swapped(Effect):
    """A moment other than on_gradients that mixes the fits."""

    def after_step(self) -> None:
        self.fits.rows.values_KP.copy_(self.fits.rows.values_KP.flip(0) + 1)


class Drawn(Effect):
    def on_gradients(self) -> None:
        self.fits.rows.grads_KP.add_(torch.randn_like(self.fits.rows.grads_KP), alpha=0.1)


class Keyed(Effect):
    """Noise that is the fit's own."""

    def on_gradients(self) -> None:
        fits, grads_KP = self.fits, self.fits.rows.grads_KP
        needed = [True] * len(fits.seeds)
        grads_KP.add_(fits.noise.normals_KN(fits.seeds, fits.steps, needed, grads_KP.shape[1], 77).to(grads_KP.dtype))


class OneNumber(Towards):
    def values_K(self) -> torch.Tensor:
        return super().values_K().sum()


class Many(Towards):
    def values_K(self) -> torch.Tensor:
        return self.fits.rows.values_KP.square()


class Raising(Effect):
    def on_batch(self, batch: Any) -> None:
        raise ValueError("boom")


class Misspelt(Effect):
    def on_gradient(self) -> None: ...


class Measured(Effect):
    """Adds to the objective that is shown, and nothing to what is stepped along."""

    def values_K(self) -> torch.Tensor:
        return self.fits.rows.values_KP.square().sum(dim=1)


def tried(name: str, **settings: Any) -> None:
    effect = {"_target_": f"test_own_parts.{name}", **settings}
    # A loss with its weights: few examples lack classes. Folds: a trial is several fits.
    config = own(regularization={"mine": effect}, loss__class_weight="balanced", data__folds=2)
    check_effects(config, load_splits(config.data))


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("Mixed", "on_gradients"),
        ("ClippedTogether", "on_gradients"),
        ("Swapped", "after_step"),
        ("Left", "on_gradients"),
    ],
)
def test_a_regularizer_that_mixes_fits_or_remembers_an_earlier_one_is_refused(name: str, moment: str) -> None:
    rule = "regularization.mine gives a fit in a stack what it gives it alone"
    with pytest.raises(
        ConfigError, match=rf"`{rule}` must hold, but test_own_parts.{name} .* after {moment}: each row"
    ):
        tried(name)


def test_a_regularizer_that_draws_what_is_not_the_fits_own_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"after on_gradients: it draws random numbers, .* fits.noise draws"):
        tried("Drawn")


def test_a_regularizer_that_keeps_fits_apart_is_taken() -> None:
    state = torch.get_rng_state()
    for name in ("Keyed", "Renewed"):
        tried(name)
    tried("Towards", strength=0.1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("OneNumber", r"has ValueError: values_K gives \(\) for 2 fits, not a number a fit, \(2,\)"),
        ("Many", r"has ValueError: values_K gives \(2, \d+\) for 2 fits"),
        ("Raising", r"acts on the two fits of a stack` must hold, but test_own_parts.Raising has ValueError: boom"),
        ("Misspelt", r"test_own_parts.Misspelt has on_gradient, .* Did you mean on_gradients\?"),
        ("Measured", r"acts at one of the moments begin, .*` must hold, but got regularization.mine._target_="),
        ("Sign", r"is a subclass of ridgeline.Effect` must hold"),
        ("warmup", r"is a subclass of ridgeline.Effect` must hold"),
    ],
)
def test_what_is_no_regularizer_is_one_line(name: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        tried(name, **({"strength": 0.1} if name in ("OneNumber", "Many") else {}))


def test_which_regularizer_there_is_may_be_swept(tmp_path: Path) -> None:
    kinds = "++regularization.mine._target_=test_own_parts.Towards,test_own_parts.Other"
    plan = Studies(tmp_path / "runs", tmp_path / "mlflow.db").plan(kinds, "++regularization.mine.strength=0.1,0.2")
    configs = [parse(plan.trees.of(params).tree) for params in plan.grid or []]
    given = [dict(config.regularization.own)["mine"] for config in configs]
    assert [(one.path.rpartition(".")[2], dict(one.arguments)) for one in given] == [
        (name, {"strength": strength}) for name in ("Towards", "Other") for strength in (0.1, 0.2)
    ]


# A study -------------------------------------------------------------------------------------------------------------

OWN = """
import pytorch_lightning as pl


class Stop(pl.Callback):
    def __init__(self, after: int = 2) -> None:
        self.after = after

    def on_train_epoch_end(self, trainer, module):
        assert trainer.callback_metrics["val/loss"] > 0
        if trainer.current_epoch + 1 == self.after:
            trainer.should_stop = True
"""


@pytest.mark.verify
def test_trials_of_a_study_with_a_callback_train_alone_in_workers_as_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    command = [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m", "callbacks.mine._target_=mine.Stop"]
    command += ["callbacks.mine.after=2,3", "optimizer.lr=0.001,0.01,0.1", "trainer.max_epochs=5"]
    tables = []
    for launcher in (["hydra.launcher.workers=2"], ["hydra/launcher=basic"]):
        runs = tmp_path / launcher[0].replace("/", "-")
        subprocess.run([*command, *launcher, f"runs={runs}"], cwd=tmp_path, check=True, capture_output=True)
        (folder,) = runs.glob("studies/*")
        tables.append([(row["number"], row["epochs"], row["value"]) for row in table(folder)])
    assert [epochs for _, epochs, _ in tables[0]] == ["2", "2", "2", "3", "3", "3"]
    assert tables[0] == tables[1]
