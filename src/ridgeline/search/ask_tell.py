"""The trials of one study: asked of Optuna, told back to it, and counted against the goal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ridgeline.search import sampling
from ridgeline.search.advice import on_no_result
from ridgeline.search.conditions import values_of
from ridgeline.search.deadline import Deadline
from ridgeline.search.endings import Ending, StudyStopped
from ridgeline.search.latest import BEST, look_at_latest
from ridgeline.search.patience import StorageAway
from ridgeline.search.plan import Plan
from ridgeline.search.progress import Progress
from ridgeline.search.ranking import INTERRUPTED, OUTCOME, Standings, is_interrupted, ran
from ridgeline.search.records import Records, drop_weights
from ridgeline.search.repeats import Repeats
from ridgeline.search.storage import as_one_write
from ridgeline.search.tally import Tally
from ridgeline.target import TARGET, reason


class AskTell:
    """Asks for the trials of a study, and tells how they ended, whoever trains them.

    `exhausted`: the sampler has seen its whole space, so there is nothing more to ask for. `began`: when this start of
    the study did, by the clock of its deadline.
    """

    def __init__(
        self, plan: Plan, study: Study, folder: Path, records: Records, progress: Progress, began: float
    ) -> None:
        self.plan, self.study, self.folder = plan, study, folder
        self.records, self.progress = records, progress
        self.exhausted = False
        self.deadline = Deadline(plan.config.search.timeout, began)
        self._repeats = Repeats(plan.config.search, plan.line.space)
        self._standings = Standings(study.direction, ran(study))
        self.tally = Tally(study.get_trials(deepcopy=False))
        self._known_space: IntersectionSearchSpace | None = None

    @property
    def left(self) -> int:
        """How many trials are still to end before the study has reached its goal."""
        return self.plan.n_trials - self.tally.ran

    def counted(self) -> list[FrozenTrial]:
        """All trials but the interrupted ones, which count for nothing."""
        return [t for t in self.study.get_trials(deepcopy=False) if not is_interrupted(t)]

    def running(self) -> list[FrozenTrial]:
        """Those that were asked for and have not been told."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def trial(self, number: int) -> FrozenTrial:
        """One trial, without a copy of all others."""
        storage = self.study._storage
        return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number))

    def ask(self) -> Trial:
        """The next trial. Raises StudyStopped where the sampler fails, which the user may have written."""
        try:
            return self._ask()
        except (OSError, StorageAway):
            raise
        except Exception as error:
            for asked in self.running():  # what it began to draw
                if len(values_of(asked.params)) < len(self.plan.line.space):
                    self.interrupt(asked)
            cause = error if isinstance(error, sampling.Outside) else reason(error)
            sampler = (self.plan.config.search.sampler or {}).get(TARGET)
            raise StudyStopped(f"The study {self.plan.name} ends: search.sampler {sampler} fails, {cause}.") from error

    def _ask(self) -> Trial:
        """The next combination of a grid, the next seed of a setting, or a draw of the sampler."""
        kept = dict[str, Any]()
        if self.plan.grid is not None:
            asked = {tuple(t.params[d.key] for d in self.plan.line.space) for t in self.counted()}
            combination = next(c for c in self.plan.grid if tuple(c.values()) not in asked)
            self.study.sampler = sampling.fixed_sampler(combination)
        elif self._repeats.keys:
            params, kept = self._repeats.next(self.study, self.counted())
            self.study.sampler = sampling.fixed_sampler(params)
        else:
            sampler = sampling.sampler_for(self.plan.config.search, self.plan.line.space, self.tally.asked)
            self._known_space = sampling.with_space(sampler, self._known_space)
            best = [setting.trial for setting in self._standings.best[:BEST]]
            look_at_latest(sampler, self.plan.config.search.sampler or {}, best)
            self.study.sampler = sampler
        trial = sampling.ask(self.study, self.plan.line.space)
        self.tally.asked += 1
        for key, value in kept.items():
            self.study._storage.set_trial_system_attr(trial._trial_id, key, value)
        return trial

    def tell(self, trial: FrozenTrial, ending: Ending, reported: Mapping[int, float] | None = None) -> FrozenTrial:
        """Tell Optuna, MLflow and the user how a trial ended.

        An ending without value and reason is that of a pruned trial. `reported`: the metric after so many epochs.
        """
        attributes = dict(ending.attributes)
        if "run_id" not in attributes and (found := self.records.run_of(trial.number)) is not None:
            attributes["run_id"] = found
        if ending.reason is not None:
            attributes["reason"] = ending.reason
            self.progress.say(f"Trial {trial.number} failed: {ending.reason}")
        storage = self.study._storage
        with as_one_write(storage):
            for epochs, value in (reported or {}).items():
                storage.set_trial_intermediate_value(trial._trial_id, epochs, value)
            storage.set_trial_user_attr(trial._trial_id, OUTCOME, attributes)
        state = TrialState.COMPLETE if ending.reason is None else TrialState.FAIL
        if ending.reason is None and ending.value is None:
            state = TrialState.PRUNED
        try:
            told = self.study.tell(trial.number, ending.value, state=state)
        except RuntimeError as error:  # a sampler that has seen its whole space; Optuna allows it in `optimize` alone
            if "Study.stop" not in str(error):
                raise
            self.exhausted = True
            told = self.trial(trial.number)
        self.tally.ended(told)
        setting, best = self._standings.add(told), self._standings.best
        tracking = self.plan.config.tracking
        drop_weights(setting, best, self.folder, tracking.keep_weights, tracking.keep_members)
        self.records.told(told, best)
        self.progress.show(self.tally, best)
        return told

    def interrupt(self, trial: FrozenTrial) -> None:
        """Tell that the process of a trial ended before the trial did. For Optuna it failed; here it does not count."""
        attributes = {INTERRUPTED: True, OUTCOME: {"run_id": self.records.interrupted(trial.number)}}
        for name, value in attributes.items():
            self.study._storage.set_trial_user_attr(trial._trial_id, name, value)
        self.study.tell(trial.number, state=TrialState.FAIL)
        self.tally.asked -= 1

    def check_failures(self) -> None:
        """Raise StudyStopped if more trials failed than `search.max_failure_rate` allows, or in the end all of them."""
        failed, goal, last = self.tally.failed, self.plan.n_trials, self.tally.last_reason
        rate = self.plan.config.search.max_failure_rate
        if failed > rate * goal:
            limit = f"more than search.max_failure_rate={rate} of {goal}"
            why = f"{failed} trials failed, {limit}: raise it, or change the space"
            raise StudyStopped(f"The study {self.plan.name} ends: {why}. The last: {last}")
        if failed and failed == self.tally.ran >= goal:
            raise StudyStopped(f"All {failed} trials of the study {self.plan.name} failed. The last: {last}")
        if self.tally.ran >= goal and not self.tally.complete:
            why = on_no_result(ran(self.study), self.plan.config.search.pruner)
            raise StudyStopped(f"The study {self.plan.name} ends without a result. {why}")
