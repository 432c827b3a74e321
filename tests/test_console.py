"""The console command `ridgeline`, and what an installed package that is no checkout does otherwise."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.utils import create_config_search_path
from omegaconf import OmegaConf

from ridgeline import __main__ as console
from ridgeline.checking import ConfigError
from ridgeline.command_line import commands, own_conf, places, ui
from ridgeline.command_line.arguments import read_arguments
from ridgeline.command_line.commands import called, command, look_at, runs_setting, started_with
from ridgeline.tracking import provenance

HOSTILE = "a b's (1) =$x é"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Path:
    """As in a wheel's environment, started by its console command; the command's path."""
    script = Path("/env/bin/ridgeline")
    monkeypatch.setattr(commands, "IS_CHECKOUT", False)
    monkeypatch.setattr(provenance, "IS_CHECKOUT", False)
    monkeypatch.setenv(places.CONSOLE, str(script))
    return script


def typed(*words: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-X", "importtime", "-m", "ridgeline"]
    return subprocess.run([*start, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_that_takes_time(flag: str) -> None:
    """What makes them answer in a fraction of a second."""
    done = typed(flag)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == 0
    assert "ridgeline" in imported
    assert not imported & {"torch", "hydra", "omegaconf", "mlflow", "optuna", "numpy", "pandas", "sklearn"}
    assert all(f"\n  {name} " in done.stdout for name in ("train", "ui")) or flag == "--version"


def test_an_unknown_command_is_refused_in_one_line_with_the_nearest() -> None:
    done = typed("trian", "seed=1")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (done.returncode, done.stdout) == (2, "")
    assert lines == ["error: There is no command `ridgeline trian`. Did you mean train?"]


def test_every_pipeline_is_a_command() -> None:
    """But the one that writes params.yaml for DVC, which is of a checkout."""
    scripts = {path.stem for path in (places.ROOT / "pipelines").glob("*.py")}
    assert {*console.PIPELINES, *console.RECIPES} == scripts - {"compose"}


def test_a_pipeline_gets_the_words_behind_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(console.runpy, "run_path", lambda path, run_name: ran.append((path, run_name, sys.argv)))
    monkeypatch.setattr(sys, "argv", ["/env/bin/ridgeline", "train", "-m", "seed=1,2"])
    monkeypatch.setenv(places.CONSOLE, "")
    console.main()
    script = str(places.ROOT / "pipelines" / "train.py")
    assert ran == [(script, "__main__", [script, "-m", "seed=1,2"])]
    assert command("train", where="anywhere") == "/env/bin/ridgeline train"


def test_printed_commands_are_of_the_form_that_was_typed(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert command("train", "seed=1", where="project") == "ridgeline train seed=1"
    assert command("train", "seed=1", where="anywhere") == "/env/bin/ridgeline train seed=1"
    assert called(Path("/x/pipelines/confirm.py")) == "ridgeline confirm"
    monkeypatch.setattr(commands.shutil, "which", lambda name: f"/env/bin/{name}")
    assert command("train") == "ridgeline train"
    monkeypatch.setattr(commands.shutil, "which", lambda name: f"/another/bin/{name}")
    assert command("train") == "/env/bin/ridgeline train"
    own = tmp_path / "mine.py"  # a pipeline of the user's own is started as ever
    assert command(own) == shlex.join([sys.executable, str(own)])
    monkeypatch.delenv(places.CONSOLE)
    assert command("train") == shlex.join([sys.executable, "-m", "ridgeline", "train"])


def test_without_a_checkout_the_runs_folder_is_always_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ./mlruns of the folder in which a study started, which is another one where the command is pasted."""
    assert runs_setting("mlruns") == [f"runs={Path.cwd()}/mlruns"]
    monkeypatch.setenv("RIDGELINE_RUNS", "/x")
    assert runs_setting("/x") == ["runs=/x"]


