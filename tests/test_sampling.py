"""Which settings a search draws: by their number, whatever has ended by then (issue 12, A.2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from ridgeline.checking import ConfigError
from ridgeline.config import SearchConfig
from ridgeline.search.endings import StudyStopped
from ridgeline.search.sampling import rehearse, sampler_at, sampler_for
from ridgeline.search.space import Dimension
from sweeping import Studies, results

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


class Far(RandomSampler):
    """Draws what is in no space, from trial number `at` on."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self.at = at

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return 1e9 if trial.number >= self.at else super().sample_independent(study, trial, name, distribution)


def test_a_sampler_that_draws_outside_of_the_space_is_refused_before_the_study() -> None:
    with pytest.raises(
        ConfigError, match=r"the sampler draws from this space` must hold, .* l2=1000000000.0 is not in"
    ):
        rehearse(SearchConfig(sampler={"_target_": "test_sampling.Far"}), SPACE)


@pytest.mark.verify
def test_a_sampler_that_fails_later_ends_the_study_which_keeps_its_trials(tmp_path: Path) -> None:
    """What it was drawing is no trial; and the same command ends alike, for its sampler is the same."""
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    space = ("regularization.l2=tag(log,interval(1e-6,1e-1))", "regularization.dropout=0", "search.n_startup_trials=0")
    sampler = ("search=random", "++search.sampler={_target_: test_sampling.Far, at: 4}", "search.n_trials=6")
    for _ in range(2):
        with pytest.raises(StudyStopped, match=r"search.sampler test_sampling.Far fails, regularization.l2=1000000000"):
            studies.run(*sampler, *space, "hydra/launcher=basic")
        (folder,) = studies.folders()
        assert [row["number"] for row in results(folder)] == ["0", "1", "2", "3"]


def test_the_first_line_of_a_search_with_gp_is_none_of_optunas(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import ridgeline.search.sampling, optuna._gp.batched_lbfgsb"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert capfd.readouterr() == ("", "")
