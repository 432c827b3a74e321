"""A stored study, opened by its name. It is only read, so that it can be opened while it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import json_to_distribution
from optuna.study import Study

from ridgeline.checking import ConfigError, nearest
from ridgeline.command_line.commands import command
from ridgeline.command_line.composed import plain
from ridgeline.command_line.passwords import require_secret
from ridgeline.command_line.paths import IMPORT_PATH, with_absolute_paths
from ridgeline.config import Config, parse
from ridgeline.config.idle import Idle, idle_keys
from ridgeline.config.stored import check_targets, of_today, read_stored
from ridgeline.search.advice import on_no_result
from ridgeline.search.commandline import STAGE, CommandLine, restore, swept_keys
from ridgeline.search.conditions import values_of
from ridgeline.search.folder import MASTER, study_folder
from ridgeline.search.job_folder import job_folder
from ridgeline.search.ranking import Setting, best_settings, ran
from ridgeline.search.storage import read_storage
from ridgeline.search.trees import set_first_targets

CONFIRMED = "confirm"
"""In a study's folder: what confirming it has left."""


@dataclass(frozen=True)
class StoredStudy:
    """`config` is what all trials have in common, at the first choice of each swept group, in the runs folder where the
    study lies now; `line` the fixed and the swept keys of its command; `run_id` the parent's in MLflow, if it has one.
    """

    name: str
    folder: Path
    config: Config
    line: CommandLine
    study: Study

    @property
    def run_id(self) -> str | None:
        run_id: str | None = self.study.user_attrs.get("run_id")
        return run_id

    @property
    def definition(self) -> dict[str, Any]:
        """All that its results follow from: see `search.identity`."""
        defined: dict[str, Any] = self.study.user_attrs["definition"]
        return defined

    def find_best(self) -> Setting:
        """The best setting. Raises ConfigError where none is complete, with what to change."""
        trials = ran(self.study)
        ranked = best_settings(trials, self.study.direction)
        if not ranked:
            why = on_no_result(trials, self.config.search.pruner)
            raise ConfigError(f"The study {self.name} has no best trial. {why}")
        return ranked[0]

    def job(self, number: int) -> Path:
        """The folder of a trial."""
        return self.folder / job_folder(number)

    def config_of(self, number: int) -> Config:
        """The configuration that a trial was trained with."""
        allowed, modules = self.config.tracking.allowed_targets, self.config.import_path
        swept = {d.key for d in self.line.space}
        places = {name: place for name, place in self.config.data.places.items() if f"data.{name}" not in swept}
        return read_stored(self.job(number) / ".hydra" / "config.yaml", allowed, modules, places)

    def idle_in(self, params: Mapping[str, Any]) -> list[Idle]:
        """The keys without effect in the first trial with these parameters; none is known of one that was trained on
        another machine, whose folder is not here."""
        number = self._numbers.get(tuple(params.items()))
        if number is None or not self.job(number).is_dir():
            return []
        return list(idle_keys(self.config_of(number)))

    @cached_property
    def _numbers(self) -> dict[tuple[tuple[str, Any], ...], int]:
        trials = self.study.get_trials(deepcopy=False)
        return {tuple(values_of(trial.params).items()): trial.number for trial in reversed(trials)}


def find_study(asked: Config, study: str) -> str:
    """The name of a study that is there, of its name or a summary. Raises ConfigError, at once."""
    name = _name_in(Path(study)) if study.endswith(".json") else study
    runs = Path(asked.runs).absolute()
    known = sorted(path.parent.name for path in runs.glob(f"studies/*/{MASTER}"))
    if name not in known:
        there = nearest(name, known) if known else f"Make one: {command('train', '-m', 'search=bayes')}."
        raise ConfigError(f"There is no study `{name}` in {runs / 'studies'}. {there}")
    return name


def open_study(asked: Config, study: str) -> StoredStudy:
    """The study of that name in `asked.runs`, or the one that a summary (a JSON file with the key `study`) is of.

    `asked.search.storage` and `asked.tracking.uri` replace the stored ones, whose passwords are not stored;
    `asked.data.root`, `path` and `test_path` those of data that have moved, and `asked.import_path` that of the user's
    own modules; what the study may name as a target is `asked`'s to say. Raises ConfigError, one line.
    """
    name, runs = find_study(asked, study), Path(asked.runs).absolute()
    master = OmegaConf.load(runs / "studies" / name / MASTER)
    assert isinstance(master, DictConfig)
    tree, allowed = of_today(plain(master)), asked.tracking.allowed_targets
    # Studies from before have relative paths, which were meant where they were started.
    tree = with_absolute_paths(tree, Path(master.hydra.runtime.cwd))
    if asked.import_path is not None:
        tree[IMPORT_PATH] = asked.import_path
    tree["data"] = {**tree["data"], **asked.data.places}
    set_first_targets(tree, swept_keys(master, tree["search"].get("params", {})))
    check_targets(tree, allowed)
    config = replace(parse(tree), runs=str(runs))
    config = replace(config, tracking=replace(config.tracking, allowed_targets=allowed))
    if asked.search.storage is not None:
        config = replace(config, search=replace(config.search, storage=asked.search.storage))
    if asked.tracking.uri is not None:
        config = replace(config, tracking=replace(config.tracking, uri=asked.tracking.uri))
    require_secret("tracking.uri", config.tracking.uri)
    folder = study_folder(config, name)
    found = _load(config, folder)
    space = {key: json_to_distribution(json.dumps(d)) for key, d in found.user_attrs["definition"]["space"].items()}
    line = restore(master, config.search.params, space, str(runs))
    for name, place in asked.data.places.items():
        line = line.with_setting(f"data.{name}", place)
    if asked.import_path is not None:
        line = line.with_setting(IMPORT_PATH, asked.import_path)
    if master.hydra.job.config_name == STAGE:
        line = line.of_stage(folder)
    stored = StoredStudy(name, folder, config, line, found)
    return replace(stored, line=replace(line, idle_in=stored.idle_in))


def _name_in(summary: Path) -> str:
    try:
        return str(json.loads(summary.read_text())["study"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = "study is a study's name, or a JSON file with the key `study`"
        raise ConfigError(f"`{rule}` must hold, but got study={summary}.") from error


def _load(config: Config, folder: Path) -> Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        found = optuna.load_study(study_name=folder.name, storage=read_storage(config, folder))
    except KeyError as error:
        raise ConfigError(f"The storage of the study {folder.name} holds no such study.") from error
    if "definition" not in found.user_attrs:
        raise ConfigError(f"The study {folder.name} has not begun.")
    return found
