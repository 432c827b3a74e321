"""A LightningModule and a LightningDataModule of the user's own are trained as they are, in the same studies."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl

import own_modules
from ridgeline.config import Config, parse
from ridgeline.lightning.training import fit_module
from settings import SMALL, tree


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
