"""Every value that a study may try, checked before its first trial and before anything is written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from optuna.distributions import CategoricalDistribution

from ridgeline.checking import ConfigError, require, unknown_choice
from ridgeline.command_line.arguments import check_key
from ridgeline.config import Config, DataConfig, parse
from ridgeline.config.batchable import is_batchable, structure
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.config.idle import Idle, still_idle
from ridgeline.config.lr_schedule import OwnScheduleConfig
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.config.own_code import own_sources, own_targets
from ridgeline.search.commandline import CommandLine
from ridgeline.search.ranking import REPEATED
from ridgeline.search.repeats import searched
from ridgeline.search.space import Dimension
from ridgeline.search.start import check_enqueue
from ridgeline.search.trees import Combination, Trees, compose, is_argument, is_there, tree_with
from ridgeline.target import Target, targets_in
from ridgeline.tasks.losses import OwnLoss

MOST_COMBINATIONS = 2000
"""So many combinations of a sampler's lists are all checked. If there are more, each value is checked beside the first
values of the other lists. Of a grid all are checked."""


@dataclass(frozen=True)
class Checked:
    """What the values of a study were found to be.

    `structural`: the swept keys that change the structure of a trial. `by_data`, `by_size`: a configuration for each
    setting of the data, and for each demand on the machine. `networks`: their names. `idle`: the keys that have no
    effect in any trial. `own_code`: the user's own source files.
    """

    trees: Trees
    structural: list[str]
    by_data: list[Config]
    by_size: list[Config]
    networks: list[str]
    idle: list[Idle]
    own_code: dict[str, str]


def check_values(line: CommandLine, loader: ConfigLoader, master: DictConfig, *, grid: bool) -> Checked:
    """Raise ConfigError at the first value of the space that breaks a rule."""
    groups = [d for d in line.space if _is_group(loader, d)]
    keys = [d for d in line.space if d not in groups]
    for d in line.space:
        check_key(d.key, f"{d.key}={d.text}")
    for group in groups:
        _check_choices(loader, group)
    composed, structures = dict[tuple[Any, ...], Combination](), dict[tuple[Any, ...], Config]()
    by_data, by_size, networks = dict[DataConfig, Config](), dict[tuple[Any, ...], Config](), dict[str, None]()
    idle: dict[str, Idle] | None = None
    own = dict[tuple[str, ...], dict[str, Any]]()
    for choices in itertools.product(*(d.ends for d in groups)):
        chosen = [d.override(value) for d, value in zip(groups, choices, strict=True)]
        base = composed[choices] = compose(loader, master, [*line.fixed, *chosen], keys)
        for values in _combinations(keys, grid):
            tree = tree_with(base, keys, values)
            config = parse(tree)  # an unknown key is refused here, with the nearest
            own.setdefault(tuple(own_targets(tree)), tree)
            structures.setdefault(choices, structure(config))
            by_data.setdefault(config.data, config)
            trainer = config.trainer
            machine = trainer.batch_size, trainer.num_threads, trainer.accelerator, trainer.precision, trainer.ckpt_path
            asked = *machine, trainer.lightning  # a module of the user's own is tried with each of the last ones
            needs = _asked_of_layers(config), bool(config.augmentation.strengths_on()), _tried(config)
            trains = config.network if config.model is None else _skeleton(config.model)
            by_size.setdefault((config.data, trains, *needs, *asked), config)
            networks[config.network_name] = None
            idle = still_idle(idle, config)
        for d in keys:  # known, but not in the chosen file: Hydra would refuse it in the job
            if d.prefix == "" and not is_there(base.tree, d.key) and not is_argument(base.tree, d.key):
                raise ConfigError(f"`{d.key}` is not in the chosen configuration: to add it, write +{d.key}={d.text}.")
    alone = all(config.trains_alone for config in structures.values())  # then there is no stack to share
    structural = [d.key for place, d in enumerate(groups) if not alone and _tells_apart(place, structures)]
    followers = {key for base in composed.values() for key in base.followers if key.split(".")[0] not in NOT_TRAINED}
    structural += [key for key in [*(d.key for d in keys), *sorted(followers)] if not alone and not is_batchable(key)]
    trees, examples = Trees(groups, keys, composed), (list(by_data.values()), list(by_size.values()))
    return Checked(trees, structural, *examples, list(networks), list((idle or {}).values()), own_sources(own.values()))


def _skeleton(model: Target) -> tuple[Any, ...]:
    """What a module of the user's own is made of, whatever numbers it is given: one of each such is tried."""
    return tuple(targets_in(model.tree()))


