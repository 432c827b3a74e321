"""A LightningModule of the user's own trains on several devices within a trial; to a study it is one trial."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl

import own_modules
from ridgeline.checking import ConfigError
from ridgeline.lightning.rehearsal import rehearse
from ridgeline.lightning.spread import fit_on_devices
from ridgeline.search.endings import StudyStopped
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.records import Row
from ridgeline.stack.source import Fit
from sweeping import Studies, results, table
from test_lightning_module import own
from test_lightning_study import ACCURACY, MODULE, PRUNED, typed
from test_module_on_our_data import own as on_our_data
from test_stacked_study import train

pytestmark = pytest.mark.verify
TWO = {"trainer__devices": 2, "trainer__accelerator": "cpu"}


def test_the_final_metric_on_two_devices_equals_plain_trainer_fit_on_two(tmp_path: Path) -> None:
    """The curve of a module that says nothing of devices is the mean over them, which `sync_dist=True` logs."""
    result = fit_on_devices(own("Synced", seed=3, trainer__restore_best=False, **TWO))
    pl.seed_everything(3, workers=True)
    module, settings = own_modules.Synced(), {"accelerator": "cpu", "devices": 2, "strategy": "ddp_spawn"}
    trainer = pl.Trainer(max_epochs=3, default_root_dir=tmp_path, enable_progress_bar=False, logger=False, **settings)
    trainer.fit(module, datamodule=own_modules.Blobs())
    assert result.failure is None
    assert result.value == float(trainer.callback_metrics["val/acc"])
    assert all(result.weights[name].equal(value) for name, value in module.state_dict().items())
    unaware = fit_on_devices(own(seed=3, trainer__restore_best=False, **TWO, trainer__strategy="ddp_fork"))
    for row, same in zip(unaware.history, result.history, strict=True):
        assert {name: row[name] for name in ("val/loss", "val/acc")} == pytest.approx(
            {name: same[name] for name in ("val/loss", "val/acc")}, rel=1e-6
        )


def test_two_devices_with_half_the_batch_each_train_what_one_does_with_the_whole() -> None:
    """So penalties, bounds and averaged weights act once, and alike in each process."""
    settings = {"data___target_": "own_modules.Divided", "trainer__max_epochs": 5, "seed": 1}
    settings |= {f"regularization__{name}": value for name, value in (("l2", 0.1), ("dropout", 0.0), ("max_norm", 0.9))}
    settings |= {"regularization__weight_average": 0.5}
    one = fit_on_devices(own("Scheduled", data__batch_size=90, **settings))
    two = fit_on_devices(own("Scheduled", data__batch_size=45, **settings, **TWO))
    assert one.failure is two.failure is None
    assert [row["val/loss"] for row in two.history] == pytest.approx([row["val/loss"] for row in one.history], rel=1e-5)
    assert all(value.allclose(one.weights[name], atol=1e-6) for name, value in two.weights.items())


def test_data_of_ours_are_divided_among_two_devices() -> None:
    settings = {"trainer__max_epochs": 5, "trainer__batch_size": None}
    one = fit_on_devices(on_our_data("Sized", **settings))
    two = fit_on_devices(on_our_data("Sized", **settings, **TWO))
    assert one.failure is two.failure is None
    assert [row["val/loss"] for row in two.history] == pytest.approx([row["val/loss"] for row in one.history], rel=1e-3)


def test_a_study_on_two_devices_that_was_pruned_and_stopped_ends_with_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = ("trainer.devices=2", "trainer.accelerator=cpu", "search.n_trials=4", "hydra.launcher.workers=1")
    command = typed(*MODULE, *ACCURACY, *PRUNED[:-1], *devices)
    whole = Studies(tmp_path / "whole", tmp_path / "mlflow.db").run(*command, task=train)
    assert {"COMPLETE", "PRUNED"} == {row["state"] for row in table(whole)}
    stopped, ended = Studies(tmp_path / "stopped", tmp_path / "mlflow.db"), OpenTrials.ended

    def interrupt(self: OpenTrials, fit: Fit) -> None:
        ended(self, fit)
        if len([t for t in self.trials.study.trials if t.state.is_finished()]) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenTrials, "ended", interrupt)
    with pytest.raises(StudyStopped, match="2 of 4 trials are saved"):
        stopped.run(*command, task=train)
    monkeypatch.undo()
    assert results(stopped.run(*command, task=train)) == results(whole)


@pytest.mark.parametrize(
    ("killed", "words"),
    [(False, "ValueError: the dog ate it (own_modules.py"), (True, "the process of device 1 ended with exit code -9")],
)
def test_what_befalls_one_device_is_why_the_trial_failed(killed: bool, words: str) -> None:
    result = fit_on_devices(own("FailsOnTheSecond", model__killed=killed, **TWO))
    assert words in str(result.failure)
    assert (result.end, result.epochs, result.weights) == ("failed", 1, {})


def test_what_two_devices_cannot_train_is_told_before_anything_is_written() -> None:
    with pytest.raises(ConfigError, match=r"`model trains one batch` must hold, .*own_modules.Wide: RuntimeError"):
        rehearse(own("Wide", **TWO))
    with pytest.raises(ConfigError, match=r"metric is logged by own_modules.Lit` must hold"):
        rehearse(own(metric="val/auc", **TWO))


def test_a_training_on_two_devices_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    settings = {"seed": 3, "trainer__max_epochs": 4, "trainer__checkpoint_interval": 0.0, **TWO}

    def keep(row: Row) -> bool:
        if row["epoch"] == 2:
            (tmp_path / "last.ckpt").rename(tmp_path / "two.ckpt")
        return True

    whole = fit_on_devices(own("Scheduled", **settings), go_on=keep, job_dir=tmp_path)
    resumed = fit_on_devices(own("Scheduled", **settings, trainer__ckpt_path=str(tmp_path / "two.ckpt")))
    assert resumed.failure is None
    assert resumed.history == whole.history
    assert all(value.equal(whole.weights[name]) for name, value in resumed.weights.items())


def test_no_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """Not even where that is killed and can end nothing."""
    code = "from test_lightning_module import own; from ridgeline.lightning.spread import fit_on_devices\n"
    code += "fit_on_devices(own('Slow', trainer__devices=2, trainer__accelerator='cpu'))"
    environment = os.environ | {"PIDS": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as parent:
        try:
            assert _waited(lambda: len(list(tmp_path.iterdir())) == 2)
        finally:
            parent.kill()
    assert _waited(lambda: not any(Path(f"/proc/{own.name}").exists() for own in tmp_path.iterdir()))


def _waited(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False
