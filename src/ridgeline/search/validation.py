"""Every value that a study may try, checked before its first trial and before anything is written.

Composing one configuration takes Hydra some 150 ms, so it is done once for each combination of group choices; all other
values are set in its plain mapping, where a check takes less than a millisecond.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import CategoricalDistribution

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.composed import plain
from ridgeline.config import Config, parse
from ridgeline.search.commandline import CommandLine
from ridgeline.search.space import Dimension

MOST_COMBINATIONS = 2000
"""Of a sampler's choices; beyond, each choice is checked beside the first of the others. A grid's are all checked."""


@dataclass(frozen=True)
class Checked:
    """What the values were found to be: the plain mapping of the first combination, one Config for each data
    section, the networks' names."""

    tree: dict[str, Any]
    by_data: list[Config]
    networks: list[str]


def check_values(line: CommandLine, loader: ConfigLoader, master: DictConfig, *, grid: bool) -> Checked:
    """Raise ConfigError at the first value of the space that breaks a rule."""
    groups = [d for d in line.space if _is_group(loader, d)]
    keys = [d for d in line.space if d not in groups]
    for group in groups:
        _check_choices(loader, group)
    first, by_data, networks = None, dict[str, Config](), dict[str, None]()
    for choices in itertools.product(*(d.ends for d in groups)):
        chosen = [d.override(value) for d, value in zip(groups, choices, strict=True)]
        tree = _compose(loader, master, [*line.fixed, *chosen])
        first = first or json.loads(json.dumps(tree))
        for values in _combinations(keys, grid):
            config = _parse_with(tree, keys, values)
            by_data.setdefault(json.dumps(tree["data"], sort_keys=True), config)
            networks[config.network.name] = None
    assert first is not None
    return Checked(first, list(by_data.values()), list(networks))


def _combinations(keys: list[Dimension], grid: bool) -> Iterator[tuple[Any, ...]]:
    """Every combination of the choices, and both ends of each interval beside the first choices."""
    first = tuple(d.ends[0] for d in keys)
    lists = [d.ends if isinstance(d.distribution, CategoricalDistribution) else d.ends[:1] for d in keys]
    if grid or _product(lists) <= MOST_COMBINATIONS:
        yield from itertools.product(*lists)
    for place, d in enumerate(keys):
        for value in d.ends[1:]:
            yield (*first[:place], value, *first[place + 1 :])


def _product(lists: list[list[Any]]) -> int:
    count = 1
    for values in lists:
        count *= len(values)
    return count


def _parse_with(tree: dict[str, Any], keys: list[Dimension], values: tuple[Any, ...]) -> Config:
    absent = [d for d, value in zip(keys, values, strict=True) if not _set(tree, d, value)]
    config = parse(tree)  # an unknown key is refused here, with the nearest
    for d in absent:  # known, but not in the chosen file: Hydra would refuse it in the job
        raise ConfigError(f"`{d.key}` is not in the chosen configuration: to add it, write +{d.key}={d.text}.")
    return config


def tree_with(tree: dict[str, Any], keys: Sequence[Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a checked tree with these values."""
    own = json.loads(json.dumps(tree))
    for d in keys:
        _set(own, d, params[d.key])
    return own


def _set(tree: dict[str, Any], d: Dimension, value: Any) -> bool:
    """Set a key; False if it was not there and the user did not say + to add it."""
    *parents, leaf = d.key.split(".")
    node: Any = tree
    for name in parents:
        if isinstance(node, Mapping) and name not in node:
            raise ConfigError(f"There is no key `{d.key}`. {nearest(name, node)}")
        node = node[name]
        if not isinstance(node, dict):
            raise ConfigError(f"There is no key `{d.key}`: `{name}` is {node}.")
    known = leaf in node or d.prefix != ""
    if not isinstance(value, (int, float)):  # as Hydra would read it; a number is what it is
        value = OverridesParser.create().parse_override(d.override(value)).value()
    node[leaf] = value
    return known


def _is_group(loader: ConfigLoader, d: Dimension) -> bool:
    return len(loader.get_group_options(d.key.split("@")[0], ObjectType.CONFIG)) > 0


def _check_choices(loader: ConfigLoader, group: Dimension) -> None:
    options = loader.get_group_options(group.key.split("@")[0], ObjectType.CONFIG)
    for choice in group.ends:
        value = OverridesParser.create().parse_override(group.override(choice)).value()
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name not in options:
                raise ConfigError(f"There is no choice {group.key}={name}. {nearest(str(name), options)}")


def _compose(loader: ConfigLoader, master: DictConfig, overrides: list[str]) -> dict[str, Any]:
    try:
        return plain(loader.load_sweep_config(master, overrides))
    except (HydraException, OmegaConfBaseException) as error:
        reason = f"{error} {error.__cause__ or ''}".split("\n")[0]
        raise ConfigError(f"{' '.join(overrides)} cannot be composed: {reason.strip()}") from error


def check_limits(config: Config, line: CommandLine, *, grid: bool) -> None:
    """What a study as a whole needs."""
    if not grid:
        require(len(line.space) > 0, "a search has something to search: search.params or a sweep,", "search.params", {})
        require(config.search.n_trials is not None, "search.n_trials >= 1", "search.n_trials", None)
