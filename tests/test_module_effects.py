"""`regularization.*` on a LightningModule without an edit does what its author would have written into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import own_modules
from ridgeline.config import Config, ConfigError, RegularizationConfig, parse
from ridgeline.config.idle import idle_keys
from ridgeline.lightning.effects import ModuleEffects, make_effects
from ridgeline.lightning.training import fit_module
from ridgeline.networks.stacking.noise import KeyedNoise, purpose_of
from ridgeline.regularizers import Effect, all_effects
from ridgeline.strengths import strengths_of
from settings import SMALL, small, tree

Optimizers = Callable[[Any], torch.optim.Optimizer]
SGD: Optimizers = lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)  # noqa: E731
ADAM: Optimizers = lambda p: torch.optim.Adam(p, lr=0.01)  # noqa: E731


class Plain(pl.LightningModule):
    """A convolution, a BatchNorm, dropout and Linears; it knows nothing of regularization."""

    def __init__(self, optimizer: Optimizers = SGD, rate: float = 0.0) -> None:
        super().__init__()
        self.make = optimizer
        self.body = nn.Sequential(
            nn.Conv1d(1, 4, 3, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(rate)
        )
        self.head = nn.Linear(24, 1)
        self.unused = nn.Linear(2, 2)

    def objective(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        return (self.head(self.body(x.unsqueeze(1))) - y).square().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.objective(batch)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.objective(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make(self.parameters())

    def weights(self) -> list[Tensor]:
        return [self.body[0].weight, self.head.weight, self.unused.weight]

    def penalty(self, l1: float, l2: float) -> Tensor:
        return torch.stack([l1 * w.abs().sum() + l2 / 2 * w.square().sum() for w in self.weights()]).sum()


class Edited(Plain):
    """The same with the penalties in its loss."""

    l1, l2, epochs = 0.003, 0.02, 99

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        penalty = self.penalty(self.l1, self.l2) if self.current_epoch < self.epochs else 0.0
        return self.objective(batch) + penalty


QUIET: dict[str, Any] = {
    "max_epochs": 2,
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
PENALTIES = {"regularization__l1": 0.003, "regularization__l2": 0.02, "regularization__l1_form": "subgradient"}


def loader() -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(24, 8, generator=generator), torch.randn(24, 1, generator=generator)
    return DataLoader(TensorDataset(x, y), batch_size=6)


def trained(module: Callable[[], pl.LightningModule], config: Config | None = None, **given: Any) -> pl.LightningModule:
    """What a Trainer makes of it, with the effects of a configuration if there is one."""
    pl.seed_everything(0, verbose=False)
    made = module()
    trainer = pl.Trainer(**{**QUIET, **given}, callbacks=make_effects(config) if config else [], num_sanity_val_steps=1)
    trainer.fit(made, loader(), loader(), ckpt_path=None)
    return made


def assert_equal(ours: pl.LightningModule, theirs: pl.LightningModule, tolerance: float = 1e-6) -> None:
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=tolerance, atol=tolerance, msg=name)


def effects_of(module: pl.LightningModule) -> ModuleEffects:
    return next(own for own in module.trainer.callbacks if isinstance(own, ModuleEffects))  # type: ignore[attr-defined]


HOW = {
    "sgd": (SGD, {}),
    "adam": (ADAM, {}),
    "accumulated": (SGD, {"accumulate_grad_batches": 3}),
    "clipped": (SGD, {"gradient_clip_val": 0.1}),
    "clipped_by_value": (ADAM, {"gradient_clip_val": 0.05, "gradient_clip_algorithm": "value"}),
    "bf16": (ADAM, {"precision": "bf16-mixed"}),
}


@pytest.mark.parametrize("how", HOW)
def test_penalties_are_those_of_an_edited_module(how: str) -> None:
    optimizer, given = HOW[how]
    config = small(**PENALTIES)
    assert_equal(trained(lambda: Plain(optimizer), config, **given), trained(lambda: Edited(optimizer), **given))


def test_float16_gradients_are_scaled_once() -> None:
    """A fused optimizer divides by the scale itself, after the penalties were added."""
    config = small(**PENALTIES)
    for fused in (False, True):

        def sgd(parameters: Any, fused: bool = fused) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=0.05, fused=fused)

        def scaled() -> list[Any]:
            return [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=64.0))]

        ours = trained(lambda s=sgd: Plain(s), config, plugins=scaled())
        assert_equal(ours, trained(lambda s=sgd: Edited(s), plugins=scaled()), tolerance=1e-4)


def test_penalties_follow_their_schedule() -> None:
    schedule = {"callbacks__penalty_schedule": {"name": "early", "epochs": 1}}

    class OneEpoch(Edited):
        epochs = 1

    assert_equal(trained(Plain, small(**PENALTIES, **schedule)), trained(OneEpoch))


def test_dropout_sets_the_rates_of_the_modules_own_layers() -> None:
    ours = trained(Plain, small(regularization__dropout=0.4))
    assert_equal(ours, trained(lambda: Plain(rate=0.4)), tolerance=0.0)
    kept = trained(lambda: Plain(rate=0.4), small(regularization__l2=1e-9))
    assert kept.body[4].p == 0.4  # type: ignore[union-attr]
    schedule = small(regularization__dropout=0.4, callbacks__dropout_schedule={"name": "early", "epochs": 1})
    assert trained(Plain, schedule).body[4].p == 0.0  # type: ignore[union-attr]


class Bounded(Plain):
    """Its author scales the weights of each unit down after each step."""

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for weight in self.weights():
                norms = weight.flatten(1).norm(dim=1).clamp_min(1e-12)
                weight.mul_((0.4 / norms).clamp_max(1.0).view(-1, *[1] * (weight.dim() - 1)))


def test_max_norm_bounds_each_units_weights_after_a_step() -> None:
    ours = trained(Plain, small(regularization__max_norm=0.4), accumulate_grad_batches=3)
    assert_equal(ours, trained(Bounded, accumulate_grad_batches=3))
    assert ours.head.weight.norm().item() == pytest.approx(0.4)  # type: ignore[union-attr]


class Shrunk(Plain):
    """Its author moves each weight towards 0 after each step, and no further."""

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(epoch, batch_idx, optimizer, *args, **kwargs)
        own = optimizer.optimizer
        with torch.no_grad():
            for weight in self.weights():
                size: Any = 0.05 / (1 - 0.9)
                if isinstance(own, torch.optim.Adam):
                    state = own.state.get(weight, {})
                    if not state:  # which the loss does not reach: any step takes it there
                        weight.zero_()
                        continue
                    size = 0.01 / ((state["exp_avg_sq"] / (1 - 0.999 ** float(state["step"]))).sqrt() + 1e-8)
                weight.copy_(weight.sign() * (weight.abs() - 0.15 * size).clamp_min(0.0))


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
def test_l1_lands_on_zero_in_the_sizes_of_the_optimizers_steps(optimizer: Optimizers) -> None:
    ours = trained(lambda: Plain(optimizer), small(regularization__l1=0.15))
    assert_equal(ours, trained(lambda: Shrunk(optimizer)))
    assert (ours.head.weight == 0).any()  # type: ignore[union-attr]


def test_l1_refuses_steps_whose_sizes_are_not_known() -> None:
    with pytest.raises(
        ConfigError, match=r"l1_form == subgradient .* got regularization.l1_form=proximal with RMSprop"
    ):
        trained(lambda: Plain(lambda p: torch.optim.RMSprop(p)), small(regularization__l1=0.01))


class Averaged(Plain):
    """Its author keeps an average of weights and running statistics, and validates with it."""

    def on_fit_start(self) -> None:
        self.average, self.taken, self.validated = None, 0, []  # type: ignore[var-annotated]

    def numbers(self) -> dict[str, Tensor]:
        return {name: t for name, t in self.state_dict().items() if t.is_floating_point()}

    def on_train_batch_end(self, *args: Any) -> None:
        self.taken += 1
        share = (1 - 0.8) / (1 - 0.8**self.taken)
        new = {name: tensor.clone() for name, tensor in self.numbers().items()}
        before = self.average or new
        self.average = {name: before[name] + share * (new[name] - before[name]) for name in new}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        trained = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        if self.average:
            self.load_state_dict({**trained, **self.average})
        super().validation_step(batch, batch_idx)
        self.load_state_dict(trained)


def test_averaged_weights_are_validated_and_kept_and_training_goes_on_with_its_own() -> None:
    ours = trained(Plain, small(regularization__weight_average=0.8))
    theirs = trained(Averaged)
    assert_equal(ours, theirs)
    found = [module.trainer.callback_metrics["val/loss"].item() for module in (ours, theirs)]
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    kept = effects_of(ours).weights_of(ours)
    for name, tensor in theirs.average.items():  # type: ignore[union-attr, operator]
        torch.testing.assert_close(kept[name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    assert_equal(ours, theirs)


def test_a_checkpoint_holds_the_average(tmp_path: Any) -> None:
    config = small(regularization__weight_average=0.8, regularization__gradient_noise=0.01)
    whole = trained(Plain, config)
    half = trained(Plain, config, max_epochs=1)
    half.trainer.save_checkpoint(tmp_path / "half.ckpt")
    pl.seed_everything(0, verbose=False)
    module = Plain()
    trainer = pl.Trainer(**QUIET, callbacks=make_effects(config))
    trainer.fit(module, loader(), loader(), ckpt_path=str(tmp_path / "half.ckpt"), weights_only=False)
    first, second = (effects_of(one).weights_of(one) for one in (whole, module))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert_equal(module, whole, tolerance=0.0)


class Two(pl.LightningModule):
    """Two networks, an optimizer each, which take turns; as its author writes it, with or without a penalty."""

    def __init__(self, l2: float = 0.0, raw: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.first, self.second, self.l2, self.raw = nn.Linear(8, 1), nn.Linear(8, 1), l2, raw

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        both = self.optimizers(use_pl_optimizer=not self.raw)
        own = (self.first, self.second)[batch_idx % 2]
        loss = (self.first(x) + self.second(x) - y).square().mean() + self.l2 / 2 * own.weight.square().sum()
        optimizer = both[batch_idx % 2]  # type: ignore[index]
        for each in both:  # type: ignore[union-attr]
            each.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.first(batch[0]).mean())

    def configure_optimizers(self) -> Any:
        return SGD(self.first.parameters()), ADAM(self.second.parameters())


class Joint(Two):
    """Both optimizers step after one backward pass."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        loss = (self.first(x) + self.second(x) - y).square().mean()
        for own in (self.first, self.second):
            loss = loss + self.l2 / 2 * own.weight.square().sum()
        both = self.optimizers()
        for each in both:  # type: ignore[union-attr]
            each.zero_grad()
        self.manual_backward(loss)
        for each in both:  # type: ignore[union-attr]
            each.step()


