"""In a long study TPE sees the latest trials and the best ones; up to a thousand trials it draws as ever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, create_trial

from ridgeline.search import latest
from ridgeline.search.endings import StudyStopped
from ridgeline.search.latest import BEST, LATEST, look_at_latest
from sweeping import Studies, formula, results, stopping
from test_sampling import SPACE

Direction = Literal["minimize", "maximize"]
DISTRIBUTIONS = {d.key: d.distribution for d in SPACE}


def some_trials(n: int) -> list[FrozenTrial]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        params = {"l2": float(10 ** rng.uniform(-6, -1)), "layers": int(rng.integers(1, 5)), "width": 8}
        found.append(create_trial(params=params, distributions=DISTRIBUTIONS, value=float(rng.uniform())))
    return found


def drawn(
    trials: Sequence[FrozenTrial], *, sees_latest: bool, direction: Direction = "minimize", **own: Any
) -> list[Any]:
    """What TPE draws after these trials."""
    sampler = TPESampler(seed=1, n_startup_trials=1, **own)
    study = optuna.create_study(direction=direction, sampler=sampler)
    study.add_trials(trials)
    best = sorted(study.trials, key=lambda t: t.value or 0.0, reverse=direction == "maximize")[:BEST]
    if sees_latest:
        look_at_latest(sampler, own, best)
    return list(study.ask(DISTRIBUTIONS).params.values())


def test_up_to_so_many_trials_tpe_draws_what_it_would_have_drawn() -> None:
    trials = some_trials(LATEST - 1)  # and the one that is drawn
    assert drawn(trials, sees_latest=True) == drawn(trials, sees_latest=False)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_after_them_it_draws_as_in_a_study_of_the_latest_and_the_best(
    direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest, "LATEST", 100)
    trials = some_trials(400)
    best = sorted(trials, key=lambda t: t.value or 0.0, reverse=direction == "maximize")[:BEST]
    old, new = trials[:-99], trials[-99:]
    kept = [t for t in old if t in best] + new
    assert 99 < len(kept) < 99 + BEST
    one = drawn(trials, sees_latest=True, direction=direction)
    assert one == drawn(kept, sees_latest=False, direction=direction)
    assert one != drawn(trials, sees_latest=False, direction=direction)


def test_tpe_that_is_told_what_counts_sees_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "LATEST", 100)
    trials = some_trials(400)
    for own in ({"gamma": lambda n: n // 4}, {"weights": lambda n: np.ones(n)}):
        assert drawn(trials, sees_latest=True, **own) == drawn(trials, sees_latest=False, **own)


@pytest.mark.verify
def test_long_study_that_was_stopped_goes_on_to_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["search=bayes", "search.study_name=long", "hydra/launcher=basic", "search.n_trials=9"]
    words += ["search.n_startup_trials=3"]
    found = {}
    for name, seen in (("as ever", 1000), ("whole", 4), ("stopped", 4)):
        monkeypatch.setattr(latest, "LATEST", seen)
        monkeypatch.setattr("ridgeline.search.ask_tell.BEST", 2)
        studies = Studies(tmp_path / name, tmp_path / "mlflow.db")
        if name == "stopped":
            with pytest.raises(StudyStopped):
                studies.run(*words, task=stopping(6, KeyboardInterrupt))
        found[name] = results(studies.run(*words, task=formula), without=("seconds", "run_id", "number", "job_dir"))
    assert found["stopped"] == found["whole"] != found["as ever"]
