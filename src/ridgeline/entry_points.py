"""How a pipeline is entered: Hydra composes, a mistake becomes one line, nothing is written before the check."""

from __future__ import annotations

import atexit
import errno
import functools
import gc
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import ConfigTypeError, InterpolationResolutionError, OmegaConfBaseException, ValidationError

from ridgeline.arguments import Arguments, check_arguments, check_arguments_without_trial, read_arguments, typed_keys
from ridgeline.checking import ConfigError, nearest, unknown_key
from ridgeline.commands import ROOT, RUNS, key_of, setting
from ridgeline.composed import as_typed, conceal_argument, conceal_config, plain
from ridgeline.config import Config, parse
from ridgeline.config.idle import idle_keys, refuse_idle
from ridgeline.opening import opening_words
from ridgeline.outputs import require_folder
from ridgeline.paths import readable, settle, with_absolute_paths
from ridgeline.screen import use_screen
from ridgeline.stack.interrupts import end_when_asked

OTHER_SECONDS = 9.0
"""What another pipeline has to end in."""

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
    sys.argv[1:] = [*arguments.overrides, *arguments.options]
    _run(task)


def enter_without_trial(task: Callable[[DictConfig], Any], *, of_study: bool = False) -> None:
    """Run a pipeline's task that trains no trial. `of_study`: it follows a study, whose data may lie elsewhere now."""

    @functools.wraps(task)
    def refusing(cfg: DictConfig) -> Any:
        with one_line_errors():  # here, for Hydra adds a line of its own to what leaves the task
            return task(cfg)

    arguments = _read(lambda arguments: check_arguments_without_trial(arguments, Path(sys.argv[0]).name))
    overrides = arguments.overrides
    if of_study:  # whose data need not be those that the configuration here has
        overrides = [re.sub(r"^\+*(?=data\.root=)", "++", override) for override in overrides]
    sys.argv[1:] = [*overrides, *WITHOUT_A_TRIAL, *arguments.options]
    _run(refusing)


def _read(check: Callable[[Arguments], None]) -> Arguments:
    """What was typed, checked and without secrets."""
    end_when_asked()
    use_screen()
    with one_line_errors():
        arguments = read_arguments([readable(conceal_argument(argument)) for argument in sys.argv[1:]])
        check(arguments)
    is_given = any(override.key_or_group == "tracking.uri" for override in arguments.parsed)
    if os.environ.get("MLFLOW_TRACKING_URI") and not is_given and not arguments.shows:
        # A study that followed it would be another one in the next shell.
        print('MLFLOW_TRACKING_URI is not read; to use it: tracking.uri="$MLFLOW_TRACKING_URI"', file=sys.stderr)
    return arguments


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake ends in one line and exit code 2."""
    try:
        yield
    except ConfigError as error:
        refuse(str(error))


def _run(task: Callable[[DictConfig], Any]) -> None:
    """As a Hydra app, whose errors are one line each."""
    atexit.register(gc.freeze)  # the interpreter then ends without looking through millions of objects: a second less
    if not os.environ.get("RIDGELINE_RUNS", "").strip():
        os.environ["RIDGELINE_RUNS"] = str(RUNS)
    # Hydra then raises instead of printing several lines; what it raises is turned into one line here.
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(ROOT / "conf"), config_name="config", version_base="1.3")(task)()
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not wants_traceback:
            refuse(f"Nothing more can be written: {error.strerror}.", code=1)
        if wants_traceback or not _is_mistake(error):
            raise
        refuse(one_line(error))
    except (KeyboardInterrupt, SystemExit) as error:
        of_lightning = isinstance(error.__context__, KeyboardInterrupt)  # which turns Ctrl-C into exit(1)
        if isinstance(error, SystemExit) and not (error.code == 1 and of_lightning):
            raise
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(130) from None


def _is_mistake(error: Exception) -> bool:
    """Whether the user's input is wrong, of which Hydra's composition may also raise exceptions of other kinds."""
    frames = traceback.extract_tb(error.__traceback__)
    composing = any(frame.name == "_load_configuration_impl" for frame in frames)
    return composing or isinstance(error, (ConfigError, HydraException, OmegaConfBaseException))


def require_overrides_of(*keys: str) -> None:
    """Raise ConfigError for an argument with another key: what is read back, or fixed, has its own values of those."""
    for override in as_typed(HydraConfig.get().overrides.task):
        key = key_of(override)
        if not any(key == known or key.startswith(f"{known}.") for known in keys):
            raise ConfigError(f"`{key}` cannot be set here, only {', '.join(keys)}: {override}.")


def refuse_keys(arguments: Sequence[str], *keys: str) -> None:
    """Raise ConfigError for an argument with one of these keys, which the entry point sets itself."""
    for argument in arguments:
        if re.split(r"[./@=]", argument.lstrip("+~"), maxsplit=1)[0] in keys:
            raise ConfigError(f"`{', '.join(keys)}` are for this pipeline to set, but got {argument}.")


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
    """Marks a task that does what `ridgeline.trials.run_trial` does, so that a stack may train many of them as one."""
    task.is_one_trial = True  # type: ignore[attr-defined]
    return task


def checked(cfg: DictConfig) -> Config:
    """The checked configuration of what Hydra composed."""
    try:
        return parse(with_absolute_paths(plain(cfg)))
    except OmegaConfBaseException as error:  # a reference that leads nowhere
        raise ConfigError(one_line(error)) from error


class RefuseBadInput(Callback):
    """Makes the paths of a single run absolute and checks it, before Hydra makes its job folder. The sweeper does both
    for studies."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        conceal_config(config)  # of which the job's files are made
        try:
            with one_line_errors():
                parsed = check_single(config)
        except Exception:  # Hydra makes a warning of it, and would go on
            traceback.print_exc()
            raise SystemExit(1) from None
        given = as_typed(config.hydra.overrides.task)
        print(opening_words(parsed, given, config.hydra.run.dir), flush=True)