def test_a_gradient_has_its_penalty_once_where_several_optimizers_step_after_one_backward_pass() -> None:
    assert_equal(trained(Joint, small(regularization__l2=0.1)), trained(lambda: Joint(l2=0.1)))


@pytest.mark.parametrize("raw", [False, True])
def test_manual_optimization_of_two_optimizers_has_a_penalty_a_step_each(raw: bool) -> None:
    config = small(regularization__l2=0.1)
    assert_equal(trained(lambda: Two(raw=raw), config), trained(lambda: Two(l2=0.1, raw=raw)))


def test_a_step_that_lightning_does_not_see_is_refused() -> None:
    class Hidden(Two):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
            self.optimizers(use_pl_optimizer=False)[0].step(lambda: self.first(batch[0]).mean().backward())  # type: ignore[index]

    with pytest.raises(ConfigError, match=r"goes through self\.optimizers\(\)"):
        trained(Hidden, small(regularization__l2=0.1))


def test_tied_weights_count_once_and_frozen_ones_not_at_all() -> None:
    class Tied(Plain):
        def __init__(self) -> None:
            super().__init__(lambda p: torch.optim.SGD(p, lr=1.0))
            self.twin, self.table = nn.Linear(24, 1), nn.Linear(2, 2)
            self.twin.weight = self.head.weight
            self.kernel, self.held = self.body[0].weight, nn.ParameterList([self.head.weight])
            self.table.requires_grad_(False)

        def objective(self, batch: list[Tensor]) -> Tensor:
            return 0 * super().objective(batch)

    pl.seed_everything(0, verbose=False)
    before = Tied().state_dict()
    after = trained(Tied, small(regularization__l2=0.5), max_epochs=1, limit_train_batches=1).state_dict()
    for name, tensor in before.items():
        is_halved = name in ("head.weight", "twin.weight", "held.0", "body.0.weight", "kernel", "unused.weight")
        if "running" not in name and "batches" not in name:
            assert torch.equal(after[name], tensor / 2 if is_halved else tensor), name


