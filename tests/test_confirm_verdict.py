"""Promise 8: where regularization surely helps, the whole pipeline says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT

FEW_EXAMPLES = ["data=mnist", "data.examples=1000", "network.hidden=[256]", "trainer.max_epochs=40"]
SPACE = [
    "regularization.l2=0",
    "regularization.dropout=interval(0.0,0.7)",
    "regularization.input_dropout=interval(0.0,0.4)",
]
SEEDS = ["confirm.seeds=10", "confirm.top=3", "confirm.selection_seeds=4"]
MNIST = Path(os.environ.get("RIDGELINE_MNIST", ROOT.parent / "shared" / "data" / "mnist"))


@pytest.mark.verify
@pytest.mark.skipif(not MNIST.is_dir(), reason="no MNIST here: RIDGELINE_MNIST=FOLDER")
def test_dropout_on_few_images_helps(tmp_path: Path) -> None:
    search = ["-m", "search=bayes", "search.n_trials=24", "search.study_name=few", f"data.root={MNIST}"]
    run("train", *search, *FEW_EXAMPLES, *SPACE, folder=tmp_path)
    words = run("confirm", "study=few", *SEEDS, folder=tmp_path)
    record = json.loads((tmp_path / "studies" / "few" / "confirm" / "confirm.json").read_text())
    assert record["verdict"]["word"] == "helps", words
    assert record["difference"]["error"]["high"] < 0
    assert "Regularization helps: " in words


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "`study=NAME is given` must hold, but got study=null."),
        (["study=none"], "There is no study `none` in"),
        (["study=x", "data=mnist"], "`data` cannot be set here"),
        (["study=x", "confirm.seeds=1"], "`confirm.seeds >= 2` must hold, but got confirm.seeds=1."),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(arguments: list[str], line: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "pipelines" / "confirm.py"), *arguments, f"runs={tmp_path / 'runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {line}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verify
@pytest.mark.parametrize(
    ("entry_point", "arguments"),
    [
        ("confirm", ["study=x", "confirm.summary={bad}.json"]),
        ("report", ["study=x", "report={bad}.html"]),
        ("claims", ["claims.out={bad}.md"]),
        ("case_study", ["case_study.out={bad}.md"]),
        ("train", ["-m", "data=wine", "regularization.l2=0,1", "search.summary={bad}.json"]),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    entry_point: str, arguments: list[str], tmp_path: Path
) -> None:
    bad = "/proc/nowhere/out"
    words = [argument.format(bad=bad) for argument in arguments]
    command = [sys.executable, str(ROOT / "pipelines" / f"{entry_point}.py"), *words, f"runs={tmp_path / 'runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert f"={bad}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verify
def test_a_verdict_credits_neither_scales_nor_widths(tmp_path: Path) -> None:
    """As it did: both of these gain much by what was searched, and nothing by regularization."""
    weak = ["-m", "regularization.l2=1e-9,1e-8", "trainer.max_epochs=8"]
    digits = ["data.examples=150", "data.standardize=none,all", "search.study_name=scales", "data.seed=2"]
    moons = ["data=moons", "network.hidden=[1],[32]", "search.study_name=widths", "optimizer.lr=0.02"]
    for study in (digits, moons):
        run("train", *weak, *study, folder=tmp_path)
        name = next(word.partition("=")[2] for word in study if word.startswith("search.study_name"))
        run("confirm", f"study={name}", "confirm.seeds=5", "confirm.selection_seeds=2", folder=tmp_path)
        record = json.loads((tmp_path / "studies" / name / "confirm" / "confirm.json").read_text())
        assert record["verdict"]["word"] == "no difference shown"
        assert abs(record["difference"]["error"]["mean"]) < 0.01
        best, baseline = (record["arms"][arm]["config"] for arm in ("best", "baseline"))
        assert best["network"] == baseline["network"]
        assert best["data"] == baseline["data"]


def run(entry_point: str, *arguments: str, folder: Path) -> str:
    command = [sys.executable, str(ROOT / "pipelines" / f"{entry_point}.py"), *arguments, f"runs={folder}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout
