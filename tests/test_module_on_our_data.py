"""A LightningModule of the user's own trains on data of ours: `model._target_=mine.Lit data=digits`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

import own_modules
from ridgeline.config import Config, ConfigError, parse
from ridgeline.data import SplitLocked, load_splits
from ridgeline.lightning.data import open_data
from ridgeline.lightning.rehearsal import rehearse
from ridgeline.lightning.training import fit_module
from settings import SMALL, tree


def own(module: str, data: str = "digits", metric: str = "val/acc", **overrides: Any) -> Config:
    kept = {key: value for key, value in SMALL.items() if key.split(".")[0] in ("optimizer", "network", "trainer")}
    values = {
        **kept,
        "model._target_": f"own_modules.{module}",
        "data.name": data,
        "metric": metric,
        "search.direction": "minimize" if metric.endswith("loss") else "maximize",
        **{key.replace("__", "."): value for key, value in overrides.items()},
    }
    return parse(tree(values))


def test_a_module_learns_from_our_splits_and_is_told_their_sizes() -> None:
    result = fit_module(own("Sized", trainer__max_epochs=8, model__hidden=16))
    assert result.failure is None
    assert result.value > 0.8
    assert result.weights["net.0.weight"].shape == (16, 64)
    rehearse(own("Sized", model__n_inputs=64))
    with pytest.raises(ConfigError, match=r"`model trains one batch` must hold, .*mat1 and mat2 shapes"):
        rehearse(own("Sized", model__n_inputs=63))


def test_its_curve_is_that_of_plain_trainer_fit_on_the_same_batches(tmp_path: Path) -> None:
    config = own("Sized", seed=3, trainer__max_epochs=2)
    result = fit_module(config)
    pl.seed_everything(3)
    trainer = pl.Trainer(max_epochs=2, default_root_dir=tmp_path, accelerator="cpu", enable_progress_bar=False)
    trainer.fit(own_modules.Sized(64, 10), datamodule=open_data(config))
    assert result.history[-1]["val/acc"] == float(trainer.callback_metrics["val/acc"])


def test_an_epoch_shows_each_train_example_once_in_an_order_of_its_own() -> None:
    config = own("Sized", trainer__batch_size=100)
    splits, data = load_splits(config.data), open_data(config)
    once, again = (torch.cat([x for x, _ in data.train_dataloader()]) for _ in range(2))
    assert once.shape == splits.train.x_NI.shape
    assert not once.equal(again)
    assert sorted(once.tolist()) == sorted(again.tolist()) == sorted(splits.train.x_NI.tolist())
    x, y = (torch.cat(parts) for parts in zip(*data.val_dataloader(), strict=True))
    assert x.equal(splits.validation.x_NI)
    assert y.equal(splits.validation.y_N)


def test_images_come_with_channels_unless_it_asks_for_rows() -> None:
    x, _ = next(iter(open_data(own("OfImages")).train_dataloader()))
    assert x.shape[1:] == (1, 8, 8)
    assert fit_module(own("OfImages")).failure is None
    x, _ = next(iter(open_data(own("Sized")).train_dataloader()))
    assert x.shape[1:] == (64,)


def test_numbers_are_predicted_in_standard_deviations() -> None:
    config = own("OfNumbers", "diabetes", "val/loss", trainer__max_epochs=10)
    assert fit_module(config).value < 0.9
    with pytest.raises(ConfigError, match=r"`model trains one batch` must hold, .*Using a target size"):
        rehearse(own("OfNumbers", "diabetes", "val/loss", model__squeeze=False))


def test_the_test_split_is_locked_to_a_module_and_its_callbacks() -> None:
    config = own("Lit", data___target_="own_modules.Blobs", data__name="own")
    assert config.data.is_module
    with pytest.raises(SplitLocked):
        open_data(config).test_dataloader()
    with pytest.raises(Exception, match="test_dataloader"):
        open_data(own("Sized")).test_dataloader()


def test_what_a_module_cannot_take_of_our_data_is_refused_in_one_line(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 9},{'ab'[i % 2]}\n" for i in range(80))
    (tmp_path / "rows.csv").write_text("weight,city,label\n" + rows)
    table = {"data.path": str(tmp_path / "rows.csv"), "data.target": "label", "data.categorical": ["city"]}
    with pytest.raises(ConfigError, match=r"`data.weight is null with a model of one's own` must hold"):
        own("Sized", "table", **table, **{"data.weight": "weight"})
    with pytest.raises(ConfigError, match=r"`data.one_hot >= \d+ with a model that has no argument layout"):
        rehearse(own("Sized", "table", **table, data__one_hot=2))
    with pytest.raises(ConfigError, match=r"`data.folds is null with"):
        own("Sized", data__folds=3)
