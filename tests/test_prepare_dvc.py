"""`dvc repro` in a fresh clone, by the command of the project's .venv, which is not activated."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DVC = Path(sys.executable).with_name("dvc")


@pytest.fixture
def clone(tmp_path):
    """What git would clone, with the .venv that `make install` would make."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]  # what the next commit may hold
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "dvc.lock").unlink(missing_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def repro(clone):
    path = ":".join(folder for folder in os.environ["PATH"].split(":") if Path(folder) != DVC.parent)
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(clone / "src"), "DVC_NO_ANALYTICS": "true"}
    command = [str(DVC), "repro", "prepare"]
    ended = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.verify
@pytest.mark.skipif(not DVC.exists(), reason="no dvc here: pip install dvc")
def test_repro_prepares_once_and_again_after_a_change(clone):
    assert "Running stage 'prepare'" in repro(clone)
    content = (clone / "results/data.json").read_text()
    assert "Stage 'prepare' didn't change, skipping" in repro(clone)

    settings = clone / "conf/data/digits.yaml"
    settings.write_text(settings.read_text().replace("seed: 0", "seed: 1"))
    assert "Running stage 'prepare'" in repro(clone)
    assert (clone / "results/data.json").read_text() != content
