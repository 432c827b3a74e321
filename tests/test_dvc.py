"""`dvc repro` in a fresh clone, by the command of the project's .venv, which is not activated."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from ridgeline.search.identity import AFTERWARDS

ROOT = Path(__file__).parents[1]
DVC = Path(sys.executable).with_name("dvc")
METRICS = ("data.json", "search.json", "search.csv", "confirm.json", "confirm.csv")
SMALL = """network: {hidden: [8]}
trainer: {max_epochs: 3}
"""
TOP = {
    f"src/ridgeline/{name}.py"
    for name in (
        "__init__",
        "__main__",
        "bars",
        "cache",
        "checking",
        "finding",
        "layout",
        "processes",
        "quoting",
        "strengths",
        "target",
    )
}
"""What lies in no folder of the package."""
needs_dvc = pytest.mark.skipif(not DVC.exists(), reason="no dvc here: pip install dvc")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """What git would clone, with a smaller study, and with the .venv that `make install` would make."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("clone")
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]  # what the next commit may hold
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in listed.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        for made in ("dvc.lock", "params.yaml"):
            (folder / made).unlink(missing_ok=True)
        pipeline = folder / "conf" / "pipeline.yaml"
        pipeline.write_text(pipeline.read_text().replace("search:\n  summary", "search:\n  n_trials: 8\n  summary"))
        with pipeline.open("a") as file:
            file.write(SMALL)
        change(folder / "conf" / "config.yaml", "  seeds: 20", "  seeds: 3")
        for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
            git = ["git", "-c", "user.name=n", "-c", "user.email=n@localhost", *words]
            subprocess.run(git, cwd=folder, check=True)
        return folder

    return make


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def dvc(folder: Path, *words: str) -> str:
    path = ":".join(entry for entry in os.environ["PATH"].split(":") if Path(entry) != DVC.parent)
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src"), "DVC_NO_ANALYTICS": "true"}
    ended = subprocess.run([str(DVC), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def make(folder: Path, target: str) -> tuple[int, str]:
    """The exit code and the line of a target of the Makefile, where all is installed."""
    command = ["make", "--silent", "--old-file=install", target]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return ended.returncode, ended.stdout.strip()


def stages_run(folder: Path, *words: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", dvc(folder, *(words or ("repro",))))


@pytest.mark.verify
@needs_dvc
def test_repro_runs_exactly_what_an_edit_concerns(clone: Callable[[], Path]) -> None:
    folder = clone()
    assert stages_run(folder) == ["compose", "prepare", "search", "confirm", "report"]
    assert stages_run(folder) == []
    assert make(folder, "check-results") == (0, "dvc.lock is of these sources.")
    with (folder / "conf" / "trainer" / "default.yaml").open("a") as file:
        file.write("# a comment\n")
    (folder / "src" / "ridgeline" / "search" / "another.py").write_text('"""A new source file."""\n')
    stale = "dvc.lock is stale: make lock-results renews it. Changed since: conf src/ridgeline/search."
    assert make(folder, "check-results") == (2, stale)
    (folder / "src" / "ridgeline" / "search" / "another.py").unlink()
    assert stages_run(folder) == ["compose"]
    change(folder / "conf" / "config.yaml", "  seeds: 3", "  seeds: 4")
    assert stages_run(folder) == ["compose", "confirm", "report"]
    with (folder / "src" / "ridgeline" / "report" / "page.css").open("a") as file:
        file.write("/* a comment */\n")
    assert stages_run(folder) == ["report"]
    with (folder / "src" / "ridgeline" / "evaluation" / "statistics.py").open("a") as file:
        file.write("# a comment\n")
    assert stages_run(folder) == ["confirm", "report"]
    before = json.loads((folder / "results" / "search.json").read_text())["study"]
    change(folder / "conf" / "data" / "digits.yaml", "seed: 0", "seed: 1")
    assert stages_run(folder) == ["compose", "prepare", "search", "confirm", "report"]
    assert json.loads((folder / "results" / "search.json").read_text())["study"] != before


@pytest.mark.verify
@needs_dvc
def test_two_clones_give_the_same_bytes_and_the_numbers_are_shown(clone: Callable[[], Path]) -> None:
    one, other = clone(), clone()
    for folder in (one, other):
        stages_run(folder)
    for name in METRICS:
        assert (one / "results" / name).read_bytes() == (other / "results" / name).read_bytes(), name
    shown = json.loads(dvc(one, "metrics", "show", "--json"))[""]["data"]["results/confirm.json"]["data"]
    assert 0 < shown["best"]["test_error"]["mean"] < 1
    assert "failed to load" not in dvc(one, "metrics", "show")
    plots = dvc(one, "plots", "show", "--json")
    assert "results/search.csv" in plots
    assert "results/confirm.csv" in plots


@pytest.mark.verify
@needs_dvc
def test_an_experiment_composes_with_hydra_and_mlflow_names_it(clone: Callable[[], Path]) -> None:
    folder = clone()
    stages_run(folder, "exp", "run", "--name", "wines", "-S", "data=wine", "-S", "regularization=dropout")
    composed = yaml.safe_load((folder / "params.yaml").read_text())
    assert composed["data"]["name"] == "wine"
    summary = json.loads((folder / "results" / "search.json").read_text())
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(ids, f"tags.`ridgeline.study` = '{summary['study']}'")
    assert len(runs) == 9  # the study and its trials
    assert {run.data.tags["ridgeline.dvc.experiment"] for run in runs} == {"wines"}
    assert all(re.fullmatch("[0-9a-f]{40}", run.data.tags["ridgeline.dvc.revision"]) for run in runs)
    assert stages_run(folder) == []


def test_stages_depend_on_folders_so_that_a_new_source_file_changes_no_yaml() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    deps = {dep for stage in stages.values() for dep in stage["deps"] if dep.startswith("src/")}
    assert {dep for dep in deps if not (ROOT / dep).is_dir()} <= TOP


def test_search_depends_on_all_that_its_study_is_named_after() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    package = ROOT / "src" / "ridgeline"
    named = {path.relative_to(package).parts[0] for path in package.rglob("*.py")} - set(AFTERWARDS)
    prefix = "src/ridgeline/"
    assert {dep.removeprefix(prefix) for dep in stages["search"]["deps"] if dep.startswith(prefix)} == named
    groups = {path.stem for path in (ROOT / "conf").iterdir() if path.is_dir()}
    groups -= {"hydra", "tracking", "debug", "experiment", "paths"}
    assert groups - set(stages["search"]["params"]) == set()
