"""Folders of images as users have them: each works, or is refused in one line that says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bad_images import ODD
from ridgeline.checking import ConfigError
from ridgeline.config import ImagesConfig, parse
from ridgeline.data.arrays import load_arrays
from ridgeline.data.leak_check import what_looks_wrong

TRAIN = Path(__file__).parents[1] / "pipelines" / "train.py"


def load(overrides: tuple[str, ...]) -> int:
    """What every command does with them first; how many images there are."""
    data: dict[str, object] = {}
    for override in overrides[1:]:
        key, _, value = override.partition("=")
        data[key.removeprefix("data.")] = int(value) if value.isdecimal() else value
    tree = {
        "data": {"name": "images", **data},
        "network": {"name": "mlp", "hidden": [4]},
        "optimizer": {"name": "adam", "lr": 0.01},
    }
    config = parse(tree).data
    assert isinstance(config, ImagesConfig)
    what_looks_wrong(config)
    return sum(load_arrays(config).description.examples)


@pytest.mark.parametrize("name", [name for name, one in ODD.items() if one.words])
def test_it_is_refused_in_one_line_that_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(ODD[name].overrides(tmp_path))
    line = str(error.value)
    assert "\n" not in line
    assert line.isprintable()
    assert " must hold, but " in line
    for word in ODD[name].words:
        assert word in line


@pytest.mark.parametrize("name", [name for name, one in ODD.items() if not one.words])
def test_it_is_odd_but_it_works(name: str, tmp_path: Path) -> None:
    assert load(ODD[name].overrides(tmp_path)) in (16, 17)


@pytest.mark.verify
@pytest.mark.parametrize("mode", [[], ["-m", "seed=1,2"]], ids=["a trial", "a study"])
def test_command_refuses_them_and_records_nothing(mode: list[str], tmp_path: Path) -> None:
    """One in six: each takes a second. The test above has them all."""
    for name in [name for name, one in ODD.items() if one.words][:: 12 if mode else 6]:
        runs = tmp_path / "runs"
        command = [sys.executable, str(TRAIN), *mode, *ODD[name].overrides(tmp_path / name), f"runs={runs}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
        said = (done.stdout + done.stderr).strip()
        assert done.returncode == 2, (name, said)
        assert "\n" not in said, name
        assert all(words in said for words in ODD[name].words), said
        assert not runs.exists(), name
