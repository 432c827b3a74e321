"""A study goes on from the state that its storage is in, to its goal, to the end of its time, or to Ctrl-C.

Its trials train as a stream in worker processes; or Hydra's launcher runs them as jobs, `search.n_jobs` at a time.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

from hydra.core.override_parser.types import Quote, QuotedString
from optuna.trial import Trial

from ridgeline.search.ask_tell import AskTell
from ridgeline.search.deadline import TimeIsUp
from ridgeline.search.endings import Ending, StudyStopped, ending_of, one_line, recorded_ending
from ridgeline.search.job_folder import job_folder
from ridgeline.search.launching import Launch, Launcher
from ridgeline.search.resume import close_running, put_in_order
from ridgeline.search.streaming import Streaming

log = logging.getLogger(__name__)


def run_to_goal(trials: AskTell, launcher: Launcher) -> None:
    """Train the trials that are left, or as many as `search.timeout` leaves time for. Raises StudyStopped, or
    KeyboardInterrupt when all trials are in order."""
    streaming = None
    if launcher.stack is not None and launcher.can_stream(trials.plan):
        streaming = Streaming(trials, launcher.stack, launcher.master)
    elif trials.plan.config.search.pruner is not None:
        log.warning("search.pruner prunes in the stack launcher alone: each trial trains to its end.")
    takes_up = streaming.takes_up if streaming is not None else lambda trial: False
    trials.deadline.begin()
    try:
        put_in_order(trials, takes_up)
        if streaming is not None:
            streaming.run()
        _run_jobs(trials, launcher.launch)  # also what a stream has left: trials that a kill took half-way
    except TimeIsUp:
        trials.records.interrupt_trials("search.timeout")
        close_running(trials, takes_up)
        _say_that_time_is_up(trials)
    except KeyboardInterrupt:
        trials.records.hasten()
        trials.records.interrupt_trials("interrupted")
        close_running(trials, takes_up)
        raise
    trials.check_failures()


def _say_that_time_is_up(trials: AskTell) -> None:
    """Raises StudyStopped where the time was too short for any trial."""
    seconds, ended, goal = trials.deadline.seconds, trials.tally.ran, trials.plan.n_trials
    if ended == 0:
        none = f"No trial of the study {trials.plan.name} ended within search.timeout={seconds:g} s"
        before = f"{trials.deadline.before_trials:.1f} s had passed before the first began"
        raise StudyStopped(f"{none}; {before}: raise it, or let trials be shorter (trainer.max_epochs).")
    log.info(f"search.timeout={seconds:g} s is over: {ended} of {goal} trials ended. The same command goes on.")


def _run_jobs(trials: AskTell, launch: Launch) -> None:
    """Run trials as jobs until the study has its trials, or its sampler has no more."""
    while not trials.exhausted and (left := trials.left) > 0:
        trials.check_failures()
        trials.deadline.check()
        batch = [trials.ask() for _ in range(min(left, trials.plan.config.search.n_jobs))]
        _run_batch(trials, launch, batch)


def _run_batch(trials: AskTell, launch: Launch, batch: Sequence[Trial]) -> None:
    """Run a batch of trials, and tell them in their order.

    A launcher numbers its jobs from the first on. So trials whose numbers have gaps between them are launched apart,
    for a job has its trial's number.
    """
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
    """The overrides that tell a job which trial of which study it is. Quoted, for a run's id may look like a number."""
    study, parent = (QuotedString(t, Quote.single).with_quotes() for t in (trials.plan.name, trials.records.run.id))
    own = [f"trial.study={study}", f"trial.number={trial.number}", f"trial.parent_run={parent}"]
    return [*own, "trainer.enable_progress_bar=false"]
