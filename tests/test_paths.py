"""A path in a configuration means one place, from whatever folder a job, a launcher or a later command reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import ConfigError
from ridgeline.command_line.paths import PATHS, absolute, readable, settle
from ridgeline.command_line.places import ROOT
from ridgeline.entry_points import checked
from ridgeline.search.space import dimension

HOME = Path.home()


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


@pytest.mark.parametrize(
    ("key", "given", "place"),
    [
        ("runs", "out", "/here/out"),
        ("runs", "~/out", f"{HOME}/out"),
        ("data.root", "FOLDER/", "/here/FOLDER"),
        ("data.root", "/FOLDER/", "/FOLDER"),
        ("trainer.ckpt_path", "../last.ckpt", "/last.ckpt"),
        ("search.storage", "o.log", "/here/o.log"),
        ("search.storage", "sqlite:///o.db", "sqlite:////here/o.db"),
        ("search.storage", "sqlite:///~/o.db?timeout=9", f"sqlite:///{HOME}/o.db?timeout=9"),
        ("search.storage", "sqlite:////o.db", "sqlite:////o.db"),
        ("search.storage", "sqlite:///:memory:", "sqlite:///:memory:"),
        ("search.storage", "postgresql://me@host/name", "postgresql://me@host/name"),
        ("tracking.uri", "sqlite:///m.db", "sqlite:////here/m.db"),
        ("tracking.uri", "http://host:5000", "http://host:5000"),
        ("study", "results/search.json", "/here/results/search.json"),
        ("study", "bayes-digits-mlp-1", "bayes-digits-mlp-1"),
        ("report", None, None),
        ("report", "", ""),
    ],
)
def test_a_path_is_absolute_and_what_is_none_is_left(key: str, given: str | None, place: str | None) -> None:
    assert absolute(key, given, Path("/here")) == place


def test_a_home_that_nobody_has_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"`the user of ~ has a home` must hold, but got runs=~nobody-here/x\."):
        absolute("runs", "~nobody-here/x")


def test_every_key_of_the_configuration_that_holds_a_path_is_known() -> None:
    of_predict = OmegaConf.load(ROOT / "conf" / "predict.yaml")
    assert all(key.partition(".")[0] in {*composed(), *of_predict} for key in PATHS)


def test_a_folder_that_files_of_another_project_refer_to_is_absolute_where_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROJECT_ROOT", raising=False)
    config = composed("+data.data_dir=${paths.data_dir}")
    assert f"++paths.root_dir={tmp_path}" in settle(config)
    assert config.data.data_dir == f"{tmp_path}/data/"
    assert not any("root_dir" in argument for argument in settle(composed()))


def test_what_jobs_are_composed_of_is_absolute_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["data=mnist", "data.root=m", "++tracking.uri=sqlite:///a b.db", "search.storage=o.db", "report=r.html"]
    config = composed(*given)
    settled = settle(config, given)
    again = composed(*settled)
    assert again.data.root == config.data.root == f"{tmp_path}/m"
    assert again.tracking.uri == f"sqlite:///{tmp_path}/a b.db"
    assert again.search.storage == f"{tmp_path}/o.db"
    assert settle(config, settled) == settled
    monkeypatch.chdir("/")
    assert checked(again).report == f"{tmp_path}/r.html"


def test_a_path_from_a_file_reaches_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RIDGELINE_RUNS", raising=False)
    config = composed("data=mnist", "data.root=m")  # as if conf/ said so
    assert settle(config, ["data=mnist"])[1:] == [f"++runs={tmp_path}/mlruns", f"++data.root={tmp_path}/m"]


def test_swept_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    swept = OverridesParser.create().parse_override("data.root=one,'two é'")
    ends = dimension(swept, grid=True, seed=0).ends
    assert ends == [f"'{tmp_path}/one'", f"'{tmp_path}/two é'"]


@pytest.mark.parametrize("value", ["~/runs", "/é", "/a (b)", "/it's", "/a=b", "/$x", "sqlite:///~/o.db"])
def test_a_path_is_typed_as_it_is(value: str) -> None:
    override = OverridesParser.create().parse_override(readable(f"runs={value}"))
    assert str(override.value()) == value
    assert not override.is_sweep_override()


def test_no_other_argument_is_touched() -> None:
    for argument in ("runs=/a,/b", "seed=~", "--config-dir=/é", "data.root='/é'", "-m"):
        assert readable(argument) == argument


@pytest.mark.parametrize("given", ["", " "])
def test_runs_is_never_the_root_of_the_disk(given: str, tmp_path: Path) -> None:
    """RIDGELINE_RUNS= is as good as none; `runs=` is refused."""
    with pytest.raises(ConfigError, match=r"`runs is a folder` must hold, but got runs=\."):
        checked(composed("runs="))
    command = [sys.executable, str(ROOT / "pipelines" / "train.py"), "--cfg", "job", "--package", "runs", "--resolve"]
    environment = {**os.environ, "RIDGELINE_RUNS": given}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ROOT / "mlruns")
