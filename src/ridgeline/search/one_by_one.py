"""Trials that Hydra's launcher runs as ordinary jobs, as many at a time as `search.n_jobs` says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hydra.core.override_parser.types import Quote, QuotedString
from optuna.trial import Trial

from ridgeline.search.ask_tell import AskTell
from ridgeline.search.endings import Ending, ending_of, one_line, recorded_ending
from ridgeline.search.folder import job_folder
from ridgeline.search.launching import Launch


def run_one_by_one(trials: AskTell, launch: Launch) -> None:
    """Until the study has its trials, or its sampler has no more."""
    while not trials.exhausted and (left := trials.left) > 0:
        trials.check_failures()
        batch = [trials.ask() for _ in range(min(left, trials.plan.config.search.n_jobs))]
        _run_batch(trials, launch, batch)


def _run_batch(trials: AskTell, launch: Launch, batch: Sequence[Trial]) -> None:
    """Run a batch and tell it in order. A job's number is its trial's, also where the numbers have gaps."""
    endings: dict[int, Ending] = {}
    for _, pairs in itertools.groupby(enumerate(batch), lambda pair: pair[1].number - pair[0]):
        consecutive = [trial for _, trial in pairs]
        jobs = [[*trials.plan.line.overrides(t.params), *_of_trial(trials, t)] for t in consecutive]
        try:
            returned = launch(jobs, consecutive[0].number)
            endings.update((t.number, ending_of(r)) for t, r in zip(consecutive, returned, strict=True))
        except Exception as error:  # of the launcher itself: those that it did not get to have failed too
            for trial in consecutive:
                recorded = recorded_ending(trials.folder / job_folder(trial.number))
                endings[trial.number] = recorded or Ending(None, one_line(error))
    for asked in trials.running():
        if asked.number in endings:
            trials.tell(asked, endings[asked.number])


def _of_trial(trials: AskTell, trial: Trial) -> list[str]:
    """Overrides that tell the job whose it is. Quoted, for a run's id may look like a number."""
    study, parent = (QuotedString(t, Quote.single).with_quotes() for t in (trials.plan.name, trials.records.run.id))
    own = [f"trial.study={study}", f"trial.number={trial.number}", f"trial.parent_run={parent}"]
    return [*own, "trainer.enable_progress_bar=false"]
