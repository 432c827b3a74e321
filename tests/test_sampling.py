"""Which settings a search draws: by their number, whatever has ended by then (issue 12, A.2)."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ridgeline.config import SearchConfig
from ridgeline.search.sampling import rehearse, sampler_at, sampler_for
from ridgeline.search.space import Dimension

SPACE = [
    Dimension("l2", "", "", FloatDistribution(1e-6, 1e-1, log=True)),
    Dimension("layers", "", "", IntDistribution(1, 4)),
    Dimension("width", "", "", CategoricalDistribution([8, 16])),
]
NUMBERS = SPACE[:2]


def drawn(search: SearchConfig, space: list[Dimension], n: int, at_once: int) -> list[dict[str, Any]]:
    """The points of a study of which so many trials run at a time."""
    study, running = optuna.create_study(), list[optuna.Trial]()
    for place in range(n):
        study.sampler = sampler_for(search, space, place)
        running.append(study.ask({d.key: d.distribution for d in space}))
        if len(running) == at_once:
            trial = running.pop(0)
            study.tell(trial, trial.params["l2"])
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("target", ["RandomSampler", "QMCSampler"])
def test_sampler_that_learns_nothing_draws_the_same_however_many_run(target: str, start: int) -> None:
    search = SearchConfig(sampler={"_target_": f"optuna.samplers.{target}"}, n_startup_trials=start)
    alone = drawn(search, SPACE, 20, 1)
    assert alone == drawn(search, SPACE, 20, 8) == drawn(search, SPACE, 20, 99)
    assert len({tuple(p.values()) for p in alone}) == 20


@pytest.mark.parametrize("target", ["TPESampler", "CmaEsSampler", pytest.param("GPSampler", marks=pytest.mark.verify)])
def test_sampler_begins_at_the_start_up_number_and_not_later(target: str) -> None:
    """The design is the same however many run; the trial after it is the sampler's, which knows what has ended."""
    search = SearchConfig(sampler={"_target_": f"optuna.samplers.{target}"}, n_startup_trials=4)
    alone, together = drawn(search, NUMBERS, 6, 1), drawn(search, NUMBERS, 6, 3)
    assert alone[:4] == together[:4]
    study = optuna.create_study(sampler=sampler_at(search, 4))
    for params in alone[:4]:
        distributions = {d.key: d.distribution for d in NUMBERS}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=params["l2"]))
    asked = study.ask({d.key: d.distribution for d in NUMBERS})
    assert asked.params == alone[4]
    assert asked.relative_params.keys() == {"l2", "layers"}  # modelled, not random


def test_shipped_samplers_have_no_start_of_their_own() -> None:
    nested = {"_target_": "optuna.samplers.PartialFixedSampler", "fixed_params": {}}
    nested["base_sampler"] = {"_target_": "optuna.samplers.TPESampler"}
    rehearse(SearchConfig(sampler=nested), NUMBERS)
    inner = sampler_at(SearchConfig(sampler=nested), 0)._base_sampler
    assert inner._n_startup_trials == 1
