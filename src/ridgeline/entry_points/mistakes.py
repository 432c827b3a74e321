"""A user's mistake becomes one line: the key, the rule, the value. Of Hydra's and OmegaConf's errors too."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigTypeError, InterpolationResolutionError, OmegaConfBaseException, ValidationError

from ridgeline.checking import ConfigError, key_elsewhere, nearest, unknown_choice, unknown_key
from ridgeline.command_line.places import CONF
from ridgeline.quoting import pasted


def refuse(line: str, code: int = 2) -> NoReturn:
    """End with one line."""
    print(f"error: {line}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake ends in one line and exit code 2."""
    try:
        yield
    except ConfigError as error:
        refuse(str(error))


def is_mistake(error: Exception) -> bool:
    """Whether the user's input is wrong, of which Hydra's composition may also raise exceptions of other kinds."""
    frames = traceback.extract_tb(error.__traceback__)
    composing = any(frame.name == "_load_configuration_impl" for frame in frames)
    return composing or isinstance(error, (ConfigError, HydraException, OmegaConfBaseException))


def one_line(error: Exception) -> str:
    """An error of Hydra or OmegaConf as one line: what is wrong, and what there is instead."""
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), str(error).splitlines()[0])
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        folder = CONF / group
        if not group:
            known = {path.stem for path in folder.glob("*.yaml")}
            return f"There is no configuration `{choice}`. {nearest(choice, known)}"
        known = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")}
        if f"Available options in '{group}':" in str(error):  # also of a folder of the user's, but none in folders
            known.update(error.options or [])
        return unknown_choice(group, choice, known)
    if str(error).startswith("Ambiguous value for argument"):
        argument = str(error).splitlines()[0].removeprefix("Ambiguous value for argument ")
        return f"{argument} are several values: add --multirun (-m) to sweep them, or [] for a list."
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) else error
    if isinstance(error, ConfigCompositionException) and (line := _unfit(str(error), cause)) is not None:
        return line
    if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None and cause.full_key:
        parent = cause.parent_node
        if isinstance(parent, DictConfig) and cause.key not in parent:
            siblings = [str(name) for name in parent]
            tree: Any = OmegaConf.to_container(parent._get_root())
            return key_elsewhere(cause.full_key, siblings, tree) or unknown_key(cause.full_key, siblings)
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
    elif value.startswith("choice(") and "interval(" in value:
        reason = "an interval stands beside values without choice(...), as in 0,interval(0.1,0.5)"
    elif reason.startswith("LexerNoViableAlt"):
        reason = f"some of its characters need quotes, {pasted(key, value)}"
    return f"`{argument}` cannot be read: {reason}."
