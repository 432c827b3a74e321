"""The command line of a study: what is fixed for all of its trials, and what is swept."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution

from ridgeline.checking import ConfigError, require
from ridgeline.knobs import NOT_TRAINED
from ridgeline.search.space import Dimension, dimension, full_key, known_dimension

NOT_SWEPT = ("hydra", "metric", *NOT_TRAINED)
"""What a study has one of."""

STAGE, PARAMS = "stage", "params.yaml"
"""The configuration of DVC's stages, and the file that it is made of."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommandLine:
    """`fixed`: overrides as typed. `space`: a dimension for each swept key; of a grid the last one varies fastest.

    `door`: the script that trains, and the options that name its configuration where that is another one. `typed`: its
    arguments, without a password.
    """

    fixed: tuple[str, ...]
    space: tuple[Dimension, ...]
    door: tuple[str, ...] = ("pipelines/train.py",)
    typed: tuple[str, ...] = ()

    def of_stage(self, folder: Path) -> CommandLine:
        """The same commands with the configuration of a stage of DVC, whose params.yaml is kept in `folder`."""
        return replace(self, door=(self.door[0], f"--config-dir={folder}", f"--config-name={STAGE}"))

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides that make the configuration of the trial with these parameters."""
        return [*self.fixed, *(d.override(params[d.key]) for d in self.space if d.key in params)]

    def retrain(self, params: Mapping[str, Any]) -> str:
        """The shell command that trains these parameters again, alone."""
        own = [o for o in self.overrides(params) if not o.lstrip("+~").startswith(("search=", "search."))]
        return shlex.join(["python", *self.door, *own])

    def again(self) -> str:
        """The shell command that goes on with the study."""
        return shlex.join(["python", *self.door, "-m", *self.typed])

    def follow(self, door: str, study: str) -> str:
        """The shell command of the pipeline `confirm` or `report` for this study."""
        where = [argument for argument in self.typed if argument.startswith("runs=")]
        return shlex.join(["python", str(Path(self.door[0]).with_name(f"{door}.py")), f"study={study}", *where])


def read(
    arguments: Sequence[str], params: Mapping[str, Any], loader: ConfigLoader, *, grid: bool, seed: int
) -> CommandLine:
    """Sort the arguments, and the entries of `search.params` that none of them replaces, into fixed and swept ones."""
    every = _every(OverridesParser.create(config_loader=loader), arguments, params)
    space = tuple(dimension(override, grid=grid, seed=seed) for override in every if override.is_sweep_override())
    script = sys.argv[:1] if sys.argv[0].endswith(".py") else CommandLine.door
    options = [word for word in sys.argv[1:] if word.startswith("--config-")]
    return CommandLine(_fixed(every), space, (*script, *options), tuple(arguments))


def restore(arguments: Sequence[str], params: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> CommandLine:
    """What `read` made of a study that is stored, whose distributions are known."""
    every = _every(OverridesParser.create(), arguments, params)
    swept = [known_dimension(override, space) for override in every if override.is_sweep_override()]
    return CommandLine(_fixed(every), tuple(swept))


def _every(parser: OverridesParser, arguments: Sequence[str], params: Mapping[str, Any]) -> list[Override]:
    """The entries that no argument replaces, then the arguments, the last of each key."""
    typed = {full_key(override): override for override in _parse(parser, arguments)}  # the last of a key counts
    entries: dict[str, Override] = {}
    for key, value in params.items():
        kinds = "interval, choice, range, or one value"
        require(not isinstance(value, (Mapping, list, tuple)), f"a sweep: {kinds},", f"search.params.{key}", value)
        (entry,) = _parse(parser, [f"{key}={'null' if value is None else value}"])
        taken = typed.get(full_key(entry))
        if taken is None:
            entries[full_key(entry)] = entry
        elif not taken.is_sweep_override():
            log.info(f"{taken.input_line} is fixed on the command line, so it is not searched.")
    every = [*entries.values(), *typed.values()]
    for override in every:
        value = override.value()
        if isinstance(value, list) and any(isinstance(item, Sweep) for item in value):
            choice = f"{override.key_or_group}=choice([..],[..])"
            raise ConfigError(f"A sweep inside a list cannot be read: choose among whole lists, {choice}.")
        if override.is_sweep_override():
            key = override.key_or_group
            if key.replace("/", ".").split(".")[0] in NOT_SWEPT:
                raise ConfigError(f"`{key}` cannot be swept, for a study has one; but got {override.input_line}.")
    return every


def _fixed(every: Sequence[Override]) -> tuple[str, ...]:
    return tuple(str(override.input_line) for override in every if not override.is_sweep_override())


def _parse(parser: OverridesParser, lines: Sequence[str]) -> list[Override]:
    try:
        return parser.parse_overrides(list(lines))
    except HydraException as error:
        reason = " ".join(str(error).splitlines()[:2])
        raise ConfigError(f"This sweep cannot be read: {reason}") from error
