"""The case study as a whole, small: digits, two seeds. What it keeps, what it opens, what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from opening import opened
from ridgeline.config import Config
from ridgeline.data import SplitLocked, load_splits
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.entry_points import ROOT
from ridgeline.stack.fitting import fit
from ridgeline.stack.prediction import logits_KNC
from ridgeline_recipes.case_study import kept, running
from ridgeline_recipes.case_study.running import fits_of, run
from ridgeline_recipes.case_study.variants import BY_NAME
from sweeping import Studies
from test_case_study_variants import variants
from test_stacked_study import train

SMALL = (
    "data=digits",
    "data.train=0.6",
    "data.validation=0.2",
    "network.hidden=[16,12]",
    "optimizer.lr=0.02",
    "trainer.max_epochs=11",
)


@dataclass
class CaseStudy:
    """One runs folder, and how often its parts were asked for."""

    runs: Path
    searches: int = 0
    words: list[str] = field(default_factory=list)

    def configs(self, *overrides: str, seeds: int = 2) -> dict[str, Config]:
        store = f"tracking.uri=sqlite:///{self.runs / 'mlflow.db'}"
        return variants(*SMALL, f"runs={self.runs}", store, f"case_study.seeds={seeds}", *overrides)

    def search(self, summary: Path) -> None:
        self.searches += 1
        study = ("search=bayes", "search.n_trials=3", "search.study_name=tuning", f"search.summary={summary}")
        Studies(self.runs, self.runs / "mlflow.db").run("experiment=case_study/baseline", *SMALL, *study, task=train)

    def run(self, configs: Mapping[str, Config] | None = None, *, is_open: bool = True) -> dict[str, Any]:
        lock: AbstractContextManager[None] = confirming() if is_open else nullcontext()
        with lock:
            self.words.append(run(configs or self.configs(), self.search, open_test_split, "the command"))
        record: dict[str, Any] = json.loads((self.folder / "case_study.json").read_text())
        return record

    @property
    def folder(self) -> Path:
        return self.runs / "case_study"

    @property
    def openings(self) -> list[dict[str, Any]]:
        ledger = self.runs / "test_openings.jsonl"
        return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []

    def trained(self) -> dict[Path, int]:
        """The fits that are there, and when each was written."""
        return {path: path.stat().st_mtime_ns for path in self.folder.glob("fits/*/*.json")}


pytestmark = pytest.mark.verify


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> CaseStudy:
    return CaseStudy(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def record(study: CaseStudy) -> dict[str, Any]:
    """Of the first run, which finds the test split locked once it has trained, and of a second."""
    with pytest.raises(SplitLocked):
        study.run(is_open=False)
    return study.run()


def test_locked_test_split_leaves_no_opening_and_the_fits_are_not_trained_again(
    study: CaseStudy, record: dict[str, Any]
) -> None:
    assert len(study.openings) == 1
    assert study.openings[0]["study"] == "case_study"
    assert record["opening"]["number"] == 1
    before = study.trained()
    assert len(before) == 2 * (len(BY_NAME) - 1)  # the listing's augmentation is the dropout network
    again = study.run()
    assert study.trained() == before
    assert len(study.openings) == 1  # all is measured
    for part in ("variants", "claims", "search", "cost", "opening"):
        assert again[part] == record[part]


def test_accuracies_are_those_of_networks_trained_alone(study: CaseStudy, record: dict[str, Any]) -> None:
    configs = study.configs()
    rows = {row["name"]: row for row in record["variants"]}
    assert list(rows) == list(BY_NAME)
    for name in ("baseline", "l1", "augmentation", "early_stopping"):
        splits, test = load_splits(configs[name].data), opened(configs[name].data)
        results = [fit([replace(configs[name], seed=seed)], splits)[0] for seed in (1, 2)]
        assert rows[name]["epochs"]["mean"] == np.mean([result.epochs for result in results])
        errors = [result.history[-1]["val/error"] for result in results]
        assert rows[name]["validation"]["accuracy"]["mean"] == pytest.approx(1 - np.mean(errors), abs=0.006)
        logits_KNC_ = logits_KNC(configs[name], [result.weights for result in results], test.x_NI)
        right = (logits_KNC_.argmax(dim=2) == test.y_N).double().mean().item()
        assert rows[name]["test"]["accuracy"]["mean"] == pytest.approx(right, abs=0.006)


def test_tuned_is_the_best_of_the_search(study: CaseStudy, record: dict[str, Any]) -> None:
    summary = json.loads((study.folder / "search.json").read_text())
    assert record["search"]["study"] == summary["study"] == "tuning"
    assert record["search"]["trials"] == 3
    assert (record["search"]["l2"], record["search"]["dropout"]) != (0.0, 0.0)
    assert f"l2: {record['search']['l2']!r}, dropout: {record['search']['dropout']!r}" in study.words[-1]
    configs = study.configs()
    tuned = replace(configs["tuned"].regularization, l2=record["search"]["l2"], dropout=record["search"]["dropout"])
    there = fits_of({**configs, "tuned": replace(configs["tuned"], regularization=tuned)}, study.folder)
    assert all(one.is_there and one.is_tested for one in there["tuned"])


def test_weights_are_let_go_once_the_test_split_is_measured(study: CaseStudy, record: dict[str, Any]) -> None:
    assert not list(study.folder.glob("fits/*/*.weights.safetensors"))
    kept_parts = load_file(next(study.folder.glob("fits/*/1.safetensors")))
    assert {name: wrong_N.dtype for name, wrong_N in kept_parts.items()} == {
        "validation": torch.uint8,
        "test": torch.uint8,
    }


def test_killed_run_goes_on_with_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = CaseStudy(tmp_path / "runs")
    fits = fits_of(killed.configs(), killed.folder)
    keep, done = kept.KeptFit.keep, []

    def break_off(fit: kept.KeptFit, *rest: Any) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(fit)
        keep(fit, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(kept.KeptFit, "keep", break_off)
        with pytest.raises(KeyboardInterrupt):
            running.train(fits)
    before = killed.trained()
    assert len(before) == 3
    running.train(fits)
    after = killed.trained()
    assert len(after) == 2 * (len(BY_NAME) - 1)
    assert {path: after[path] for path in before} == before


def test_fit_is_trained_again_if_its_configuration_data_or_code_differ(
    study: CaseStudy, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(*overrides: str, seeds: int = 2) -> int:
        fits = fits_of(study.configs(*overrides, seeds=seeds), study.folder)
        return sum(one.is_there for one in fits["baseline"])

    assert known() == 2
    assert known("optimizer.lr=0.03") == known("trainer.max_epochs=12") == known("data.train=0.5") == 0
    assert known(seeds=5) == 2  # more seeds: the first are there
    assert known("tracking.experiment=other", "case_study.n_trials=99", "trainer.num_threads=1") == 2
    monkeypatch.setattr("ridgeline.evaluation.fits.code_hash", lambda: "other")
    assert known() == 0


def test_page_has_a_row_a_variant_and_a_verdict_a_claim(study: CaseStudy, record: dict[str, Any]) -> None:
    page = (study.folder / "case_study.md").read_text()
    for row in record["variants"]:
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {row['label']} | ")]
        assert f"{100 * row['validation']['accuracy']['mean']:.2f} [" in line
        assert f"{100 * row['test']['accuracy']['mean']:.2f} [" in line
        assert line.count("|") == 8
    for claim in record["claims"]:
        (line,) = [li for li in page.splitlines() if li.startswith(f"| {claim['claim']} | {claim['reading']} |")]
        assert f"**{claim['validation']['verdict']}**" in line
        assert line.count("|") == 7
    assert "the command" in page
    assert "2 seeds" in page
    assert str(study.runs) not in page
    assert (study.folder / "images" / "case_study.png").read_bytes().startswith(b"\x89PNG")


def test_mlflow_has_a_run_with_numbers_verdicts_and_files(study: CaseStudy, record: dict[str, Any]) -> None:
    client = MlflowClient(f"sqlite:///{study.runs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("ridgeline")
    assert experiment is not None
    run, *_ = client.search_runs([experiment.experiment_id], "attributes.run_name = 'run case_study'")
    for row in record["variants"]:
        key = f"case_study/{row['name']}/test_accuracy"
        assert run.data.metrics[key] == pytest.approx(row["test"]["accuracy"]["mean"])
    assert run.data.tags["L2 helps"] == record["claims"][0]["validation"]["verdict"]
    names = {Path(item.path).name for item in client.list_artifacts(run.info.run_id, "case_study")}
    assert names == {"case_study.md", "case_study.png", "case_study.json"}
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["case_study.seeds=1"], "`case_study.seeds >= 2` must hold, but got case_study.seeds=1."),
        (["search.n_trials=9"], "`experiment, seed, search, study` are for this pipeline to set"),
        (["data.root=/nowhere"], "`data.root is a folder` must hold, but got data.root=/nowhere."),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(arguments: list[str], line: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "pipelines" / "case_study.py"), *arguments, f"runs={tmp_path / 'runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {line}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_command_searches_trains_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "case_study.md"
    small = [
        *SMALL,
        "case_study.seeds=2",
        "case_study.n_trials=2",
        f"case_study.out={page}",
        f"runs={tmp_path / 'runs'}",
    ]
    command = [sys.executable, str(ROOT / "pipelines" / "case_study.py"), *small]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 trials to search, at most 16 fits to train; about" in done.stderr
    assert "the best of 2 trials" in page.read_text()
    assert "](images/case_study.png)" in page.read_text()
    assert (page.parent / "images" / "case_study.png").exists()
    assert str(tmp_path) not in page.read_text().replace(str(page), "")
