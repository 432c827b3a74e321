"""A swept seed is replication: what is ranked, shown, pruned and confirmed are settings (issue 12, A.4)."""

from __future__ import annotations

import math

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ridgeline.search.ranking import best_settings, settings


def trial(
    number: int, l2: float, seed: int, value: float | None, state: TrialState = TrialState.COMPLETE
) -> FrozenTrial:
    space = {"regularization.l2": CategoricalDistribution([0, 1e-3]), "seed": CategoricalDistribution([1, 2, 3])}
    params = {"regularization.l2": l2, "seed": seed}
    made = create_trial(state=state, value=value, params=params, distributions=space)
    made.number = number
    return made


LUCKY = [trial(0, 0, 1, 0.1), trial(1, 0, 2, 0.6), trial(2, 0, 3, 0.8)]
STEADY = [trial(3, 1e-3, 1, 0.2), trial(4, 1e-3, 2, 0.3), trial(5, 1e-3, 3, 0.3)]


def test_setting_is_ranked_by_the_mean_of_its_seeds_and_not_by_the_luckiest() -> None:
    best, second = best_settings([*LUCKY, *STEADY])
    assert (best.params, second.params) == ({"regularization.l2": 1e-3}, {"regularization.l2": 0})
    assert best.value == pytest.approx(0.8 / 3)
    assert best.deviation == pytest.approx(0.1 / math.sqrt(3))
    assert (len(best.trials), best.seeds, best.trial.number) == (3, 3, 4)


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING])
def test_setting_of_which_a_seed_has_no_value_is_not_ranked_by_its_luckier_half(state: TrialState) -> None:
    lost = trial(1, 0, 2, None, state)
    assert [s.params for s in best_settings([LUCKY[0], lost, LUCKY[2], *STEADY])] == [{"regularization.l2": 1e-3}]
    (half,) = settings([LUCKY[0], lost])
    assert math.isnan(half.value)
    assert half.deviation is None
    assert best_settings([*LUCKY[:2], *STEADY])[0].params == {"regularization.l2": 1e-3}
