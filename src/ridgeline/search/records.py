"""The study's side of MLflow: its parent run, and the weights and curves of its best trials."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ridgeline.config import Config
from ridgeline.data import DataDescription
from ridgeline.search.commandline import CommandLine
from ridgeline.search.endings import INTERRUPTED_CODE, StudyStopped
from ridgeline.search.job_folder import job_folder
from ridgeline.search.ranking import Setting, best_settings, counts, outcome, ran, repeated
from ridgeline.search.repeats import shown
from ridgeline.search.space import Dimension
from ridgeline.search.summary import study_note
from ridgeline.tracking import Run, State, Tracker, TrackingError, provenance
from ridgeline.tracking.address import table_page
from ridgeline.tracking.names import mlflow_key
from ridgeline.tracking.views import STUDIES, study_view
from ridgeline.trial.run import HISTORY, read_history

WEIGHTS = "weights.safetensors"

ROOM = 256 * 2**20
"""Bytes that the weights of members of an ensemble may take on the disk."""

DRAWN_WITH = (
    "ridgeline.report.curves",
    "ridgeline.report.studies",
    "optuna.importance._fanova",
    "sklearn.ensemble",
    "contourpy",
    "matplotlib.backends.backend_agg",
    "PIL.JpegImagePlugin",
)
"""What the pictures at the end take, two seconds of imports in all."""

KEY, RUN = "key", "run_id"
"""User attributes of a study: the id that tells it from others of its name, and its run in MLflow."""


class Records:
    """What a study writes to MLflow: `run` is its own run, the parent of its trials'; `trials` their open runs, by
    number."""

    def __init__(
        self,
        tracker: Tracker,
        config: Config,
        study: Study,
        space: Sequence[Dimension],
        data: DataDescription,
        own_code: Mapping[str, str] | None = None,
    ) -> None:
        self.tracker, self.config, name = tracker, config, study.study_name
        tags, known = {f"{provenance.SPACE}{mlflow_key(d.key)}": d.text for d in space}, study.user_attrs
        self.run = tracker.start_study(name, config, data, tags, key=known.get(KEY), run_id=known.get(RUN))
        tracker.log_own_code(self.run, own_code or {})
        study.set_user_attr(RUN, self.run.id)
        for view in (STUDIES, study_view(name, config, [mlflow_key(d.key) for d in space])):
            tracker.save_view(view)
        self.trials: dict[int, Run] = {}
        self.hasty = False
        self._loading: Thread | None = None

    def run_of(self, number: int) -> str | None:
        """The id of the run of a trial whose job did not hand it back; None if it has none."""
        return self.tracker.find_trial_run(self.run.id, number)

    def told(self, trial: FrozenTrial, best: Sequence[Setting]) -> None:
        """Write a trial that ended into the curves of the study's run: its value, and the best so far, by trial
        number."""
        if self._loading is None and self.config.tracking.pictures:  # while the others train, so that nobody waits
            self._loading = Thread(target=_load_drawing, name="ridgeline.pictures", daemon=True)
            self._loading.start()
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            metric = self.config.metric  # of a trial's run it is a curve by epoch, so that its name is another one here
            so_far = {f"best/{metric}": best[0].value} if best else {}
            self.run.log_epoch(trial.number, {f"trial/{metric}": trial.value, **so_far})

    def interrupted(self, number: int) -> str | None:
        """Close the run of a trial whose process is gone as INTERRUPTED; its id, or None if the trial had none.

        After Ctrl-C there may be no time to ask MLflow: then the next start of the study does it.
        """
        try:
            run_id = self.run_of(number)
        except TrackingError:
            if self.hasty:
                return None
            raise
        if run_id is not None:
            self.tracker.reopen(run_id).finish("INTERRUPTED", "the process ended before the trial did")
        return run_id

    def interrupt_trials(self, reason: str) -> None:
        """Close the open runs of trials, which nobody trains any more."""
        for run in self.trials.values():
            run.interrupt(reason)
        self.trials.clear()

    def hasten(self) -> None:
        """From now on wait for MLflow as shortly as possible."""
        self.hasty = True
        self.tracker.hasten()

    def describe(self, study: Study, line: CommandLine, folder: Path) -> None:
        """The text that the MLflow UI shows on the page of the study's run."""
        note = study_note(study, self.config, line, folder, table_page(study.study_name, self.run.experiment))
        self.run.set_tags({provenance.NOTE: note})

    def log_results(self, study: Study, space: Sequence[Dimension], files: Sequence[Path], folder: Path) -> None:
        """Log the study's tables and pictures, its best setting, and the weights and curves of the best ones."""
        trials = ran(study)
        best, swept = best_settings(trials, study.direction), repeated(trials[0]) if trials else []
        for path in files:
            self.run.log_file(path, "study")
        if best:
            trial, params = best[0].trial, {f"best.{key}": str(value) for key, value in best[0].params.items()}
            found = {"best.trial": str(trial.number), "best.run_id": str(outcome(trial).get("run_id")), **params}
            self.run.set_tags(found | ({"best.seeds": str(best[0].seeds)} if swept else {}))
        tally = {f"trials/{state}": float(count) for state, count in counts(trials).items()}
        of_best = best[0].metrics if best else {}  # so a column of a trial's is one of its study too
        if best and best[0].deviation is not None:
            of_best = {**of_best, f"best/{self.config.metric}_deviation": best[0].deviation}
        self.run.log_epoch(len(trials), {**tally, **of_best})
        if self.config.tracking.pictures:
            self._draw(shown(study, space), study.study_name)
        for setting in best[: self.config.tracking.keep_weights]:
            self._keep(setting.trial, folder)

    def _draw(self, drawn: Study, study: str) -> None:
        import matplotlib.pyplot as plt  # which a study without pictures, an estimator's, does not wait for

        from ridgeline.report.studies import study_figures

        for name, figure in study_figures(drawn, self.config.metric, study).items():
            self.run.log_figure(figure, f"study/{name}.png")
            plt.close(figure)

    def finish(self, stopped: StudyStopped | None) -> None:
        """Close the parent run: COMPLETE, FAILED, or KILLED with the state INTERRUPTED, after which it can go on."""
        if stopped is None:
            self.run.finish("COMPLETE")
        elif stopped.code == INTERRUPTED_CODE:
            self.run.interrupt(str(stopped))
        else:
            self.run.finish("FAILED", str(stopped))

    def _keep(self, trial: FrozenTrial, folder: Path) -> None:
        run_id = outcome(trial).get("run_id")
        if run_id is None:
            return
        run, job = self.tracker.reopen(run_id), folder / job_folder(trial.number)
        if (job / WEIGHTS).exists():
            run.log_file(job / WEIGHTS, "weights")
        if self.config.tracking.pictures and (job / HISTORY).exists():
            import matplotlib.pyplot as plt

            from ridgeline.report.curves import curve_figure

            title = f"Trial {trial.number}"
            history, best_epoch, is_own = (
                read_history(job / HISTORY),
                outcome(trial).get("best_epoch"),
                self.config.model,
            )
            figure = curve_figure(history, best_epoch, title, self.config.metric, of_module=is_own is not None)
            run.log_figure(figure, "curves.png")
            plt.close(figure)


