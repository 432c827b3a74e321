"""The command line of a study: what is fixed for all of its trials, and what is swept."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution

from ridgeline.checking import ConfigError, require
from ridgeline.command_line.arguments import ONLY_OF_STUDIES, typed_keys
from ridgeline.command_line.commands import Where, command, key_of, runs_setting, started_with
from ridgeline.command_line.composed import as_typed, unresolved
from ridgeline.command_line.places import ROOT
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.config.idle import Idle, may_be_idle, names
from ridgeline.config.own_code import own_packages, own_targets
from ridgeline.quoting import setting
from ridgeline.search.conditions import values_of
from ridgeline.search.space import Dimension, dimension, full_key, known_dimension

NOT_SWEPT = ("hydra", "metric", *NOT_TRAINED)
"""Keys that cannot be swept, for a study has one value of each."""

FOLDS = "data.folds"

STAGE, PARAMS = "stage", "params.yaml"
"""The name of the configuration that DVC's stages use, and the file of parameters that it is composed of."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How a study was started, apart from what its arguments set and sweep. Paths are absolute.

    `runs` is the runs folder. `typed` are the arguments, without passwords. `script` is what was started. `options` are
    those that name its configuration, `hydra` the settings of Hydra itself. `search` is the argument that chooses no
    search, where the configuration would choose one without being asked. `own` are the packages of the user's own that
    its trials use.
    """

    runs: str
    typed: tuple[str, ...] = ()
    script: str | Path = "train"
    options: tuple[str, ...] = ()
    hydra: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommandLine:
    """The command line of a study, and the commands that follow from it.

    `fixed` are the overrides that all trials have, as typed. `space` has a dimension for each swept key; of a grid the
    last one varies fastest. `idle_in` finds the keys that are without effect in the trial with these parameters, though
    not in all trials.
    """

    fixed: tuple[str, ...]
    space: tuple[Dimension, ...]
    start: Start
    idle_in: Callable[[Mapping[str, Any]], Iterable[Idle]] = field(default=lambda params: (), compare=False)

    def of_stage(self, folder: Path) -> CommandLine:
        """The same commands with the configuration of a stage of DVC, whose params.yaml is kept in `folder`."""
        return replace(self, start=replace(self.start, options=(f"--config-dir={folder}", f"--config-name={STAGE}")))

    def with_setting(self, key: str, value: Any) -> CommandLine:
        """The same commands with another value of a key that is not swept."""
        fixed = (*(override for override in self.fixed if key_of(override) != key), setting(f"++{key}", value))
        typed = (*(override for override in self.start.typed if key_of(override) != key), setting(f"++{key}", value))
        return replace(self, fixed=fixed, start=replace(self.start, typed=typed))

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides that make the configuration of the trial with these parameters."""
        params = values_of(params)
        return [*self.fixed, *(d.override(params[d.key]) for d in self.space if d.key in params)]

    def retrain(
        self, params: Mapping[str, Any], more: Mapping[str, Any] | None = None, *, where: Where = "anywhere"
    ) -> str:
        """The shell command that trains these parameters again, alone. `more`: values that differ from the trial's."""
        more = more or {}
        own = [o for o in self.overrides(params) if not ONLY_OF_STUDIES.match(o) and key_of(o) not in (*more, "runs")]
        own = _without_idle(own, lambda: self.idle_in(values_of(params)))  # which a trial alone would refuse
        own += [setting(f"++{key}", value) for key, value in more.items()]
        hydra = [o for o in self.start.hydra if not ONLY_OF_STUDIES.match(o)]
        if any(key_of(override) == "hparams_search" for override in own):  # whose file asks for many trials
            hydra.append("hydra.mode=RUN")
        given = [*self.start.options, *hydra, *self.start.search, *runs_setting(self.start.runs), *own]
        return command(self.start.script, *given, where=where)

    def again(self, *, where: Where = "anywhere") -> str:
        """The shell command that goes on with the study."""
        typed = [argument for argument in self.start.typed if key_of(argument) != "runs"]
        given = [*self.start.options, "-m", *self.start.hydra, *runs_setting(self.start.runs), *typed]
        return command(self.start.script, *given, where=where)

    def follow(self, pipeline: str, study: str, *, where: Where = "anywhere") -> str:
        """The shell command of the pipeline `confirm` or `report` for this study."""
        own = [setting("tracking.allowed_targets", self.start.own)] if self.start.own else []
        return command(pipeline, setting("study", study), *runs_setting(self.start.runs), *own, where=where)

    def predict(self, model: str) -> str:
        """The shell command that applies this registered model to the rows of a file."""
        return command(
            "predict", setting("model", model), "data.path=FILE", "out=predictions.csv", *runs_setting(self.start.runs)
        )


def _without_idle(overrides: Sequence[str], find: Callable[[], Iterable[Idle]]) -> list[str]:
    """The overrides but those that set a key, or choose a file, without effect."""
    if not any(may_be_idle(override) for override in overrides):
        return list(overrides)
    idle, kept = [one.key for one in find()], list[str]()
    for override in overrides:
        ((key, chosen),) = typed_keys([override]).items()
        if key == "callbacks":
            acting = [choice for choice in chosen if f"callbacks.{choice}" not in idle]
            kept.append(setting(key, acting or "none") if acting != chosen else override)
        elif not any(names(key, chosen, one) for one in idle):
            kept.append(override)
    return kept


