"""How a pipeline is entered: Hydra composes, a mistake becomes one line, nothing is written before the check."""

from __future__ import annotations

import atexit
import errno
import functools
import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from ridgeline.command_line import own_conf
from ridgeline.command_line.arguments import (
    Arguments,
    check_arguments,
    check_arguments_without_trial,
    read_arguments,
    with_names,
    with_targets,
)
from ridgeline.command_line.commands import called, command
from ridgeline.command_line.composed import conceal_argument
from ridgeline.command_line.paths import readable
from ridgeline.command_line.places import CONF, RUNS
from ridgeline.command_line.screen import use_screen
from ridgeline.config.data import PLACES
from ridgeline.entry_points.mistakes import is_mistake, one_line, one_line_errors, refuse
from ridgeline.stack.garbage import search_garbage_seldom
from ridgeline.stack.interrupts import end_when_asked

OTHER_SECONDS = 9.0
"""How long another pipeline may take to end when this one is interrupted."""

WITHOUT_A_TRIAL = [
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=stdout",
    "hydra.callbacks.refuse._target_=hydra.experimental.callback.Callback",  # the base class, which does nothing
]
"""Arguments for an entry point that trains no trial: it has no job folder, and checks what it is given itself."""


def enter(task: Callable[[DictConfig], Any]) -> None:
    """Run the pipeline that trains as a Hydra app. A user's mistake ends in one line and exit code 2."""
    arguments = _read(check_arguments)
    sys.argv[1:] = [*with_targets(arguments.overrides, _searched_first(arguments)), *arguments.options]
    _run(task, arguments)


def enter_without_trial(
    task: Callable[[DictConfig], Any], *, of_study: bool = False, config_name: str = "config"
) -> None:
    """Run a pipeline's task that trains no trial. `of_study`: it follows a study, whose data may lie elsewhere now.
    `config_name`: the file of conf/ that it is composed from."""

    @functools.wraps(task)
    def refusing(cfg: DictConfig) -> Any:
        with one_line_errors():  # here, for Hydra adds a line of its own to what leaves the task
            return task(cfg)

    arguments = _read(lambda arguments: check_arguments_without_trial(arguments, called(Path(sys.argv[0]))))
    overrides = with_targets(arguments.overrides) if config_name == "config" else with_names(arguments)
    if of_study:  # whose data need not be those that the configuration here has
        overrides = [re.sub(rf"^\+*(?=data\.({'|'.join(PLACES)})=)", "++", override) for override in overrides]
    sys.argv[1:] = [*overrides, *WITHOUT_A_TRIAL, *arguments.options]
    _run(refusing, arguments, config_name)


def _read(check: Callable[[Arguments], None]) -> Arguments:
    """Read and check what was typed; secrets are concealed."""
    search_garbage_seldom()
    end_when_asked()
    use_screen()
    with one_line_errors():
        arguments = read_arguments([readable(conceal_argument(argument)) for argument in sys.argv[1:]])
        check(arguments)
    is_given = any(override.key_or_group == "tracking.uri" for override in arguments.parsed)
    if os.environ.get("MLFLOW_TRACKING_URI") and not is_given and not arguments.shows:
        # A study that followed it would be another one in the next shell.
        print('MLFLOW_TRACKING_URI is not read; to use it: tracking.uri="$MLFLOW_TRACKING_URI"', file=sys.stderr)
    own = _searched_first(arguments)[-1]
    if own is not None and Path(own) != CONF and not arguments.shows:
        print(f"Searched before ours: {own}", file=sys.stderr)
    return arguments


def _searched_first(arguments: Arguments) -> list[str | Path | None]:
    """The folders of configuration of the user's own."""
    return [arguments.before, arguments.conf or own_conf.own_conf()]


def _run(task: Callable[[DictConfig], Any], arguments: Arguments, config_name: str = "config") -> None:
    """Run the task as a Hydra app. Each of Hydra's errors becomes one line."""
    atexit.register(gc.freeze)  # the interpreter then ends without looking through millions of objects: a second less
    if not os.environ.get("RIDGELINE_RUNS", "").strip():
        os.environ["RIDGELINE_RUNS"] = str(RUNS)
    OmegaConf.register_new_resolver("pipeline", lambda name: command(name, where="project"), replace=True)  # for --help
    # Hydra then raises instead of printing several lines; what it raises is turned into one line here.
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        main = str(own_conf.enter(arguments.before))
        hydra.main(config_path=main, config_name=config_name, version_base="1.3")(task)()
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not wants_traceback:
            refuse(f"Nothing more can be written: {error.strerror}.", code=1)
        if wants_traceback or not is_mistake(error):
            raise
        refuse(one_line(error))
    except (KeyboardInterrupt, SystemExit) as error:
        of_lightning = isinstance(error.__context__, KeyboardInterrupt)  # which turns Ctrl-C into exit(1)
        if isinstance(error, SystemExit) and not (error.code == 1 and of_lightning):
            raise
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(130) from None


def run_other(*command: str) -> None:
    """Run another pipeline, which ends in order where this process is asked to end. Raises CalledProcessError."""
    with subprocess.Popen(command) as other:
        try:
            code = other.wait()
        except KeyboardInterrupt:
            other.terminate()
            with suppress(subprocess.TimeoutExpired):
                other.wait(OTHER_SECONDS)
            other.kill()
            raise
    if code != 0:
        raise subprocess.CalledProcessError(code, command)


def one_trial(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Marks a task that does what `ridgeline.trial.run.run_trial` does: a stack may train many of them as one."""
    task.is_one_trial = True  # type: ignore[attr-defined]
    return task
