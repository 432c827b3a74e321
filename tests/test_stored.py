"""A stored study is found by its name or its summary, and comes back as it was searched."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ridgeline.command_line.places import ROOT
from ridgeline.config import Config, ConfigError
from ridgeline.evaluation.confirmable import check_data
from ridgeline.evaluation.stored import open_study
from ridgeline.search.ranking import ran
from ridgeline.search.storage import open_storage
from settings import small
from sweeping import Studies

FIXED = ["optimizer.lr=1e-2", "regularization.dropout=0"]
SPACE = ["regularization.l2=tag(log, interval(1e-6, 1e-1))", "+data.examples=choice(100, 200)", "network=softmax,mlp"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    folder = tmp_path_factory.mktemp("stored")
    studies = Studies(folder / "runs", folder / "mlflow.db")
    given = ["search=random", "search.n_trials=4", "search.study_name=found", "hydra/launcher=basic"]
    studies.run(*given, f"search.summary={folder / 'search.json'}", *FIXED, *SPACE)
    return studies


def asked(studies: Studies) -> Config:
    return small(runs=str(studies.runs))


def test_a_stored_study_has_the_space_the_trials_and_the_configurations_that_it_ran_with(studies: Studies) -> None:
    stored = open_study(asked(studies), "found")
    planned = studies.plan("search=random", "search.n_trials=4", *FIXED, *SPACE)
    assert stored.line.space == planned.line.space
    assert stored.config.optimizer.lr == 1e-2
    assert stored.run_id is not None
    for trial in ran(stored.study):
        config = stored.config_of(trial.number)
        assert config.regularization.l2 == trial.params["regularization.l2"]
        command = shlex.split(stored.line.retrain(trial.params))
        assert command[:2] == [sys.executable, str(ROOT / "pipelines" / "train.py")]
        assert f"+data.examples={trial.params['data.examples']}" in command
        assert "optimizer.lr=1e-2" in command


def test_a_summary_leads_to_its_study(studies: Studies) -> None:
    summary = studies.runs.parent / "search.json"
    assert open_study(asked(studies), str(summary)).name == "found"


def test_an_unknown_study_names_the_nearest(studies: Studies, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no study `fuond` in .*\. Did you mean found\?$"):
        open_study(asked(studies), "fuond")
    with pytest.raises(ConfigError, match=r"There is no study `\.\./found` in "):
        open_study(asked(studies), "../found")
    with pytest.raises(
        ConfigError, match=r"no study `found` in .*Make one: .*python.* .*pipelines/train\.py -m search=bayes"
    ):
        open_study(replace(asked(studies), runs=str(tmp_path)), "found")
    wrong = tmp_path / "search.json"
    for content in ("", "[]", json.dumps({"metric": "val/loss"})):
        wrong.write_text(content)
        with pytest.raises(ConfigError, match="`study is a study's name, or a JSON file with the key `study`` must"):
            open_study(asked(studies), str(wrong))


def test_reading_a_study_leaves_its_journal_as_it_is_also_while_it_is_written(studies: Studies) -> None:
    journal = studies.runs / "studies" / "found" / "journal.log"
    before = journal.read_bytes()
    journal.write_bytes(before + b'{"op_code": 4, "half a line')
    lock = journal.with_name("journal.log.lock")
    lock.touch()
    try:
        assert len(ran(open_study(asked(studies), "found").study)) == 4
        assert journal.read_bytes() == before + b'{"op_code": 4, "half a line'
        assert lock.exists()
    finally:
        journal.write_bytes(before)
        lock.unlink()


def test_a_storage_that_is_not_there_is_one_line_and_is_not_made(studies: Studies, tmp_path: Path) -> None:
    elsewhere = replace(small().search, storage=str(tmp_path / "absent.log"))
    with pytest.raises(ConfigError, match=r"The study found has no trials here: there is no .*absent\.log\.$"):
        open_study(replace(asked(studies), search=elsewhere), "found")
    assert not (tmp_path / "absent.log").exists()
    secret = replace(small().search, storage="postgresql://me:***@host/name")
    with pytest.raises(ConfigError, match=r"password of search\.storage is stored nowhere"):
        open_study(replace(asked(studies), search=secret), "found")


def test_data_that_moved_are_found_at_their_new_place(studies: Studies, tmp_path: Path) -> None:
    """In every trial's configuration and in every command; other data than the study's are refused."""
    new = replace(asked(studies).data, root=str(tmp_path))
    stored = open_study(replace(asked(studies), data=new), "found")
    trial = ran(stored.study)[0]
    assert stored.config.data.root == stored.config_of(trial.number).data.root == str(tmp_path)
    assert f"++data.root={tmp_path}" in shlex.split(stored.line.retrain(trial.params))
    same = open_study(asked(studies), "found")
    check_data(same)
    config = same.job(trial.number) / ".hydra" / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace("examples: ", "examples: 1"))
    with pytest.raises(ConfigError, match=r"`the data's hash is [0-9a-f, ]+ as in the study` must hold, but got"):
        check_data(same)
    config.write_text(before)


def test_a_line_of_the_journal_that_is_not_optunas_is_named_in_one_line(tmp_path: Path) -> None:
    journal = tmp_path / "journal.log"
    study = {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}
    good = json.dumps(study) + "\n"
    for lines, bad in ((f"{good}<<<<\n{good}", 2), (f"{good}\xff\n", 2), (f"{good}<<<<\n{{", 2), ("{}\n", 1)):
        journal.write_text(lines, encoding="latin-1")
        with pytest.raises(ConfigError, match=f"`line {bad} of {journal} is an operation of Optuna's` must hold"):
            open_storage(small(), tmp_path)
