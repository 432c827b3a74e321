"""The arguments that a user typed, checked before Hydra composes them: it answers mistakes in several lines or not."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, Sweep
from hydra.errors import HydraException

from ridgeline.checking import ConfigError, require
from ridgeline.command_line.commands import key_of
from ridgeline.command_line.places import CONF
from ridgeline.config.deciding import OF_ENTRY_POINTS
from ridgeline.config.foreign import refuse_typed
from ridgeline.config.lightning_keys import refuse_ours
from ridgeline.config.trainer import TrainerConfig
from ridgeline.target import TARGET

OF_STUDIES = r"search(?!\.direction\b)|tracking\.(keep_\w+|pictures|allowed_targets)|hydra[./](launcher|sweeper)"
ONLY_OF_STUDIES = re.compile(rf"[+~]*({OF_STUDIES})\b")
"""Settings that a trial alone does not take."""

SHOWING = ("help", "hydra_help", "cfg", "info", "shell_completion")
"""Options with which nothing runs."""

MODES = ("run", "multirun", "cfg", "info", "shell_completion")
"""Options of which Hydra takes one."""

CONF_OPTIONS = ("--config-path", "-cp")

SEVERAL = ("callbacks", "experiment")
"""Groups of which a list of choices may be given."""

NAMED = ("data", "network", "optimizer", "lr_schedule", "search")
"""Groups whose key `name` belongs to the chosen file."""

OF_TRAINER = tuple(f"trainer.{f.name}" for f in dataclasses.fields(TrainerConfig))
"""The keys of that group that a file of ours has."""

MAY_BE_DELETED = ("search.sampler", "search.pruner", "search.params", "hydra")


@dataclass(frozen=True)
class Arguments:
    """Overrides and options, separated, since Hydra allows no option between overrides.

    `shows`: something is shown and nothing runs. `parsed`: the overrides that can be read. `conf`: the folder that
    `--config-path` names, `before` that of `--config-dir`.
    """

    overrides: list[str]
    options: list[str]
    parsed: list[Override]
    multirun: bool
    shows: bool
    conf: str | None
    before: str | None


def read_arguments(words: Sequence[str]) -> Arguments:
    """The words behind the script's name. Raises ConfigError for an option that Hydra does not have."""
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    words = [*_with_absolute_conf(words)]
    found, unknown = parser.parse_known_intermixed_args(list(words))
    if unknown:
        raise ConfigError(f"There is no option {unknown[0]}: --hydra-help shows those that there are.")
    modes = [f"--{name.replace('_', '-')}" for name in MODES if getattr(found, name)]
    require(len(modes) <= 1, "one of --run, --multirun, --cfg, --info, --shell-completion", "options", " ".join(modes))
    shown = found.package is None or found.cfg is not None
    require(shown, "--package with --cfg, which shows a part of the configuration,", "--package", found.package)
    rerun = found.experimental_rerun
    require(rerun is None, "nothing is run again by --experimental-rerun", "--experimental-rerun", rerun)
    parsed = parse_overrides(found.overrides)
    mode = [str(o.value()) for o in parsed if o.key_or_group == "hydra.mode"]
    return Arguments(
        overrides=found.overrides,
        options=_without(words, found.overrides),
        parsed=parsed,
        multirun=found.multirun or "MULTIRUN" in mode,
        shows=any(getattr(found, name) for name in SHOWING),
        conf=found.config_path,
        before=found.config_dir,
    )


def parse_overrides(lines: Sequence[str]) -> list[Override]:
    """The arguments that can be read. Hydra says later what is wrong with the others."""
    parser, parsed = OverridesParser.create(), []
    for line in lines:
        try:
            parsed.append(parser.parse_override(line))
        except HydraException:
            continue
    return parsed


def typed_keys(lines: Sequence[str]) -> dict[str, list[str]]:
    """The dotted key of each argument, with the choices that it names."""
    return {_dotted(override): choices(override) for override in parse_overrides(lines)}


