"""Every command that is printed or stored can be pasted: into any folder, any shell, with whatever is in its paths."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from ridgeline.command_line import commands
from ridgeline.command_line.commands import command, look_at, runs_setting
from ridgeline.command_line.composed import plain
from ridgeline.command_line.places import ROOT
from ridgeline.quoting import pasted, setting
from sweeping import Studies

HOSTILE = "a b's (1) =$x é"
TEXTS = [
    HOSTILE,
    "",
    "null",
    "true",
    "1e-3",
    "007",
    "${seed}",
    'say "no"',
    "back\\",
    "a,b",
    "[x]",
    "{k: v}",
    "~",
    "#",
    "a\tb",
]


QUOTED = [HOSTILE, "back\\", "\\'", "two\\\\' ' \\x", "''", "\\\\"]


@pytest.mark.parametrize("text", [*TEXTS, *QUOTED[2:]])
def test_a_value_reaches_hydra_as_it_is(text: str) -> None:
    """Through the shell's grammar, Hydra's, and the references of OmegaConf."""
    *_, argument = shlex.split(command("train", setting("tracking.experiment", text)))
    value = OverridesParser.create().parse_override(argument).value()
    assert OmegaConf.create({"experiment": value, "seed": 0}).experiment == text
    (argument,) = shlex.split(pasted("data.drop", [text, "id"]))
    assert OmegaConf.create(OverridesParser.create().parse_override(argument).value())[0] == text
    if text in QUOTED:
        assert setting("key", text) == f"key={QuotedString(text, Quote.single).with_quotes()}"


def test_values_of_every_kind_reach_hydra_as_they_are() -> None:
    for value in (None, True, 3, 1e-05, 0.1, [64, 32], ["a b", None], {"a": [1.5, "c,d"]}):
        assert OverridesParser.create().parse_override(setting("key", value)).value() == value


def test_a_command_is_short_only_where_that_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = shlex.join([sys.executable, str(ROOT / "pipelines" / "train.py")])
    monkeypatch.setattr(commands, "_interpreter", lambda: True)
    monkeypatch.chdir(tmp_path)
    assert command("train") == long
    assert command("train", where="project") == "python pipelines/train.py"
    monkeypatch.chdir(ROOT)
    assert command("train") == "python pipelines/train.py"
    assert command("train", where="anywhere") == long
    assert look_at(commands.RUNS / "mlflow.db") == "make ui"
    monkeypatch.setattr(commands, "_interpreter", lambda: False)
    assert command("train") == long
    other = shlex.split(look_at(tmp_path / HOSTILE / "mlflow.db"))
    assert other[0] == sys.executable
    assert other[-1] == f"sqlite:///{tmp_path}/{HOSTILE}/mlflow.db"


def test_python_is_short_only_where_it_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder, expected in ((os.path.dirname(sys.executable), True), (tmp_path, False)):
        (tmp_path / "python").write_text("#!/bin/sh\n")
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        commands._interpreter.cache_clear()
        assert commands._interpreter() is expected
    commands._interpreter.cache_clear()


def test_the_runs_folder_is_named_unless_a_new_shell_means_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RIDGELINE_RUNS", raising=False)
    assert runs_setting(commands.RUNS) == []
    assert runs_setting(tmp_path) == [f"runs={tmp_path}"]
    monkeypatch.setenv("RIDGELINE_RUNS", str(tmp_path))
    assert runs_setting(tmp_path) == [f"runs={tmp_path}"]  # the next shell does not know of it
    assert runs_setting(commands.RUNS) == [f"runs={commands.RUNS}"]


def test_a_retrain_command_composes_what_the_trial_was_trained_with(tmp_path: Path) -> None:
    """Whatever the study was started with: choices of the search, references, values that need quotes."""
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    given = ["search=bayes", "search/sampler=random", "search/pruner=median", "search.seed=7", "seed=${search.seed}"]
    given += ["regularization.input_dropout=${regularization.dropout}", "hydra/launcher=basic"]
    studies.fixed[0], studies.fixed[2] = setting("runs", tmp_path / HOSTILE), setting("tracking.experiment", HOSTILE)
    plan = studies.plan(*given)
    params = {"regularization.l2": 1e-05, "regularization.dropout": 0.1234567890123}
    words = shlex.split(plan.line.retrain(params))
    assert words[:2] == [sys.executable, str(ROOT / "pipelines" / "train.py")]
    assert not any(word.startswith(("search", "hydra/launcher", "tracking.keep_weights")) for word in words[2:])
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        again = plain(compose("config", overrides=[word for word in words[2:] if not word.startswith("hydra")]))
    trained = plan.trees.of(params).tree
    unlike = {key for key in trained if again[key] != trained[key]}
    assert unlike == {"search", "tracking"}  # of how many trials the weights are kept
    assert again["seed"] == 7
    assert again["regularization"]["input_dropout"] == 0.1234567890123
    assert again["runs"] == str(tmp_path / HOSTILE)


def test_a_file_that_chooses_its_sampler_and_pruner_is_composed_without_a_search(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    chosen = ["/search: bayes", "/search/sampler: gp", "/search/pruner: median"]
    defaults = "".join(f"  - override {choice}\n" for choice in chosen)
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\ndefaults:\n{defaults}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        given = [f"hydra.searchpath=[file://{tmp_path}]", "search=grid", "experiment=mine"]
        search = compose("config", overrides=given).search
    assert (search.name, search.sampler, search.pruner) == ("grid", None, None)


def test_a_file_that_looks_for_more_files_beside_it_is_found_from_elsewhere() -> None:
    source = {"path": "more", "schema": "file", "provider": "hydra.searchpath in main"}
    job, runtime = {"config_name": "config"}, {"config_sources": [source], "cwd": "/where"}
    node = OmegaConf.create({"job": job, "runtime": runtime, "overrides": {"hydra": []}})
    assert commands.started_with(node) == ([], ["hydra.searchpath=['file:///where/more']"])


def paste(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Into a shell in another folder, where no environment is activated."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.verify
def test_every_printed_command_runs_when_pasted_elsewhere(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / HOSTILE, tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "my conf" / "experiment").mkdir(parents=True)
    mine = "defaults:\n  - override /search: bayes\nsearch: {n_trials: 4}\nseed: ${search.seed}\n"
    (home / "my conf" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{mine}")
    started = [sys.executable, str(ROOT / "pipelines" / "train.py"), "-m", "--config-dir", "my conf", "experiment=mine"]
    started += ["search/sampler=random", "search/pruner=median", "search.n_startup_trials=3", "search.study_name=s"]
    started += ["data=wine", "trainer.max_epochs=3", "runs=my runs", "search.seed=7"]
    ended = subprocess.run(started, cwd=home, capture_output=True, text=True, check=True, timeout=300)
    printed = dict(re.findall(r"(?m)^(Train the best again|Does it help\?|As a page):? +(.*)$", ended.stdout))
    results = yaml.safe_load((home / "my runs" / "studies" / "s" / "optimization_results.yaml").read_text())
    assert printed["Train the best again"] == results["command"]

    trained = paste(results["command"], elsewhere)
    assert trained.returncode == 0, trained.stderr
    assert f"{results['best_value']:.4f}" in trained.stdout

    few = " confirm.seeds=2 confirm.top=1 confirm.selection_seeds=2"
    confirmed = paste(printed["Does it help?"] + few, elsewhere)
    assert confirmed.returncode == 0, confirmed.stderr
    (line,) = re.findall(r"(?m)^Train it again: (.*)$", confirmed.stdout)
    champion = paste(line, elsewhere)
    assert champion.returncode == 0, champion.stderr

    drawn = paste(printed["As a page"], elsewhere)
    assert drawn.returncode == 0, drawn.stderr
    assert list(elsewhere.iterdir()) == []
