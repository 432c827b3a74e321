"""A study's trials, sorted into those that count, and the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

INTERRUPTED = "interrupted"
"""User attribute of a trial whose process ended before the trial did: FAIL for Optuna, but it counts for nothing."""


OUTCOME = "outcome"
"""User attribute, one write a trial: `run_id`, `best_epoch`, `epochs`, `seconds`, `metrics`, `reason` if failed."""


def outcome(trial: FrozenTrial) -> dict[str, Any]:
    """Empty until the trial has ended."""
    found: dict[str, Any] = trial.user_attrs.get(OUTCOME, {})
    return found


def ran(study: Study) -> list[FrozenTrial]:
    """The trials that ended by themselves: COMPLETE, PRUNED or FAILED."""
    return [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and not is_interrupted(t)]


def is_interrupted(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(INTERRUPTED, False))


def state_of(trial: FrozenTrial) -> str:
    """COMPLETE, PRUNED, FAILED, INTERRUPTED or RUNNING."""
    if is_interrupted(trial):
        return "INTERRUPTED"
    return "FAILED" if trial.state == TrialState.FAIL else trial.state.name


def best_first(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Complete trials by value; of equal ones the earlier first."""
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda t: (t.value, t.number))


def counts(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    states = [state_of(t) for t in trials]
    return {state.lower(): states.count(state) for state in ("COMPLETE", "PRUNED", "FAILED")}
