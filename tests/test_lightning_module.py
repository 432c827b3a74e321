"""A LightningModule and a LightningDataModule of the user's own are trained as they are, in the same studies."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import DummyLogger

import own_modules
from ridgeline.config import Config, ConfigError, as_tree, parse
from ridgeline.config.idle import idle_keys, refuse_idle
from ridgeline.lightning.spread import fit_on_devices
from ridgeline.lightning.training import fit_module
from ridgeline.stack.records import Row
from ridgeline.trial.requirements import check, check_device
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


@pytest.mark.verify
def test_a_module_of_the_package_lightning_trains_as_its_own_trainer_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose classes are others than those of pytorch_lightning. On two devices too."""
    package: Any = pytest.importorskip("lightning.pytorch", reason="needs lightning: pip install lightning")
    code = Path(own_modules.__file__).read_text()
    (tmp_path / "of_lightning.py").write_text(
        code.replace("import pytorch_lightning as pl", f"import {package.__name__} as pl")
    )
    monkeypatch.syspath_prepend(tmp_path)
    theirs: Any = importlib.import_module("of_lightning")
    names = {"model___target_": "of_lightning.Lit", "data___target_": "of_lightning.Blobs"}
    settings = {**names, "seed": 3, "trainer__restore_best": False}
    result = fit_module(own(**settings))
    package.seed_everything(3)
    module = theirs.Lit()
    trainer = package.Trainer(max_epochs=3, default_root_dir=tmp_path, accelerator="cpu", enable_progress_bar=False)
    trainer.fit(module, datamodule=theirs.Blobs())
    assert result.failure is None
    assert result.value == float(trainer.callback_metrics["val/acc"])
    assert all(result.weights[name].equal(value) for name, value in module.state_dict().items())
    regularized = {"regularization__l2": 0.01, "callbacks": {"early_stopping": {"monitor": "val/acc", "patience": 1}}}
    two = fit_on_devices(own(**settings, **regularized, trainer__devices=2, trainer__accelerator="cpu"))
    assert two.failure is None
    assert two.end == "early_stopping"


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
            r"metric is logged by own_modules.Lit` must hold, but got metric=val/auc. It logs train/acc, .*val/loss\.",
        ),
        (
            "Wide",
            {},
            r"`model trains one batch` must hold, .*RuntimeError: mat1 and mat2 .*\(own_modules.py, line \d+\)",
        ),
        ("Lit", {"data___target_": "own_modules.Unvalidated"}, "`the DataModule has a val_dataloader` must hold"),
        ("Lit", {"data__n": 0}, r"`data gives its loaders` must hold, but got data._target_=own_modules.Blobs: "),
    ],
)
def test_a_mistake_in_the_module_is_told_before_anything_is_written(
    module: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check(own(module, tracking__uri="sqlite:///:memory:", **settings))


@pytest.mark.parametrize(
    "module",
    ["Manual", "AtTheEnd", *(pytest.param(one, marks=pytest.mark.verify) for one in ("Scheduled", "Predicts"))],
)
def test_modules_of_many_kinds_train_as_plain_trainer_fit_does(module: str, tmp_path: Path) -> None:
    """Two groups of parameters and a schedule; two optimizers by hand; one number, once; a step that predicts."""
    metric = "last_acc" if module == "AtTheEnd" else "val/acc"
    config = own(module, metric=metric, seed=5, trainer__restore_best=False)
    check_device(config)
    result = fit_module(config)
    assert result.failure is None
    pl.seed_everything(5)
    plain, logger = getattr(own_modules, module)(), DummyLogger()
    trainer = pl.Trainer(max_epochs=3, default_root_dir=tmp_path, accelerator="cpu", logger=logger)
    trainer.fit(plain, datamodule=own_modules.Blobs())
    assert result.value == float(trainer.callback_metrics[metric])
    assert all(result.weights[name].equal(value) for name, value in plain.state_dict().items())


def test_what_is_restored_is_the_best_epoch_and_its_row_is_the_result() -> None:
    config = own("Scheduled", seed=3, trainer__max_epochs=6)
    result, accuracies = fit_module(config), list[float]()
    accuracies = [row["val/acc"] for row in result.history]
    assert result.value == max(accuracies)
    assert result.best_epoch == accuracies.index(max(accuracies)) + 1 < 6
    assert result.metrics["final/val_acc"] == result.value
    shorter = fit_module(replace(config, trainer=replace(config.trainer, max_epochs=result.best_epoch)))
    assert all(value.equal(shorter.weights[name]) for name, value in result.weights.items())


def test_early_stopping_is_ours_or_the_users_own() -> None:
    settings = {"monitor": "val/acc", "patience": 1, "min_delta": 2.0}
    ours = fit_module(own(callbacks={"early_stopping": settings}))
    assert (ours.end, ours.epochs) == ("early_stopping", 2)
    target = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", **settings, "mode": "max"}
    theirs = fit_module(own(callbacks={"early_stopping": target}))
    assert (theirs.end, theirs.epochs) == ("callback", 2)


def test_what_a_callback_logs_by_itself_is_part_of_the_curve() -> None:
    target = {"_target_": "pytorch_lightning.callbacks.LearningRateMonitor", "logging_interval": "epoch"}
    result = fit_module(own("Scheduled", callbacks={"lr": target}))
    assert [row["lr-SGD/pg1"] for row in result.history] == pytest.approx([0.05, 0.025, 0.0125])


def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """Shuffling, dropout, momentum, the schedule, the best weights and the rows."""
    config = own("Scheduled", seed=3, trainer__max_epochs=4, trainer__checkpoint_interval=0.0)

    def keep(row: Row) -> bool:
        if row["epoch"] == 2:
            (tmp_path / "last.ckpt").rename(tmp_path / "two.ckpt")
        return True

    whole = fit_module(config, go_on=keep, job_dir=tmp_path)
    later = replace(config, trainer=replace(config.trainer, ckpt_path=str(tmp_path / "two.ckpt")))
    check_device(later)
    resumed = fit_module(later)
    assert resumed.history == whole.history
    assert (resumed.value, resumed.best_epoch) == (whole.value, whole.best_epoch)
    assert all(value.equal(whole.weights[name]) for name, value in resumed.weights.items())
    with pytest.raises(ConfigError, match="`seed is 3 as in the checkpoint` must hold, but got seed=4"):
        check_device(replace(later, seed=4))
    (tmp_path / "two.ckpt").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"`trainer.ckpt_path is a checkpoint of one training` must hold"):
        check_device(later)


def test_a_metric_that_becomes_nan_ends_the_fit_with_the_reason() -> None:
    result = fit_module(own("Raises", metric="val/loss", model__lr=1e30))
    assert (result.end, result.failure) == ("diverged", "val/loss became nan in epoch 1")