def check_single(config: DictConfig) -> Config:
    """Raise ConfigError for a single run that cannot begin, or of which a typed key is without effect."""
    settle(config)
    parsed = checked(config)
    refuse_idle(typed_keys(as_typed(config.hydra.overrides.task)), idle_keys(parsed))
    require_folder(config.hydra.run.dir, "hydra.run.dir")
    if config.hydra.runtime.choices.get("search", "grid") != "grid":
        raise ConfigError(f"A search needs --multirun (-m), but got search={parsed.search.name} without it.")
    from ridgeline.surroundings import asks_torch, check_surroundings

    check_surroundings(parsed)
    if asks_torch(parsed):
        from ridgeline.trials import check_device  # torch, a second or two

        check_device(parsed)
    return parsed


def one_line(error: Exception) -> str:
    """What is wrong and what there is, of Hydra's and OmegaConf's errors."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        return f"There is no choice `{group}={choice}`. {nearest(choice, error.options)}"
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), str(error).splitlines()[0])
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        folder = ROOT / "conf" / group
        if not group:
            known = [path.stem for path in folder.glob("*.yaml")]
            return f"There is no configuration `{choice}`. {nearest(choice, known)}"
        known = [path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")]
        return f"There is no choice `{choice}` of {group}. {nearest(choice, known)}"
    if str(error).startswith("Ambiguous value for argument"):
        argument = str(error).splitlines()[0].removeprefix("Ambiguous value for argument ")
        return f"{argument} are several values: add --multirun (-m) to sweep them, or [] for a list."
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) else error
    if isinstance(error, ConfigCompositionException) and (line := _unfit(str(error), cause)) is not None:
        return line
    if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None and cause.full_key:
        parent = cause.parent_node
        if isinstance(parent, DictConfig) and cause.key not in parent:
            return unknown_key(cause.full_key, [str(name) for name in parent])
    if isinstance(error, InterpolationResolutionError):
        return f"`{error.full_key}` refers to what is not there: {str(error).splitlines()[0]}."
    return " ".join(str(error).split())


def _unfit(error: str, cause: BaseException | None) -> str | None:
    """The line for a value of another kind than its key has."""
    argument = error.removeprefix("Error merging override ")
    if isinstance(cause, ConfigTypeError) and cause.object_type in (dict, list):
        kind = "a list" if cause.object_type is list else "a group of keys"
        return f"`{cause.full_key} is {kind}` must hold, but got {argument}."
    return f"{argument}: {str(cause).splitlines()[0]}." if isinstance(cause, ValidationError) else None


def _unreadable(argument: str, reason: str) -> str:
    key, equals, value = argument.partition("=")
    if not key or not equals or not key.isascii():
        reason = "an argument is KEY=VALUE"
    elif reason.startswith("LexerNoViableAlt"):
        reason = f"some of its characters need quotes, {shlex.quote(setting(key, value))}"
    return f"`{argument}` cannot be read: {reason}."


def refuse(line: str, code: int = 2) -> NoReturn:
    """End with one line."""
    print(f"error: {line}", file=sys.stderr)
    raise SystemExit(code)
