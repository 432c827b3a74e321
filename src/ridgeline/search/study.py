"""A study from its command line to its last word: check, name, open, go on, report."""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import yaml
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import TrialState

from ridgeline.checking import ConfigError
from ridgeline.command_line.commands import setting
from ridgeline.command_line.composed import conceal_study
from ridgeline.command_line.passwords import conceal_tree
from ridgeline.command_line.paths import STORAGE, STORE, absolute, settle
from ridgeline.config.deciding import NOTHING
from ridgeline.search import identity
from ridgeline.search.commandline import PARAMS, STAGE
from ridgeline.search.endings import INTERRUPTED_CODE, StudyStopped, one_line
from ridgeline.search.folder import locked, study_folder
from ridgeline.search.holder import StudyPlace, held
from ridgeline.search.launching import Launcher, make_launcher, stack_settings
from ridgeline.search.patience import StorageAway
from ridgeline.search.plan import Plan, make_plan
from ridgeline.search.progress import opening_words
from ridgeline.search.ranking import ran
from ridgeline.search.references import write_out
from ridgeline.search.results import write_results
from ridgeline.search.storage import open_storage
from ridgeline.search.summary import closing_words
from ridgeline.stack.server import start_server
from ridgeline.tracking import TrackingError

log = logging.getLogger(__name__)

MASTER = "multirun.yaml"
"""In the study's folder: what Hydra composed."""

NEW = "For a new one: search.study_name=NEW."


def run(context: HydraContext, task: TaskFunction, master: DictConfig, arguments: Sequence[str]) -> None:
    """Run or go on with the study that `master` and the arguments describe.

    Raises ConfigError, with nothing written, at a mistake; StudyStopped when it was interrupted or too much failed.
    """
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = stack_settings(master)
    plan = make_plan(context, master, arguments, written_out(master, arguments))
    if settings is not None:
        settings.connect()
    folder = study_folder(plan.config, plan.name)
    with ExitStack() as holding:
        holding.enter_context(locked(folder))
        study = _open(plan, folder)
        if plan.config.search.storage is not None:  # which may be another folder's too
            holding.enter_context(held(StudyPlace(study), f"The study {plan.name}", settle=True))
        _set_folder(master, folder)
        if master.hydra.job.config_name == STAGE:
            _keep_params(folder)
            plan = replace(plan, line=plan.line.of_stage(folder))
        launcher = make_launcher(context, task, master)
        if settings is not None and settings.backend == "local":
            start_server()  # it imports on another core what workers need; now that nothing is refused any more
        _warn(plan)
        print(opening_words(plan, study, folder, launcher), flush=True)
        if len(ran(study)) >= plan.n_trials and _is_reported(study):
            write_results(study, plan.config, plan.line, folder)
        else:
            try:
                _go_on(plan, study, folder, launcher)
            except StorageAway as error:
                again = "what has ended is saved there; when it answers, the same command goes on"
                raise StudyStopped(f"The study {plan.name} ends: {error}; {again}.") from error
            except (OSError, TrackingError) as error:  # a full disk, a store that went away
                print(closing_words(study, plan.config, plan.line, folder))
                mend = f"{_saved(plan, study, folder)}; when this is mended, the same command goes on"
                raise StudyStopped(f"The study {plan.name} ends, {mend}: {one_line(error)}") from error
        print(closing_words(study, plan.config, plan.line, folder))


def written_out(master: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments of which each trial is composed anew, anywhere and at any time: without a secret, with the values
    that are the same in all trials, with absolute paths. `master` has them too."""
    return settle(master, write_out(master, conceal_study(master, arguments)))


def _warn(plan: Plan) -> None:
    """Of what is no mistake, once nothing is refused any more."""
    search = plan.config.search
    if plan.grid is None and plan.n_trials <= search.n_startup_trials:
        start = f"search.n_startup_trials={search.n_startup_trials}"
        log.warning(f"All {plan.n_trials} trials are of the quasi-random start ({start}): none is the sampler's.")


def _keep_params(folder: Path) -> None:
    """DVC's parameters of this study, without secrets: the next experiment writes others."""
    (folder / PARAMS).write_text(
        yaml.safe_dump(conceal_tree(yaml.safe_load(Path(PARAMS).read_text())), sort_keys=False)
    )


def _open(plan: Plan, folder: Path) -> optuna.Study:
    """The stored study, if it is the same one, or a new one."""
    _refuse_other_storage(plan, folder)
    storage = open_storage(plan.config, folder)
    direction = plan.config.direction
    study = optuna.create_study(storage=storage, study_name=plan.name, direction=direction, load_if_exists=True)
    tracked = plan.config.tracking.uri or "the runs folder"
    before = study.user_attrs.get("tracked", tracked)
    if absolute(STORE, before) != tracked:
        raise ConfigError(f"The study {plan.name} is tracked in {before}, but got tracking.uri={tracked}. {NEW}")
    stored = study.user_attrs.get("definition")
    if stored is None:
        study.set_user_attr("tracked", tracked)
        study.set_user_attr("key", uuid.uuid4().hex)
        study.set_user_attr("definition", plan.definition)
        return study
    changes = identity.differences(_lasting(stored), _lasting(plan.definition))
    if changes:
        more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
        raise ConfigError(f"The study {plan.name} is another one: {changes[0]}{more}. {NEW}")
    revised = identity.revised(stored, plan.definition)
    if revised:
        log.warning(f"Since the study {plan.name} began, this changed: {', '.join(revised)}. Its trials are of both.")
    return study


def _refuse_other_storage(plan: Plan, folder: Path) -> None:
    """A folder belongs to the trials of one storage: those of another would take their places."""
    kept = folder / MASTER
    if not kept.is_file():
        return
    try:
        before = absolute(STORAGE, OmegaConf.select(OmegaConf.load(kept), "search.storage"))
    except OmegaConfBaseException:  # it referred to an environment that is no more
        return
    now = plan.config.search.storage
    if before != now:
        where = before or "its folder"
        raise ConfigError(f"The study {plan.name} is stored in {where}, but got search.storage={now}. {NEW}")


def _is_reported(study: optuna.Study) -> bool:
    """Whether nothing happened since the study ended for the last time."""
    is_running = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))) > 0
    return not is_running and study.user_attrs.get("reported") == len(ran(study))


def _lasting(definition: dict[str, Any]) -> dict[str, Any]:
    lasting = {key: value for key, value in definition.items() if key not in identity.REVISIONS}
    # Studies of before may be defined by more, by where their data lay say, which are known by their hash.
    return lasting | {"config": {k: v for k, v in definition["config"].items() if k not in NOTHING}}


def _set_folder(master: DictConfig, folder: Path) -> None:
    master.hydra.sweep.dir = str(folder)
    # Each job is composed anew, from the overrides.
    master.hydra.overrides.hydra.append(setting("hydra.sweep.dir", folder))
    OmegaConf.save(master, folder / MASTER)


def _interrupted(plan: Plan, study: optuna.Study, folder: Path) -> StudyStopped:
    return StudyStopped(f"Interrupted: {_saved(plan, study, folder)}; the same command goes on.", INTERRUPTED_CODE)


def _saved(plan: Plan, study: optuna.Study, folder: Path) -> str:
    return f"{len(ran(study))} of {plan.n_trials} trials are saved in {folder}"


def _go_on(plan: Plan, study: optuna.Study, folder: Path, launcher: Launcher) -> None:
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
                run_to_goal(AskTell(plan, study, folder, records, progress), launcher)
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
