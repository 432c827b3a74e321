"""pipelines/prepare.py as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ridgeline.config import DataConfig
from ridgeline.data import load_splits

ROOT = Path(__file__).parents[1]


def prepare(folder, *overrides):
    command = [sys.executable, str(ROOT / "pipelines/prepare.py"), *overrides]
    environment = {**os.environ, "RIDGELINE_RUNS": str(folder / "mlruns")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_prepare_states_the_data_and_leaves_the_file_that_it_is_asked_for(tmp_path):
    ended = prepare(tmp_path, "prepare.summary=results/data.json")
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path) == ["results/data.json"]
    description = load_splits(DataConfig("digits")).description
    # Nothing else: a time or a path would make other bytes of the same data.
    assert json.loads((tmp_path / "results/data.json").read_text()) == {
        "name": "digits",
        "examples": {"train": 1078, "validation": 360, "test": 359},
        "features": 64,
        "classes": 10,
        "hash": description.hash,
        "class_names": list("0123456789"),
    }
    for word in ("digits", "64 features", "10 classes", "1078", "360", "359", description.hash):
        assert word in ended.stdout


def test_prepare_names_no_classes_where_numbers_are_predicted(tmp_path):
    ended = prepare(tmp_path, "data=diabetes")
    assert ended.returncode == 0, ended.stderr
    assert "diabetes: 10 features\n" in ended.stdout
    assert "classes" not in ended.stdout


def test_prepare_writes_nothing_unasked(tmp_path):
    ended = prepare(tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path) == []


def test_prepare_refuses_a_missing_folder_in_one_line_and_writes_nothing(tmp_path):
    missing = tmp_path / "absent"
    ended = prepare(tmp_path, "data=mnist", f"data.root={missing}")
    assert ended.returncode != 0
    assert ended.stderr.strip() == f"error: `data.root is a folder` must hold, but got data.root={missing}."
    assert files(tmp_path) == []
