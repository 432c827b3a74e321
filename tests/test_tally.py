"""What a study knows of its trials is kept from one to the next: a long study asks as fast as a short one."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.samplers import PartialFixedSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from ridgeline.search import sampling
from ridgeline.search.ranking import INTERRUPTED, OUTCOME
from ridgeline.search.tally import Tally
from sweeping import Studies

SPACE = {"l2": optuna.distributions.FloatDistribution(1e-6, 1e-1, log=True)}


def test_tally_counts_how_trials_ended() -> None:
    study = optuna.create_study()
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL, None):
        trial = study.ask(SPACE)
        if state == TrialState.FAIL:
            trial.set_user_attr(OUTCOME, {"reason": f"trial {trial.number}"})
        if trial.number == 3:
            trial.set_user_attr(INTERRUPTED, True)
        if state is not None:
            study.tell(trial, 1.0 if state == TrialState.COMPLETE else None, state=state)
    tally = Tally(study.get_trials())
    assert (tally.asked, tally.ran, tally.running, tally.pruned, tally.failed) == (4, 3, 1, 1, 1)
    assert tally.last_reason == "trial 2"


def test_sampler_draws_the_same_with_what_others_found_out_of_the_space() -> None:
    drawn = []
    for keeps in (True, False):
        study, known = optuna.create_study(), None
        for place in range(12):
            sampler = TPESampler(seed=place, n_startup_trials=1)
            known = sampling.with_space(PartialFixedSampler({}, sampler), known) if keeps else None
            study.sampler = sampler
            trial = study.ask(SPACE)
            study.tell(trial, abs(trial.params["l2"] - 1e-3))
        drawn.append([trial.params for trial in study.get_trials()])
        assert (known is not None and known._cached_trial_number == 11) == keeps  # it has looked at each once
    assert drawn[0] == drawn[1]


@pytest.mark.verify
def test_a_trial_reads_all_others_no_oftener_than_optuna_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies, reads = Studies(tmp_path / "runs", tmp_path / "mlflow.db"), list[int]()
    read = JournalStorage.get_all_trials
    monkeypatch.setattr(JournalStorage, "get_all_trials", lambda *a, **k: reads.append(1) or read(*a, **k))
    counts = []
    for n_trials in (1, 2, 7):  # 1 trial, 1 more, 5 more
        reads.clear()
        studies.run("search=random", "search.study_name=reads", f"search.n_trials={n_trials}")
        counts.append(len(reads))
    assert (counts[2] - counts[1]) / 4 <= 2, counts
