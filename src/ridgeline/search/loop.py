"""Ask, launch, tell: until as many trials ran as the study shall have."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ridgeline.search import sampling
from ridgeline.search.folder import job_folder
from ridgeline.search.job import Ending, ending_of, one_line, recorded_ending
from ridgeline.search.journal import as_one_write
from ridgeline.search.launching import Launcher
from ridgeline.search.plan import Plan
from ridgeline.search.progress import Progress
from ridgeline.search.ranking import INTERRUPTED, OUTCOME, Standings, counts, is_interrupted, outcome, ran
from ridgeline.search.records import Records, drop_weights
from ridgeline.search.repeats import Repeats
from ridgeline.search.stopped import StudyStopped
from ridgeline.search.streaming import Streaming

log = logging.getLogger(__name__)


class Loop:
    """The trials of one study, from the state that its storage is in."""

    def __init__(
        self, plan: Plan, study: Study, folder: Path, records: Records, progress: Progress, launcher: Launcher
    ) -> None:
        self.plan, self.study, self.folder = plan, study, folder
        self.records, self.progress, self.launcher = records, progress, launcher
        self.distributions = {d.key: d.distribution for d in plan.line.space}
        self.repeats = Repeats(plan.config.search, plan.line.space)
        self.standings = Standings(study.direction, ran(study))
        self.exhausted = False

    def run(self) -> None:
        """Go on to the goal. Raises StudyStopped, or KeyboardInterrupt when its trials are in order."""
        streaming = Streaming(self, self.launcher.stack) if self.launcher.can_stream(self.plan) else None
        if streaming is None and self.plan.config.search.pruner is not None:
            log.warning("search.pruner prunes in the stack launcher alone: each trial trains to its end.")
        try:
            self.records.complete_curves(self.study)
            self.close_running(streaming)
            self.records.close_unfinished(self.study, self.folder)
            if streaming is not None:
                streaming.run()
            while not self.exhausted and (left := self.plan.n_trials - len(ran(self.study))) > 0:
                self.check_failures()
                batch = [self.ask() for _ in range(min(left, self.plan.config.search.n_jobs))]
                self.run_batch(batch)
        except KeyboardInterrupt:
            self.records.hasten()
            self.records.interrupt_trials("interrupted")
            self.close_running(streaming)
            raise
        self.check_failures()

    def ask(self) -> Trial:
        trials, kept = [t for t in self.study.get_trials(deepcopy=False) if not is_interrupted(t)], dict[str, Any]()
        if self.plan.grid is not None:
            asked = {tuple(t.params[key] for key in self.distributions) for t in trials}
            combination = next(c for c in self.plan.grid if tuple(c.values()) not in asked)
            self.study.sampler = sampling.fixed_sampler(combination)
        elif self.repeats.keys:
            params, kept = self.repeats.next(self.study, trials)
            self.study.sampler = sampling.fixed_sampler(params)
        else:
            self.study.sampler = sampling.sampler_for(self.plan.config.search, self.plan.line.space, len(trials))
        trial = self.study.ask(self.distributions)
        for key, value in kept.items():
            self.study._storage.set_trial_system_attr(trial._trial_id, key, value)
        return trial

    def run_batch(self, batch: Sequence[Trial]) -> None:
        """Run a batch and tell it in order. A job's number is its trial's, also where the numbers have gaps."""
        endings: dict[int, Ending] = {}
        for _, pairs in itertools.groupby(enumerate(batch), lambda pair: pair[1].number - pair[0]):
            trials = [trial for _, trial in pairs]
            jobs = [[*self.plan.line.overrides(t.params), *self.of_trial(t)] for t in trials]
            try:
                returned = self.launcher.launch(jobs, trials[0].number)
                endings.update((t.number, ending_of(r)) for t, r in zip(trials, returned, strict=True))
            except Exception as error:  # of the launcher itself: those that it did not get to have failed too
                for trial in trials:
                    recorded = recorded_ending(self.folder / job_folder(trial.number))
                    endings[trial.number] = recorded or Ending(None, one_line(error))
        for asked in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if asked.number in endings:
                self.tell(asked, endings[asked.number])

    def of_trial(self, trial: Trial) -> list[str]:
        """What tells the job whose it is. Quoted, for a run's id may look like a number."""
        study, parent = (QuotedString(t, Quote.single).with_quotes() for t in (self.plan.name, self.records.run.id))
        own = [f"trial.study={study}", f"trial.number={trial.number}", f"trial.parent_run={parent}"]
        return [*own, "trainer.enable_progress_bar=false"]

    def tell(self, trial: FrozenTrial, ending: Ending, reported: Mapping[int, float] | None = None) -> FrozenTrial:
        """An ending without value and reason is that of a pruned trial. `reported`: the metric after so many epochs."""
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
            told = self.study.get_trials(deepcopy=False)[trial.number]
        setting, best = self.standings.add(told), self.standings.best
        drop_weights(setting, best, self.folder, self.plan.config.tracking.keep_weights)
        self.records.told(told, best)
        self.progress.show(self.study, best)
        return told

    def close_running(self, streaming: Streaming | None) -> None:
        """Trials whose process is gone: told if the job had ended, and else interrupted, which counts for nothing.

        Those of a stream stay RUNNING: they keep their slots and are trained anew, the first ones, as many as the goal
        leaves room for.
        """
        room = self.plan.n_trials - len(ran(self.study))
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if room > 0 and streaming is not None and streaming.takes_up(trial):
                room -= 1
                continue
            ending = recorded_ending(self.folder / job_folder(trial.number))
            if ending is not None:
                self.tell(trial, ending)
            else:
                attributes = {INTERRUPTED: True, OUTCOME: {"run_id": self.records.interrupted(trial.number)}}
                for name, value in attributes.items():
                    self.study._storage.set_trial_user_attr(trial._trial_id, name, value)
                self.study.tell(trial.number, state=TrialState.FAIL)

    def check_failures(self) -> None:
        """Raises StudyStopped over the limit, and at the end if nothing came of any trial."""
        trials = ran(self.study)
        failed, goal = counts(trials)["failed"], self.plan.n_trials
        rate = self.plan.config.search.max_failure_rate
        last = next((outcome(t)["reason"] for t in reversed(trials) if "reason" in outcome(t)), None)
        if failed > rate * goal:
            limit = f"more than search.max_failure_rate={rate} of {goal}"
            why = f"{failed} trials failed, {limit}: raise it, or change the space"
            raise StudyStopped(f"The study {self.plan.name} ends: {why}. The last: {last}")
        if trials and failed == len(trials) >= goal:
            raise StudyStopped(f"All {failed} trials of the study {self.plan.name} failed. The last: {last}")
