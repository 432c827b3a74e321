"""A file that is no right table gets one line: the key, the rule, and what is wrong where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bad_files import GOOD, MAKERS, BadFile
from ridgeline.checking import ConfigError
from ridgeline.config import parse
from ridgeline.data.sources import read_source

TRAIN = Path(__file__).parents[1] / "pipelines" / "train.py"


def read(made: BadFile, **data: object) -> None:
    """What a command with these settings reads before anything is recorded."""
    given = dict(setting.split("=", 1) for setting in made.overrides)
    data |= {key.removeprefix("data."): yaml.safe_load(value) for key, value in given.items() if key != "data"}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    config = parse({"data": {"name": "table", **data}, "network": network, "optimizer": optimizer})
    read_source(config.data)


@pytest.mark.parametrize("name", MAKERS)
def test_bad_file_gets_one_line_with_key_rule_and_place(name: str, tmp_path: Path) -> None:
    made = MAKERS[name](tmp_path / name)
    with pytest.raises(ConfigError) as caught:
        read(made)
    line = str(caught.value)
    assert line.isprintable()
    assert "\n" not in line
    assert len(line) < 600
    assert " must hold, but got " in line
    assert all(words in line for words in made.words), line


def test_right_file_is_read(tmp_path: Path) -> None:
    """What the bad ones are made of is no reason to refuse."""
    (tmp_path / "churn.csv").write_text(GOOD)
    read(BadFile("", "", (f"data.path={tmp_path / 'churn.csv'}", "data.target=churn"), ()))


def test_bad_test_file_is_named_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(GOOD)
    for name, words in {"infinite_number": "line 3 of test.csv", "long_row": "data.test_path="}.items():
        made = MAKERS[name](tmp_path / name)
        (tmp_path / "test.csv").unlink(missing_ok=True)
        shutil.move(made.path, tmp_path / "test.csv")
        overrides = (f"data.path={tmp_path / 'churn.csv'}", "data.target=churn")
        with pytest.raises(ConfigError, match=words):
            read(BadFile("", "", overrides, ()), test_path=str(tmp_path / "test.csv"))


@pytest.mark.verify
@pytest.mark.parametrize("mode", [[], ["-m", "seed=1,2"]], ids=["a trial", "a study"])
def test_command_refuses_a_bad_file_and_records_nothing(mode: list[str], tmp_path: Path) -> None:
    """Every second file in a trial, every sixth in a study: each takes a second. The test above has them all."""
    names = list(MAKERS)[:: 6 if mode else 2]
    for name in names:
        made, runs = MAKERS[name](tmp_path / name), tmp_path / "runs"
        command = [sys.executable, str(TRAIN), *mode, *made.overrides, f"runs={runs}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
        said = (done.stdout + done.stderr).strip()
        assert done.returncode == 2, (name, said)
        assert "\n" not in said, name
        assert all(words in said for words in made.words), said
        assert not runs.exists(), name
