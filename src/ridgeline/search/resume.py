"""What a process that was killed left behind: trials that nobody trains any more, and what MLflow was not told.

MLflow is written to seconds after a trial has ended, so a kill may fall between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from ridgeline.config.stored import read_stored
from ridgeline.data import describe
from ridgeline.search.ask_tell import AskTell
from ridgeline.search.endings import recorded_ending
from ridgeline.search.job_folder import job_folder
from ridgeline.search.ranking import Standings, outcome, ran
from ridgeline.search.records import how_it_ended
from ridgeline.trial.run import HISTORY, epoch_metrics, read_history

TakesUp = Callable[[FrozenTrial], bool]
"""Whether a trial that is RUNNING keeps its place and will be trained anew."""


def put_in_order(trials: AskTell, takes_up: TakesUp) -> None:
    """Bring Optuna and MLflow to the state that the study's folder is in, before any trial is asked for."""
    _complete_curves(trials)
    close_running(trials, takes_up)
    _close_unfinished(trials)


def close_running(trials: AskTell, takes_up: TakesUp) -> None:
    """Trials whose process is gone: told if the job had ended, and else interrupted, which counts for nothing.

    Those that are taken up stay RUNNING, the first ones, as many as the goal leaves room for.
    """
    room = trials.left
    for trial in trials.running():
        if room > 0 and takes_up(trial):
            room -= 1
            continue
        ending = recorded_ending(trials.folder / job_folder(trial.number))
        if ending is not None:
            trials.tell(trial, ending)
        else:
            trials.interrupt(trial)


def _complete_curves(trials: AskTell) -> None:
    """Write the points of the study's own curves that are missing in its run."""
    records, standings = trials.records, Standings(trials.study.direction)
    written = records.tracker.written(records.run.id)
    for trial in sorted(ran(trials.study), key=lambda t: (t.datetime_complete or t.datetime_start, t.number)):
        standings.add(trial)
        if (f"trial/{records.config.metric}", trial.number) not in written:
            records.told(trial, standings.best)


def _close_unfinished(trials: AskTell) -> None:
    """Runs of trials that nobody trains: those of trials that ended say how, the others INTERRUPTED."""
    tracker, known = trials.records.tracker, trials.study.get_trials(deepcopy=False)
    for run_id, number in tracker.unfinished(trials.records.run.id).items():
        trial = known[number] if 0 <= number < len(known) else None
        if trial is not None and trial.state.is_finished() and outcome(trial).get("run_id") == run_id:
            _complete(trials, trial, trials.folder / job_folder(number))
        else:
            tracker.reopen(run_id).finish("INTERRUPTED", "the process ended before the trial did", wait=False)


def _complete(trials: AskTell, trial: FrozenTrial, job: Path) -> None:
    """Write what the job's folder and Optuna know of the trial, and its run does not."""
    allowed = [*trials.records.config.tracking.allowed_targets, *trials.plan.line.start.own]
    found, config = outcome(trial), read_stored(job / ".hydra" / "config.yaml", allowed)
    curve = dict(epoch_metrics(row) for row in read_history(job / HISTORY)) if (job / HISTORY).exists() else {}
    if trial.state == TrialState.COMPLETE:
        final = {**found.get("metrics", {}), "final/best_epoch": float(found["best_epoch"])}
        curve[0] = {**curve.get(0, {}), **final}
    run = trials.records.tracker.complete(found["run_id"], config, describe(config.data), curve)
    run.finish(*how_it_ended(trial), wait=False)