def _asked_of_layers(config: Config) -> tuple[Any, ...]:
    """What a network of the user's own must have for this configuration: layers that regularizers act on."""
    if config.model is None and config.network.n_hidden is not None:
        return ()
    dropout = config.regularization.dropout
    return (*config.regularization.strengths_on(), len(dropout) if isinstance(dropout, tuple) else None)


def _tried(config: Config) -> tuple[Any, ...]:
    """What of the user's own is tried before anything trains."""
    optimizer, schedule = config.optimizer, config.lr_schedule
    return (
        config.regularization.own,
        config.loss if isinstance(config.loss, OwnLoss) else None,
        optimizer.target if isinstance(optimizer, OwnOptimizerConfig) else None,
        schedule.target if isinstance(schedule, OwnScheduleConfig) else None,
    )


def _tells_apart(place: int, structures: Mapping[tuple[Any, ...], Config]) -> bool:
    """Whether combinations that differ in this group alone differ in structure: none,l2 of regularization do not."""
    by_others: dict[tuple[Any, ...], Config] = {}
    return any(
        by_others.setdefault((*choices[:place], *choices[place + 1 :]), found) != found
        for choices, found in structures.items()
    )


def _combinations(keys: list[Dimension], grid: bool) -> Iterator[tuple[Any, ...]]:
    """The combinations of values to check: those of the lists, the ends of each interval beside the first values, and
    all intervals together where they may be off."""
    first = tuple(d.ends[0] for d in keys)
    lists = [d.ends if isinstance(d.distribution, CategoricalDistribution) else d.ends[:1] for d in keys]
    if grid or _product(lists) <= MOST_COMBINATIONS:
        yield from itertools.product(*lists)
    for place, d in enumerate(keys):
        for value in d.ends[1:]:
            yield (*first[:place], value, *first[place + 1 :])
    if any(d.switch is not None for d in keys):  # all on, which may not go together
        yield tuple(d.ends[-1] if d.switch is not None else d.ends[0] for d in keys)


def _product(lists: list[list[Any]]) -> int:
    count = 1
    for values in lists:
        count *= len(values)
    return count


def _is_group(loader: ConfigLoader, d: Dimension) -> bool:
    return len(_options(loader, d.key.split("@")[0])) > 0


def _options(loader: ConfigLoader, group: str) -> list[str]:
    """The files that a group has; one in a folder as `by_hand/l2`."""
    folders = loader.get_group_options(group, ObjectType.GROUP)
    nested = [f"{folder}/{name}" for folder in folders for name in _options(loader, f"{group}/{folder}")]
    return [*loader.get_group_options(group, ObjectType.CONFIG), *nested]


def _check_choices(loader: ConfigLoader, group: Dimension) -> None:
    options = _options(loader, group.key.split("@")[0])
    for choice in group.ends:
        value = OverridesParser.create().parse_override(group.override(choice)).value()
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name not in options:
                raise ConfigError(unknown_choice(group.key, str(name), options))


def check_limits(config: Config, line: CommandLine, *, grid: bool) -> None:
    """Raise ConfigError unless the study as a whole can be run: it searches something, and has trials for it."""
    search = config.search
    require(config.debug is None, "debug is null with --multirun (-m)", "debug", config.debug)
    if grid:
        require(not search.enqueue, "search.enqueue is empty without a sampler", "search.enqueue", list(search.enqueue))
        n = search.n_startup_trials
        require(n == 0, "search.n_startup_trials == 0 without a sampler", "search.n_startup_trials", n)
    else:
        rule = "a search has something to search besides seeds: search.params or a sweep,"
        require(len(searched(line.space)) > 0, rule, "search.params", {})
        require(search.n_trials is not None, "search.n_trials >= 1", "search.n_trials", None)
        seeds = math.prod(len(d.ends) for d in line.space if d.key in REPEATED)
        rule = f"search.n_trials >= {seeds}, a trial for each seed,"
        require((search.n_trials or 0) >= seeds, rule, "search.n_trials", search.n_trials)
        check_enqueue(search, searched(line.space))
    if (
        config.model is None
        and config.metric.endswith("/loss")
        and any(d.key.split(".")[0] == "loss" for d in line.space)
    ):
        which = config.metric.replace("loss", config.measured("val")[0])
        raise ConfigError(f"`metric={which}` must hold where `loss` is swept, but got metric={config.metric}.")
