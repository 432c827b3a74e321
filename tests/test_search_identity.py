"""A study is named for all that its results follow from, and for nothing else (promise 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ridgeline.checking import ConfigError
from ridgeline.search import identity
from sweeping import Studies


@pytest.fixture
def studies(tmp_path: Path) -> Studies:
    return Studies(tmp_path / "runs", tmp_path / "mlflow.db")


@pytest.mark.parametrize(
    "same",
    [
        "search.n_trials=99",
        "search.n_jobs=4",
        "search.max_failure_rate=0.1",
        "search.summary=s.json",
        "tracking.keep_weights=1",
        "trainer.enable_progress_bar=true",
        "regularization.dropout=interval(0, 0.70)",
    ],
)
def test_name_stays_when_the_study_does(same: str, studies: Studies) -> None:
    assert studies.plan("search=bayes", same).name == studies.plan("search=bayes").name


@pytest.mark.parametrize(
    "other",
    [
        "regularization.dropout=interval(0, 0.6)",
        "regularization.l1=1e-5",
        "search.seed=1",
        "search.n_startup_trials=8",
        "metric=val/error",
        "data.seed=1",
        "data=wine",
    ],
)
def test_name_changes_with_the_study(other: str, studies: Studies) -> None:
    assert studies.plan("search=bayes", other).name != studies.plan("search=bayes").name


def test_name_changes_with_the_code(studies: Studies, monkeypatch: pytest.MonkeyPatch) -> None:
    name = studies.plan("search=bayes").name
    monkeypatch.setattr(identity, "code_hash", lambda: "other code")
    assert studies.plan("search=bayes").name != name


def test_code_hash_knows_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = identity.code_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("no code")
    assert identity.code_hash(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    changed = identity.code_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, changed, identity.code_hash(tmp_path)}) == 3


def test_name_says_search_data_and_network(studies: Studies) -> None:
    assert studies.plan("search=bayes").name.startswith("bayes-digits-mlp-")
    assert studies.plan("data=digits,wine", "network=softmax").name.startswith("grid-digits_wine-softmax-")
    assert studies.plan("search=bayes", "search.study_name=my.study_1").name == "my.study_1"


def test_a_study_is_of_its_data_wherever_they_lie(studies: Studies, tmp_path: Path) -> None:
    """Known by their hash: moved data, or FOLDER/ for FOLDER, are the same study."""
    plan = studies.plan("search=bayes")
    tree = {**plan.trees.first, "data": {**plan.trees.first["data"], "root": str(tmp_path)}}
    assert identity.definition(tree, plan.config, plan.line.space, plan.definition["data"]) == plan.definition


def test_what_no_module_is_does_not_change_the_code_hash(tmp_path: Path) -> None:
    """An editor's lock is a dangling link, a notebook leaves checkpoints, a file manager copies."""
    (tmp_path / "noise.py").write_text("x = 1\n")
    first = identity.code_hash(tmp_path)
    (tmp_path / ".#noise.py").symlink_to("me@here.1234:1")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for other in (".ipynb_checkpoints/noise.py", "noise-checkpoint.py", "._noise.py", "noise (copy).py"):
        (tmp_path / other).write_text("x = 2\n")
    assert identity.code_hash(tmp_path) == first


def test_name_that_no_folder_may_have_is_all_that_is_said(studies: Studies, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"`search\.study_name is letters, digits, \. _ -` must hold"):
        studies.run("search=bayes", "search.n_trials=6", "search.study_name=../evil")
    assert caplog.records == []
