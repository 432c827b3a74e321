"""A study from its command line to its results: it is checked, named, opened, gone on with, and written down."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from time import monotonic

import optuna
import yaml
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from ridgeline.command_line.composed import conceal_study
from ridgeline.command_line.passwords import conceal_tree
from ridgeline.command_line.paths import settle
from ridgeline.command_line.precision import settle_precision
from ridgeline.config.foreign import words_on_unused
from ridgeline.processes import start_server
from ridgeline.quoting import setting
from ridgeline.search import advice
from ridgeline.search.commandline import PARAMS, STAGE
from ridgeline.search.endings import INTERRUPTED_CODE, StudyStopped, one_line
from ridgeline.search.folder import MASTER, locked, study_folder
from ridgeline.search.holder import StudyPlace, held
from ridgeline.search.launching import Launcher, make_launcher, stack_settings
from ridgeline.search.optuna_plugin import with_its_search
from ridgeline.search.patience import StorageAway
from ridgeline.search.plan import Plan, make_plan
from ridgeline.search.progress import opening_words
from ridgeline.search.ranking import ran
from ridgeline.search.references import write_out
from ridgeline.search.results import write_results
from ridgeline.search.stored import open_study
from ridgeline.search.summary import closing_words
from ridgeline.tracking import TrackingError
from ridgeline.trial.requirements import warnings_of

log = logging.getLogger(__name__)


def run(context: HydraContext, task: TaskFunction, master: DictConfig, arguments: Sequence[str]) -> Plan:
    """Run or go on with the study that `master` and the arguments describe; what it was to do.

    Raises ConfigError, with nothing written, at a mistake; StudyStopped when it was interrupted or too much failed.
    """
    began = monotonic()
    master, arguments = with_its_search(context.config_loader, master, arguments)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = stack_settings(master)
    plan = make_plan(context, master, arguments, written_out(master, arguments))
    if settings is not None:
        settings.connect()
    folder = study_folder(plan.config, plan.name)
    with ExitStack() as holding:
        holding.enter_context(locked(folder))
        study = open_study(plan, folder)
        if plan.config.search.storage is not None:  # which may be another folder's too
            holding.enter_context(held(StudyPlace(study), f"The study {plan.name}", settle=True))
        _set_folder(master, folder)
        if master.hydra.job.config_name == STAGE:
            _keep_params(folder)
            plan = replace(plan, line=plan.line.of_stage(folder))
        launcher = make_launcher(context, task, master)
        if settings is not None and settings.backend == "local":
            start_server()  # it imports on another core what workers need; now that nothing is refused any more
        for line in (*warnings_of(plan.config), *advice.on_start(plan)):
            log.warning(line)
        print("\n".join([opening_words(plan, study, folder, launcher), *words_on_unused(plan.trees.first)]), flush=True)
        if len(ran(study)) >= plan.n_trials and _is_reported(study):
            write_results(study, plan.config, plan.line, folder)
        else:
            try:
                _go_on(plan, study, folder, launcher, began)
            except StorageAway as error:
                again = "what has ended is saved there; when it answers, the same command goes on"
                raise StudyStopped(f"The study {plan.name} ends: {error}; {again}.") from error
            except (OSError, TrackingError) as error:  # a full disk, a store that went away
                print(closing_words(study, plan.config, plan.line, folder))
                mend = f"{_saved(plan, study, folder)}; when this is mended, the same command goes on"
                raise StudyStopped(f"The study {plan.name} ends, {mend}: {one_line(error)}") from error
        print(closing_words(study, plan.config, plan.line, folder))
    return plan


def written_out(master: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments as each trial is composed from them, in any folder and at any time; `master` has them too.

    They have no secrets, absolute paths, and values instead of references that are the same in all trials.
    """
    settled = settle(master, write_out(master, conceal_study(master, arguments)))
    return settle_precision(master, settled, before=_begun(master))


def _begun(master: DictConfig) -> Path | None:
    """What an earlier start of a study with a name of its own has composed, if there was one."""
    name = OmegaConf.select(master, "search.study_name")
    return None if name is None else Path(master.runs) / "studies" / str(name) / MASTER


def _keep_params(folder: Path) -> None:
    """Keep DVC's parameters of this study, without secrets, for the next experiment writes others."""
    (folder / PARAMS).write_text(
        yaml.safe_dump(conceal_tree(yaml.safe_load(Path(PARAMS).read_text())), sort_keys=False)
    )


def _is_reported(study: optuna.Study) -> bool:
    """Whether nothing happened since the study ended for the last time."""
    is_running = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))) > 0
    return not is_running and study.user_attrs.get("reported") == len(ran(study))


def _set_folder(master: DictConfig, folder: Path) -> None:
    """Tell Hydra where the study's jobs have their folders, and keep what it composed."""
    master.hydra.sweep.dir = str(folder)
    # Each job is composed anew, from the overrides.
    master.hydra.overrides.hydra.append(setting("hydra.sweep.dir", folder))
    OmegaConf.save(master, folder / MASTER)


def _interrupted(plan: Plan, study: optuna.Study, folder: Path) -> StudyStopped:
    return StudyStopped(f"Interrupted: {_saved(plan, study, folder)}; the same command goes on.", INTERRUPTED_CODE)


def _saved(plan: Plan, study: optuna.Study, folder: Path) -> str:
    return f"{len(ran(study))} of {plan.n_trials} trials are saved in {folder}"


def _go_on(plan: Plan, study: optuna.Study, folder: Path, launcher: Launcher, began: float) -> None:
    """Train the trials that are left, and write the results. Raises StudyStopped where the goal is not reached."""
    # Torch and MLflow, seconds: now that the user has read what they are for.
    from ridgeline.search.ask_tell import AskTell
    from ridgeline.search.loop import run_to_goal
    from ridgeline.search.progress import Progress, timed
    from ridgeline.search.records import Records
    from ridgeline.tracking import Tracker
    from ridgeline.tracking.machine import machine_metrics

    with ExitStack() as said, Tracker(plan.config) as tracker:  # what is said ends when all is in MLflow
        records = Records(tracker, plan.config, study, plan.line.space, plan.data, plan.own_code)
        records.describe(study, plan.line, folder)
        progress = Progress(study, plan.config, plan.n_trials)
        stopped = None
        try:
            with closing(progress), machine_metrics(records.run):
                run_to_goal(AskTell(plan, study, folder, records, progress, began), launcher)
        except StudyStopped as error:
            stopped = error
        except KeyboardInterrupt:
            stopped = _interrupted(plan, study, folder)
        except BaseException as error:
            records.run.finish("FAILED", one_line(error))
            raise
        files = write_results(study, plan.config, plan.line, folder)
        records.describe(study, plan.line, folder)
        try:
            if stopped is None or stopped.code != INTERRUPTED_CODE:  # after Ctrl-C nobody wants to wait for pictures
                said.enter_context(timed("Writing tables and pictures"))
                records.log_results(study, plan.line.space, files, folder)
        except KeyboardInterrupt:
            records.hasten()
            stopped = _interrupted(plan, study, folder)
        records.finish(stopped)
    if stopped:
        raise stopped
    study.set_user_attr("reported", len(ran(study)))