def test_gradient_noise_is_that_of_a_stack() -> None:
    class Noisy(Plain):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            weights = self.weights()
            others = [p for p in self.parameters() if all(p is not w for w in weights)]
            size = sum(p.numel() for p in self.parameters())
            noise = KeyedNoise(torch.device("cpu"))
            row = noise.normals_KN([0], [self.global_step], [True], size, purpose_of("gradient_noise"))[0]
            for parameter in (*weights, *others):
                own, row = row[: parameter.numel()].view_as(parameter), row[parameter.numel() :]
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad += 0.1 * (1 + self.global_step) ** -0.275 * own

    assert_equal(trained(Plain, small(regularization__gradient_noise=0.1)), trained(Noisy))


def test_a_strength_that_finds_no_layer_is_refused_before_the_first_step() -> None:
    class Bare(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head, self.unused = nn.Sequential(nn.Flatten()), nn.PReLU(), nn.Identity()  # type: ignore[assignment]

        def objective(self, batch: list[Tensor]) -> Tensor:
            return self.head(batch[0]).mean()

    for key in ("l1", "l2", "max_norm"):
        with pytest.raises(ConfigError, match=rf"a layer with weights .* got regularization.{key}=0.1"):
            trained(Bare, small(**{f"regularization__{key}": 0.1}))
    with pytest.raises(
        ConfigError, match=r"has no dropout layer,` must hold, .*dropout=null leaves it out of a search"
    ):
        trained(Bare, small(regularization__dropout=0.1))
    with pytest.raises(ConfigError, match=r"len\(regularization.dropout\) == 1"):
        trained(Plain, small(regularization__dropout=[0.1, 0.2]))


def test_lazy_layers_are_named_for_they_have_no_weights_yet() -> None:
    class Lazy(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.LazyLinear(1)

    with pytest.raises(
        ConfigError, match=r"`the weights have shapes before .* got Lazy: head.weight is a lazy layer's"
    ):
        trained(Lazy, small(regularization__l2=0.1))


CANNOT = {
    "input_dropout": "whose batches are as its own code gets them",
    "input_noise": "whose batches are as its own code gets them",
    "dropconnect": "whose layers draw no masks of their weights",
    "stochastic_depth": "whose residual blocks have rates of their own",
    "group_lasso": "where it is not known which layer is the output's",
    "label_smoothing": "whose own code computes the loss",
    "mixup": "whose own code computes the loss",
}


def test_what_cannot_act_on_a_module_is_refused_with_the_reason() -> None:
    config = small()
    for key, why in CANNOT.items():
        own = RegularizationConfig(**{key: 0.1})
        with pytest.raises(ConfigError) as refused:
            own.check_on_module(config)
        rule = f"`regularization.{key} == 0 with model, {why},` must hold"
        assert str(refused.value) == f"{rule}, but got regularization.{key}=0.1."
    with pytest.raises(ConfigError, match="penalize == all with model"):
        RegularizationConfig(penalize="hidden").check_on_module(config)
    acting = {"dropout", "l1", "l2", "max_norm", "weight_average", "gradient_noise"}
    assert {*strengths_of(RegularizationConfig)} == acting | {*CANNOT}
    RegularizationConfig(**dict.fromkeys(acting, 0.1)).check_on_module(config)


def test_an_effect_that_needs_batches_says_that_it_acts_on_no_module() -> None:
    for effect in all_effects():
        if effect.settings is not None and type(effect).on_batch is not Effect.on_batch:
            acting = [name for name, own in strengths_of(effect.settings).items() if own.not_on_module is None]
            assert acting in ([], ["dropout"]), acting


GROUPS = ("optimizer", "network", "trainer")


class EditedLit(own_modules.Lit):
    """The module of the tests with a penalty in its loss."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        weights = [layer.weight for layer in self.net if isinstance(layer, nn.Linear)]
        penalty = torch.stack([weight.square().sum() for weight in weights]).sum()
        return super().training_step(batch, batch_idx) + 0.05 / 2 * penalty


def test_a_trial_ends_as_a_plain_trainer_ends_with_the_edited_module() -> None:
    """Its learning curve, by the numbers that the module logs, and the weights that are kept."""
    ours = tree(
        {key: value for key, value in SMALL.items() if key.split(".")[0] in ("optimizer", "network", "trainer")}
    )
    given = tree({"model._target_": "own_modules.Lit", "data._target_": "own_modules.Blobs", "seed": 3})
    given |= tree({"regularization.l2": 0.05, "regularization.dropout": 0.4, "metric": "val/loss"})
    ours["trainer"] |= {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5, "restore_best": False}
    result = fit_module(parse({**ours, **given}))
    pl.seed_everything(3, verbose=False)
    data, module = own_modules.Blobs(), EditedLit(own_modules.Net(dropout=0.4))
    trainer = pl.Trainer(**{**QUIET, "max_epochs": 3}, accumulate_grad_batches=2, gradient_clip_val=0.5)
    trainer.fit(module, datamodule=data)
    assert result.failure is None
    assert result.value == pytest.approx(float(trainer.callback_metrics["val/loss"]), rel=1e-5)
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(result.weights[name], tensor, rtol=1e-5, atol=1e-6, msg=name)


def test_a_form_or_a_schedule_without_a_strength_is_idle_beside_a_module_too() -> None:
    given = tree({"model._target_": "own_modules.Lit", "data._target_": "own_modules.Blobs", "metric": "val/loss"})
    ours = tree({key: value for key, value in SMALL.items() if key.split(".")[0] in GROUPS})
    schedule = {"callbacks": {"penalty_schedule": {"name": "early", "epochs": 1}}}
    idle = {one.key for one in idle_keys(parse({**ours, **given, **schedule}))}
    assert {"regularization.l1_form", "callbacks.penalty_schedule", "optimizer", "network"} <= idle
    acting = {**ours, **given, **schedule, "regularization": {"l1": 0.1}}
    assert not {"regularization.l1_form", "callbacks.penalty_schedule"} & {one.key for one in idle_keys(parse(acting))}
