"""Keys of Lightning's Trainer go to it as they are, where a LightningModule of the user's own is trained."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import check_key, with_targets
from ridgeline.config import Config, TrainerConfig, as_tree, parse
from ridgeline.config.deciding import deciding_keys
from ridgeline.config.lightning_keys import LIGHTNING, OURS
from ridgeline.lightning.training import build_trainer
from ridgeline.search.launching import StackSettings
from settings import SMALL, small, tree

MODEL = {"model._target_": "own_modules.Lit", "data._target_": "own_modules.Blobs"}
KEYS = {
    "accumulate_grad_batches": 4,
    "gradient_clip_val": 0.5,
    "gradient_clip_algorithm": "value",
    "limit_train_batches": 0.5,
    "limit_val_batches": 2,
    "val_check_interval": 0.5,
    "check_val_every_n_epoch": 2,
    "max_steps": 70,
}


def own(**given: Any) -> Config:
    kept = {key: value for key, value in SMALL.items() if key.split(".")[0] in ("optimizer", "network", "trainer")}
    return parse(tree({**kept, **MODEL, **{f"trainer.{key}": value for key, value in given.items()}}))


def test_every_argument_of_lightnings_trainer_is_a_key_or_is_refused_with_a_reason() -> None:
    named = {"accelerator", "precision", "max_epochs", "enable_progress_bar"}
    assert {*LIGHTNING, *OURS, *named} == {*inspect.signature(pl.Trainer).parameters}


def test_a_key_reaches_the_trainer_as_it_was_given(tmp_path: Path) -> None:
    trainer = build_trainer(own(**KEYS, precision="bf16-true"), pl, [], tmp_path)
    found = {name: getattr(trainer, name) for name in KEYS}
    assert {name: getattr(value, "value", value) for name, value in found.items()} == KEYS
    assert trainer.precision == "bf16-true"
    assert build_trainer(own(), pl, [], tmp_path).gradient_clip_val is None


def test_a_key_is_stored_with_the_trial_whose_numbers_it_decides() -> None:
    config = own(**KEYS)
    assert parse(as_tree(config)) == config
    assert {f"trainer.{name}": value for name, value in KEYS.items()}.items() <= deciding_keys(config).items()
    assert not {f"trainer.{name}" for name in LIGHTNING} & {*deciding_keys(own())}


def test_a_wrong_value_is_refused_in_one_line() -> None:
    wrong = {
        "accumulate_grad_batches": (0, "trainer.accumulate_grad_batches >= 1"),
        "gradient_clip_val": ("high", "trainer.gradient_clip_val is a number or an integer"),
        "gradient_clip_algorithm": ("l2", r"trainer.gradient_clip_algorithm in \{norm, value\}"),
        "limit_train_batches": (True, "trainer.limit_train_batches is an integer or a number"),
        "devices": (0, "trainer.devices is how many devices a trial has, at least 1"),
        "num_nodes": (2, "trainer.num_nodes is 1, for the devices of a trial are of one machine"),
        "strategy": ("fsdp", r"trainer.strategy in \{auto, .*\}, for the weights of a trial are kept whole"),
        "precision": ("17-mixed", r"trainer.precision in \{32-true"),
    }
    for key, (value, rule) in wrong.items():
        with pytest.raises(ConfigError, match=f"`{rule}.*must hold, but got trainer.{key}={value}"):
            own(**{key: value})
    with pytest.raises(ConfigError, match=r"Did you mean trainer.accumulate_grad_batches\?"):
        own(accumulate_grad_batchs=2)


def test_devices_and_strategy_say_in_how_many_processes_a_trial_trains() -> None:
    alone = [{}, {"devices": 1}, {"devices": "auto"}, {"devices": [1]}, {"strategy": "single_device"}]
    assert [(c.n_devices, c.is_spread) for c in (own(**each).trainer for each in alone)] == [(1, False)] * 5
    spread = [{"devices": 2}, {"devices": "3"}, {"devices": "0,2"}, {"devices": [0, 1], "strategy": "ddp_spawn"}]
    found = [own(**each).trainer for each in spread]
    assert [(c.n_devices, c.strategy_name) for c in found] == [(2, "ddp"), (3, "ddp"), (2, "ddp"), (2, "ddp")]
    unused = own(strategy="ddp_fork_find_unused_parameters_true").trainer
    assert (unused.strategy_name, unused.n_devices, unused.is_spread) == ("ddp_find_unused_parameters_true", 1, True)
    with pytest.raises(ConfigError, match=r"trainer.strategy is auto or one of ddp where trainer.devices > 1"):
        own(devices=2, strategy="single_device")


def test_trials_on_several_devices_are_so_many_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StackSettings, "count_devices", lambda self, gpu: 6)
    assert [StackSettings().count_workers(own(devices=n), gpu=False) for n in (1, 2, 4, 8)] == [6, 3, 1, 1]
    assert StackSettings().count_workers(own(devices=[2, 3]), gpu=True) == 1  # each trial trains on these
    assert StackSettings(workers=5).count_workers(own(devices=2), gpu=False) == 5


def test_without_a_module_of_ones_own_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"with a model of one's own \(else optimizer.gradient_clip_val\)"):
        small(trainer__gradient_clip_val=1.0)
    with pytest.raises(ConfigError, match="without a model of one's own"):
        small(trainer__precision="16-mixed")


def test_what_is_set_here_is_refused_where_it_is_typed_and_left_out_where_a_file_of_another_project_has_it() -> None:
    with pytest.raises(ConfigError, match=r"`trainer.logger is left out, for what is logged is in MLflow,` must hold"):
        check_key("trainer.logger", "trainer.logger=true")
    theirs = {"_target_": "lightning.pytorch.trainer.Trainer", "default_root_dir": "out", "accelerator": "gpu"}
    config = own(**theirs, precision=16, devices=1)  # default_root_dir is left out, and that is said
    assert (config.trainer.accelerator, config.trainer.precision) == ("cuda", "16-mixed")
    assert config.trainer.lightning == (("devices", 1),)


def test_a_key_needs_no_plus_on_the_command_line() -> None:
    typed = ["trainer.gradient_clip_val=1,2", "trainer.max_epochs=3", "+trainer.max_steps=4"]
    assert with_targets(typed) == ["++trainer.gradient_clip_val=1,2", "trainer.max_epochs=3", "+trainer.max_steps=4"]
    assert not {name for name in LIGHTNING if hasattr(TrainerConfig, name)}