def with_targets(arguments: Sequence[str], folders: Sequence[str | Path | None] = ()) -> list[str]:
    """The overrides as Hydra takes them: with `network._target_=mine.Net` the keys below `network` are those of
    `mine.Net`, which no file of ours has, so each of them is added; and no other network is chosen. The keys of
    `data.ordered`, which are the user's columns, those of Lightning's Trainer, and those below `model`, of which a file
    of the user's need not name each, are added too. `folders`: those that are searched before ours; where one has
    files of `trainer`, these need not have our keys either.

    `conf/network/own.yaml` is what such a choice takes the place of a file of ours with.
    """
    keys = [key_of(argument) for argument in arguments]
    named = {key.removesuffix(f".{TARGET}") for key in keys if key.endswith(f".{TARGET}")} - {"hydra"}
    roots = ["model", *(root for root in named if not root.startswith("hydra.") and root != "model")]
    own = [root for root in sorted(named) if root not in keys and (CONF / root / "own.yaml").is_file()]

    is_theirs = any(folder is not None and (Path(folder) / "trainer").is_dir() for folder in folders)

    def added(argument: str, key: str) -> str:
        is_below = any(key.startswith(f"{root}.") for root in roots) or f"{key}.".startswith("data.ordered.")
        is_added = is_below or (key.startswith("trainer.") and (is_theirs or key not in OF_TRAINER))
        return f"++{argument}" if is_added and argument[:1] not in "+~" else argument

    return [*(f"{root}=own" for root in own), *map(added, arguments, keys)]


def with_names(arguments: Arguments) -> list[str]:
    """The overrides of a pipeline that reads a model's name: Hydra would look for `model=NAME` in conf/model/."""
    readable = {str(override.input_line) for override in arguments.parsed}  # of the others Hydra says what is wrong
    named = [re.sub(r"^(\+*)model=", r"\1model.name=", line) for line in arguments.overrides]
    return [own if line in readable else line for line, own in zip(arguments.overrides, named, strict=True)]


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"The command line cannot be read: {message}.")


def _with_absolute_conf(words: Sequence[str]) -> Iterator[str]:
    """The words with an absolute `--config-path`: Hydra would look beside the pipeline's script."""
    before = ""
    for word in words:
        option, equals, folder = word.partition("=")
        if before in CONF_OPTIONS:
            yield os.path.abspath(word)
        elif option in CONF_OPTIONS and equals:
            yield f"{option}={os.path.abspath(folder)}"
        else:
            yield word
        before = word


def _without(words: Sequence[str], taken: Sequence[str]) -> list[str]:
    left, kept = list(taken), []
    for word in words:
        if word in left:
            left.remove(word)
        else:
            kept.append(word)
    return kept


def check_arguments(arguments: Arguments) -> None:
    """Raise ConfigError for what the pipeline that trains would ignore, or Hydra would stumble over."""
    for override in [] if arguments.shows else arguments.parsed:
        check_override(override)
        key, line = _dotted(override), str(override.input_line)
        group = key.split(".")[0]
        if group in OF_ENTRY_POINTS and group != "debug":
            raise ConfigError(f"`{key}` has no effect on training, but got {line}: another pipeline reads it.")
        if not arguments.multirun and line != "search=grid" and ONLY_OF_STUDIES.match(line):
            need = "A search needs" if group == "search" else f"`{key}` is of a study, which needs"
            raise ConfigError(f"{need} --multirun (-m), but got {line} without it.")
        if arguments.multirun and key in ("hydra.run.dir", "hydra.output_subdir"):
            raise ConfigError(f"`{key}` has no effect on a study, but got {line}: set runs=... for its folder.")


def check_arguments_without_trial(arguments: Arguments, script: str) -> None:
    """Raise ConfigError for a study, and for what no pipeline reads that trains no trial."""
    if arguments.multirun:
        raise ConfigError(f"{script} takes no --multirun (-m).")
    for override in [] if arguments.shows else arguments.parsed:
        check_override(override)
        if re.match(r"hydra[./](mode|run|output_subdir|launcher|sweeper)\b", str(override.key_or_group)):
            raise ConfigError(f"`{override.key_or_group}` has no effect here, but got {override.input_line}.")


def check_override(override: Override) -> None:
    """The rules that every pipeline has."""
    key, line = _dotted(override), str(override.input_line)
    if not key:
        raise ConfigError(f"`{line}` cannot be read: an argument is KEY=VALUE.")
    check_key(key, line)
    refuse_typed(key, line)
    _check_choices(override)
    if not override.is_delete() and not override.is_sweep_override() and override.value() == {}:
        what = f": ~{key}.KEY leaves one out" if key == "search.params" else ""
        raise ConfigError(f"`{line}` changes nothing, for a mapping is merged into what is there{what}.")
    if key == "hydra.verbose":  # Hydra asserts it
        rule = "hydra.verbose is true, false, a logger's name or a list of them"
        require(isinstance(override.value(), (bool, str, list)), rule, *_shown(line))


