"""How many trials a study has, by how they ended: kept from trial to trial, so that none is looked at twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from optuna.trial import FrozenTrial

from ridgeline.search.ranking import is_interrupted, outcome, state_of


class Tally:
    """`asked`: all trials but the interrupted ones, which count for nothing. `last_reason`: why the last one that
    failed did."""

    def __init__(self, trials: Iterable[FrozenTrial]) -> None:
        self.asked = 0
        self.last_reason: str | None = None
        self._ended: Counter[str] = Counter()
        for trial in trials:
            self.asked += not is_interrupted(trial)
            if trial.state.is_finished() and not is_interrupted(trial):
                self.ended(trial)

    @property
    def ran(self) -> int:
        """Those that ended by themselves: COMPLETE, PRUNED or FAILED."""
        return self._ended.total()

    @property
    def running(self) -> int:
        return self.asked - self.ran

    @property
    def complete(self) -> int:
        return self._ended["COMPLETE"]

    @property
    def pruned(self) -> int:
        return self._ended["PRUNED"]

    @property
    def failed(self) -> int:
        return self._ended["FAILED"]

    def ended(self, trial: FrozenTrial) -> None:
        """Take in a trial that ended by itself."""
        self._ended[state_of(trial)] += 1
        self.last_reason = outcome(trial).get("reason", self.last_reason)