def _load_drawing() -> None:
    with suppress(ImportError):  # said where it is needed
        for module in DRAWN_WITH:
            importlib.import_module(module)


def how_it_ended(trial: FrozenTrial) -> tuple[State, str | None]:
    """What the run of a trial that ended is closed with: a state and a reason."""
    if trial.state == TrialState.PRUNED:
        return "PRUNED", f"after epoch {outcome(trial)['epochs']}"
    return ("COMPLETE" if trial.state == TrialState.COMPLETE else "FAILED"), outcome(trial).get("reason")


def drop_weights(told: Setting, best: Sequence[Setting], folder: Path, keep: int, members: int) -> None:
    """Remove the weights of all but the `keep` best, and of the next ones up to `members` as far as there is `ROOM` for
    them, so that a long study does not fill the disk.

    A setting of several seeds keeps those of the trial that stands for it, and all of them until it has its seeds.
    """
    if told.state == TrialState.RUNNING:
        return
    kept, room = [setting.trial.number for setting in best[:keep]], ROOM
    for setting in best[keep:members]:
        path = folder / job_folder(setting.trial.number) / WEIGHTS
        room -= path.stat().st_size if path.exists() else 0
        if room < 0:
            break
        kept.append(setting.trial.number)
    for setting in (told, *best[keep : max(keep, members) + 1]):  # what this one did not become or pushed out
        for trial in setting.trials:
            if trial.number not in kept:
                (folder / job_folder(trial.number) / WEIGHTS).unlink(missing_ok=True)