def check_key(key: str, line: str) -> None:
    """Raise ConfigError for a key that is set by the pipeline, or by the choice of a file; or deleted."""
    group, _, name = key.partition(".")
    refuse_ours(key, line)
    if group == "trial":
        raise ConfigError(f"`{key}` is for a study to set, but got {line}.")
    if name == "name" and group in NAMED:
        raise ConfigError(f"`{key}` is for the chosen file to set, but got {line}: write {group}=CHOICE.")
    if re.match(r"hydra\.sweep\b", key):
        raise ConfigError(
            f"A study has its own folder, runs/studies/NAME, but got {line}: set runs=... or search.study_name=NAME."
        )
    if re.match(r"hydra\.sweeper\b", key):
        raise ConfigError(f"A study has its own sweeper, but got {line}: {_instead(key)}.")
    if re.match(r"hydra\.(job\.(num|id)|runtime|overrides)\b", key):
        raise ConfigError(f"`{key}` is for Hydra to set, but got {line}.")
    if line.startswith("~") and not any(f"{key}.".startswith(f"{known}.") for known in MAY_BE_DELETED):
        raise ConfigError(
            f"`{key}` cannot be left out, for its default would take its place: give a value, not {line}."
        )


def _instead(key: str) -> str:
    """What to type for a setting of another sweeper, of Hydra's Optuna plugin say."""
    name = key.removeprefix("hydra.sweeper").lstrip(".")
    if name.startswith("params."):
        return f"type {name.removeprefix('params.')}=... by itself"
    if name == "sampler":
        return "choose search/sampler=tpe, or another"
    return f"it is search.{name} here" if name else "choose search=bayes, random or grid"


def choices(override: Override) -> list[str]:
    """The choices that an argument names, of all its values; none where it is no text."""
    found = [item for value in _values(override) for item in (value if isinstance(value, list) else [value])]
    return [str(item) for item in found if isinstance(item, str)]


def _dotted(override: Override) -> str:
    return str(override.key_or_group).replace("/", ".")


def _check_choices(override: Override) -> None:
    """Raise ConfigError unless a group gets one choice, or of a group that takes several a list of different ones."""
    group, line = str(override.key_or_group), str(override.input_line)
    if "." in group and not override.is_delete():
        _refuse_choice_as_value(override)
    if "." in group or override.is_delete() or not _is_group(group):
        return
    for value in _values(override):
        rule = f"{group} is one choice"
        if group in SEVERAL:
            rule = f"{group} is a choice, or a list of different ones"
            if isinstance(value, list):
                texts = [str(item) for item in value]
                different = len(set(texts)) == len(texts) and all(isinstance(item, str) for item in value)
                require(different, rule, *_shown(line))
                continue
        require(isinstance(value, str) and value != "", rule, *_shown(line))


def _refuse_choice_as_value(override: Override) -> None:
    """Raise ConfigError for search.sampler=gp: a file in conf/search/sampler is chosen by search/sampler=gp."""
    group, line = str(override.key_or_group).replace(".", "/"), str(override.input_line)
    files = [value for value in _values(override) if (CONF / group / f"{value}.yaml").is_file()]
    if files:
        raise ConfigError(f"`{override.key_or_group}` is a group of keys, but got {line}: write {group}={files[0]}.")


def _shown(line: str) -> tuple[str, str]:
    key, _, value = line.lstrip("+").partition("=")
    return key, value


def _is_group(name: str) -> bool:
    return name.startswith("hydra/") or (CONF / name).is_dir()


def _values(override: Override) -> Iterator[Any]:
    """The value, or each of a list of them; of a glob, which Hydra looks up, none."""
    value = override.value()
    if isinstance(value, (Glob, IntervalSweep)):
        yield from [] if isinstance(value, Glob) else [0.0]
    elif isinstance(value, Sweep):
        yield from (0.0 if isinstance(one, IntervalSweep) else one for one in override.sweep_iterator())
    else:
        yield value