def test_the_ui_is_on_the_store_that_a_printed_command_names(installed: Path, tmp_path: Path) -> None:
    for store in (tmp_path / HOSTILE / "mlflow.db", tmp_path / HOSTILE / "other.db"):
        store.parent.mkdir(exist_ok=True)
        store.touch()
        script, name, *words = shlex.split(look_at(store, where="anywhere"))
        assert (script, name) == (str(installed), "ui")
        assert ui.asked([*words, "--port", "5001"]) == (
            f"sqlite:///{store}",
            ["--host", "127.0.0.1", "--port", "5001"],
        )
    assert ui.asked(["tracking.uri=postgresql://me:secret@host/db", "--host=::"])[1] == ["--host=::"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rnus=x"], "`ridgeline ui` has no key `rnus`. Did you mean runs?"),
        (["runs=/nowhere"], "There is no store /nowhere/mlflow.db: `ridgeline train` makes one; or set runs=FOLDER."),
        (
            ["tracking.uri=http://host:5000"],
            "`tracking.uri is a file or database` must hold, but got http://host:5000: open it in a browser.",
        ),
    ],
)
def test_a_ui_without_a_store_is_refused_in_one_line(words: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ui.asked(words)
    assert str(refused.value) == line


def test_the_revision_of_an_installed_package_is_that_of_its_wheel(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not that of the user's project, in which its environment often lies."""
    monkeypatch.setattr(provenance, "REVISION", tmp_path / "revision.json")
    assert provenance.commit() == {"commit": None, "dirty": None}
    assert not caplog.records  # a release says its version
    (tmp_path / "revision.json").write_text(json.dumps({"commit": "abc", "dirty": True}))
    assert provenance.commit() == {"commit": "abc", "dirty": True}


def test_conf_of_the_working_directory_is_searched_before_ours(tmp_path: Path) -> None:
    """Its files take the place of ours, or are further choices; all others are ours. A printed command names it."""
    network = tmp_path / HOSTILE / "conf" / "network"
    network.mkdir(parents=True)
    ours = (places.CONF / "network" / "mlp.yaml").read_text()
    (network / "mlp.yaml").write_text(ours.replace("[128, 128]", "[7]"))
    (network / "mine.yaml").write_text(ours.replace("[128, 128]", "[5]"))
    start = [sys.executable, str(places.ROOT / "pipelines" / "train.py")]
    asked = ["--cfg", "job", "--package", "network"]
    pasted = [*start, f"--config-path={network.parent}", *asked]
    for words, folder, hidden in (
        ([*start, "network=mine", *asked], network.parents[1], 5),
        (pasted, tmp_path, 7),
    ):
        shown = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout
        assert f"hidden:\n- {hidden}\n" in shown


def test_a_folder_of_config_dir_is_searched_before_ours_and_before_conf(tmp_path: Path) -> None:
    """Hydra itself would look there last, and take our file of the same name without a word."""
    for folder, hidden in (("conf", 7), ("configs", 5)):
        network = tmp_path / folder / "network"
        network.mkdir(parents=True)
        (network / "mlp.yaml").write_text(f"name: mlp\nhidden: [{hidden}]\n")
    start = [sys.executable, str(places.ROOT / "pipelines" / "train.py"), "--config-dir", "configs"]
    shown = subprocess.run([*start, "--cfg", "all"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    composed = OmegaConf.create(shown)
    assert composed.network.hidden == [5]
    assert composed.optimizer.name == "adam"  # all other files are ours
    options, _ = started_with(composed.hydra)
    assert options == [f"--config-dir={tmp_path}/configs", f"--config-path={tmp_path}/conf"]


def test_a_named_folder_of_configuration_is_one_of_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Hydra itself would look beside the pipeline's script."""
    monkeypatch.chdir(tmp_path)
    for words in (["--config-path=my conf"], ["--config-path", "my conf"], ["-cp", "my conf"], ["-cp=my conf"]):
        assert read_arguments(["seed=1", *words, "-m"]).conf == f"{tmp_path}/my conf"
        assert read_arguments(["seed=1", *words, "-m"]).options[-1] == "-m"
    assert read_arguments(["--config-path=/x"]).options == ["--config-path=/x"]


def test_the_search_path_of_another_hydra_app_is_its_own_affair(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def searched() -> list[str]:
        return [element.path for element in create_config_search_path(str(tmp_path)).get_path()]

    ours, before = f"file://{places.CONF}", searched()
    assert ours not in before
    monkeypatch.setattr(own_conf, "_entered", True)
    assert [path for path in searched() if path != ours] == before
    assert searched().index(ours) == before.index(str(tmp_path)) + 1


def test_the_project_s_own_conf_is_not_searched_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(own_conf, "_entered", False)
    monkeypatch.chdir(places.ROOT)
    assert own_conf.enter() == places.CONF
    monkeypatch.chdir(tmp_path)
    assert own_conf.enter() == places.CONF
    (tmp_path / "conf").mkdir()
    assert own_conf.enter() == tmp_path / "conf"