def read(
    arguments: Sequence[str],
    params: Mapping[str, Any],
    loader: ConfigLoader,
    master: DictConfig,
    *,
    grid: bool,
    seed: int,
) -> CommandLine:
    """Sort the arguments, and the entries of `search.params` that none of them replaces, into fixed and swept ones."""
    every, taken = _every(OverridesParser.create(config_loader=loader), arguments, params)
    for fixed in taken:
        log.info(f"{fixed} is fixed, so it is not searched.")
    space = tuple(dimension(override, grid=grid, seed=seed) for override in every if override.is_sweep_override())
    start = _start(master, arguments, master.runs)
    script = Path(sys.argv[0]).absolute()
    is_started = script.suffix == ".py" and script.stem == master.hydra.job.name
    if is_started and script.resolve().parent != ROOT / "pipelines":  # a pipeline of the user's own
        start = replace(start, script=script)
    return CommandLine(_fixed(every), space, start)


def restore(
    master: DictConfig, params: Mapping[str, Any], space: Mapping[str, BaseDistribution], runs: str
) -> CommandLine:
    """The command line of a stored study, whose distributions are known. `runs`: the folder that it lies in now."""
    arguments = as_typed(master.hydra.overrides.task)
    every, _ = _every(OverridesParser.create(), arguments, params)
    swept = [known_dimension(override, space) for override in every if override.is_sweep_override()]
    return CommandLine(_fixed(every), tuple(swept), _start(master, arguments, runs))


def swept_keys(master: DictConfig, params: Mapping[str, Any]) -> list[Dimension]:
    """What a stored study sweeps, groups apart, without its storage. `params`: its entries of `search.params`."""
    lines = [*(f"{key}={value}" for key, value in params.items() if value is not None)]
    lines += as_typed(master.hydra.overrides.task)
    last = {full_key(override): override for override in _parse(OverridesParser.create(), lines)}
    swept = [override for key, override in last.items() if override.is_sweep_override() and "." in key]
    return [dimension(override, grid=False, seed=0) for override in swept]


def _start(master: DictConfig, arguments: Sequence[str], runs: str) -> Start:
    options, hydra = started_with(master.hydra)
    searches = master.hydra.runtime.choices.get("search", "grid") != "grid"
    chosen_elsewhere = options or master.hydra.runtime.choices.get("experiment") is not None
    search = ("search=grid",) if searches and chosen_elsewhere else ()
    trained = {key: value for key, value in unresolved(master).items() if key != "search"}
    own = own_packages(own_targets(trained, [o for o in arguments if key_of(o).partition(".")[0] != "search"]))
    return Start(runs, tuple(arguments), options=tuple(options), hydra=tuple(hydra), search=search, own=tuple(own))


def _every(
    parser: OverridesParser, arguments: Sequence[str], params: Mapping[str, Any]
) -> tuple[list[Override], list[str]]:
    """The overrides of a study: entries of `search.params` that no argument replaces, then the last argument of each
    key; and the arguments that give one value to what `search.params` would search."""
    typed = {full_key(override): override for override in _parse(parser, arguments)}  # the last of a key counts
    entries, fixed = dict[str, Override](), list[str]()
    for key, value in params.items():
        kinds = "interval, choice, range, or one value"
        require(not isinstance(value, (Mapping, list, tuple)), f"a sweep: {kinds},", f"search.params.{key}", value)
        (entry,) = _parse(parser, [f"{key}={'null' if value is None else value}"])
        taken = typed.get(full_key(entry))
        if taken is None:
            entries[full_key(entry)] = entry
        elif not taken.is_sweep_override():
            fixed.append(str(taken.input_line))
    every = [*entries.values(), *typed.values()]
    for override in every:
        value = override.value()
        if isinstance(value, list) and any(isinstance(item, Sweep) for item in value):
            choice = f"{override.key_or_group}=choice([..],[..])"
            raise ConfigError(f"A sweep inside a list cannot be read: choose among whole lists, {choice}.")
        if override.is_sweep_override():
            key = override.key_or_group
            if key.startswith("search.params."):
                without = str(override.input_line).lstrip("+").removeprefix("search.params.")
                raise ConfigError(f"`{key}` is typed without search.params: {without}.")
            if key.replace("/", ".").split(".")[0] in NOT_SWEPT:
                raise ConfigError(f"`{key}` cannot be swept, for a study has one; but got {override.input_line}.")
            if key == FOLDS:
                why = "for a mean over folds and a value of one split cannot be compared"
                raise ConfigError(f"`{key}` cannot be swept, {why}; but got {override.input_line}.")
    return every, fixed


def _fixed(every: Sequence[Override]) -> tuple[str, ...]:
    return tuple(str(override.input_line) for override in every if not override.is_sweep_override())


def _parse(parser: OverridesParser, lines: Sequence[str]) -> list[Override]:
    try:
        return parser.parse_overrides(list(lines))
    except HydraException as error:
        reason = " ".join(str(error).splitlines()[:2])
        raise ConfigError(f"This sweep cannot be read: {reason}") from error
