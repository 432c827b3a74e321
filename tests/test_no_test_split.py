"""Data that name their splits may have no test split: then all works but confirming, which is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ridgeline import RegularizedClassifier
from ridgeline.api.studies import Study
from ridgeline.checking import ConfigError
from ridgeline.config import DataConfig
from ridgeline.config.table import TableConfig
from ridgeline.data import SplitLocked, describe
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.entry_points import ROOT
from ridgeline.search.summary import closing_words, study_note

N = 100
SHARES = {"train": 0.8, "validation": 0.2}
RULE = "`the data have a test split, on which confirming measures,` must hold, but got no row of data.split_column="


@pytest.fixture
def file(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    size_N = draw.normal(3, 2, N).round(3)
    frame = pd.DataFrame({"size": size_N, "shop": np.arange(N) // 5, "bought": np.where(size_N > 3, "yes", "no")})
    path = tmp_path / "shop.csv"
    frame.assign(part=["train"] * 70 + ["valid"] * 30, halves=["train"] * 50 + ["test"] * 50).to_csv(path, index=False)
    return path


def config(file: Path, **settings: Any) -> DataConfig:
    drop = tuple({"shop", "part", "halves"} - set(settings.values()))
    return TableConfig(path=str(file), target="bought", drop=drop, **settings)


@pytest.mark.parametrize("more", [{}, {"group_on": "shop"}, {"permute_labels": True}])
def test_named_splits_have_no_test_split_where_the_shares_leave_nothing_to_it(file: Path, more: Any) -> None:
    assert describe(config(file, split_column="part", **SHARES, **more)).examples == (70, 30, 0)
    assert describe(config(file, split_column="part", **more)).examples.test == (15 if "group_on" in more else 14)
    assert describe(config(file, split_column="halves", **SHARES, **more)).examples == (40, 10, 50)


def test_a_test_split_that_is_not_there_is_not_opened_and_not_in_the_ledger(file: Path, tmp_path: Path) -> None:
    without, ledger = config(file, split_column="part", **SHARES), tmp_path / "ledger.jsonl"
    with pytest.raises(SplitLocked):
        open_test_split(without, ledger, {})
    with confirming(), pytest.raises(ConfigError, match=RULE):
        open_test_split(without, ledger, {})
    assert not ledger.exists()


@pytest.mark.verify
def test_a_study_without_a_test_split_is_not_confirmed_and_nobody_is_told_to(tmp_path: Path) -> None:
    """That of an estimator, whose rows all train or validate."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = RegularizedClassifier(1, overrides=["trainer.max_epochs=2"], random_state=0, runs=tmp_path)
    study = Study.open(model.fit(x, x[:, 0] > 0).study_name_, [f"runs={tmp_path}"])
    stored = study._stored
    assert describe(stored.config_of(0).data).examples == (48, 12, 0)
    said = closing_words(stored.study, stored.config, stored.line, stored.folder)
    note = study_note(stored.study, stored.config, stored.line, stored.folder, "table")
    for words in (said, note):
        assert "rain the best again" in words
        assert "onfirm" not in words
    page = study.report().read_text()
    assert "cannot be said, for the data have no test split" in page
    files = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=RULE):
        study.confirm()
    with pytest.raises(ConfigError, match="its data have no test split, so it cannot be confirmed"):
        study.champion  # noqa: B018
    ended = subprocess.run(
        [sys.executable, "pipelines/confirm.py", f"study={study.name}", f"runs={tmp_path}"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {RULE}")
    assert ended.stdout == ""  # nothing was promised before
    assert ended.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == files
