"""A LightningModule and a LightningDataModule of the user's own are trained as they are, in the same studies."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl

import own_modules
from ridgeline.config import Config, ConfigError, as_tree, parse
from ridgeline.config.idle import idle_keys, refuse_idle
from ridgeline.lightning.training import fit_module
from ridgeline.trial.requirements import check
from settings import SMALL, small, tree


def own(module: str = "Lit", **overrides: Any) -> Config:
    """The module with the `Blobs`, for three epochs."""
    kept = {key: value for key, value in SMALL.items() if key.split(".")[0] in ("optimizer", "network", "trainer")}
    values = {
        **kept,
        "model._target_": f"own_modules.{module}",
        "data._target_": "own_modules.Blobs",
        "metric": "val/acc",
        "search.direction": "maximize",
        **{key.replace("__", "."): value for key, value in overrides.items()},
    }
    return parse(tree(values))


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.verify)])
def test_the_final_metric_of_a_trial_equals_plain_trainer_fit_with_its_seed(workers: int, tmp_path: Any) -> None:
    result = fit_module(own(seed=3, trainer__restore_best=False, data__num_workers=workers))
    pl.seed_everything(3)
    data, module = own_modules.Blobs(num_workers=workers), own_modules.Lit()
    trainer = pl.Trainer(max_epochs=3, default_root_dir=tmp_path, accelerator="cpu", enable_progress_bar=False)
    trainer.fit(module, datamodule=data)
    plain = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert result.failure is None
    assert result.value == plain["val/acc"]
    assert {name: value for name, value in result.history[-1].items() if name != "epoch"} == plain
    assert all(result.weights[name].equal(value) for name, value in module.state_dict().items())


def test_a_module_takes_its_own_metric_whose_direction_must_be_said() -> None:
    with pytest.raises(ConfigError, match=r"search.direction in \{minimize, maximize\} is given with metric=val/acc"):
        own(search__direction=None)
    assert own().direction == "maximize"
    config = own(metric="val/loss", search__direction=None)
    assert config.direction == "minimize"
    assert parse(as_tree(own())) == own()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data__train": 0.5}, "own_modules.Blobs has no argument `data.train`"),
        ({"model__hidden": 4}, "own_modules.Lit has no argument `model.hidden`"),
        ({"model___target_": "own_modules.Blobs"}, "`model._target_ is a LightningModule` must hold"),
        ({"data__folds": 3}, "has no argument `data.folds`"),
        ({"debug": "overfit"}, "`debug is null with a model of one's own` must hold"),
        ({"callbacks": {"early_stopping": {"monitor": "val_loss"}}}, "`callbacks.early_stopping.monitor is val/acc"),
    ],
)
def test_what_a_module_cannot_have_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        own(**settings)
    assert words in str(refused.value)


@pytest.mark.parametrize("key", ["network.hidden", "loss", "optimizer.lr", "lr_schedule", "augmentation.shift", "task"])
def test_a_key_that_the_module_does_the_work_of_is_without_effect(key: str) -> None:
    with pytest.raises(
        ConfigError, match=r"`model is null` must hold where .* is given, but got model=own_modules\.Lit"
    ):
        refuse_idle({key: []}, idle_keys(own()))


def test_callbacks_that_ours_stand_in_for_are_a_modules_own() -> None:
    mine = {"early_stopping": {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/loss"}}
    mine["kept"] = {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint"}
    config = own(callbacks=mine)
    assert [name for name, _ in config.callbacks.own] == ["early_stopping", "kept"]
    assert config.callbacks.early_stopping is None
    assert parse(as_tree(config)) == config
    with pytest.raises(ConfigError, match=r"callbacks.kept._target_ is no ModelCheckpoint"):
        small(callbacks=mine)


@pytest.mark.parametrize(
    ("module", "settings", "words"),
    [
        (
            "Lit",
            {"metric": "val/auc"},
            "metric is logged by own_modules.Lit, as are train/acc, train/loss, .*val/loss,",
        ),
        (
            "Wide",
            {},
            r"`model trains one batch` must hold, .*RuntimeError: mat1 and mat2 .*\(own_modules.py, line \d+\)",
        ),
        ("Lit", {"data__n": 0}, r"`data gives its loaders` must hold, but got data._target_=own_modules.Blobs: "),
    ],
)
def test_a_mistake_in_the_module_is_told_before_anything_is_written(
    module: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check(own(module, tracking__uri="sqlite:///:memory:", **settings))
