"""The plain configuration of any trial of a study.

Composing takes Hydra some 150 ms, so it is done once for each combination of group choices; all other values are set in
a copy of what came out, which takes less than a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError, nearest
from ridgeline.composed import plain
from ridgeline.search.space import Dimension


@dataclass(frozen=True)
class Composed:
    """A plain mapping, and the file that Hydra took for each group."""

    tree: dict[str, Any]
    choices: dict[str, Any]


@dataclass(frozen=True)
class Trees:
    """Of a space: the dimensions that are groups, those that are keys, what was composed by the groups' values."""

    groups: Sequence[Dimension]
    keys: Sequence[Dimension]
    composed: Mapping[tuple[Any, ...], Composed]

    @property
    def first(self) -> dict[str, Any]:
        """The mapping of the first combination, where no key is set."""
        return next(iter(self.composed.values())).tree

    def of(self, params: Mapping[str, Any]) -> Composed:
        """What Hydra would compose of a trial's parameters."""
        base = self.composed[tuple(params[d.key] for d in self.groups)]
        tree = copy(base.tree)
        for d in self.keys:
            set_value(tree, d, params[d.key])
        return Composed(tree, base.choices)


def compose(loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]) -> Composed:
    """Raises ConfigError, one line, where Hydra cannot."""
    try:
        config = loader.load_sweep_config(master, list(overrides))
        choices = OmegaConf.to_container(config.hydra.runtime.choices)
        assert isinstance(choices, dict)
        return Composed(plain(config), {str(group): choice for group, choice in choices.items()})
    except (HydraException, OmegaConfBaseException) as error:
        reason = f"{error} {error.__cause__ or ''}".split("\n")[0]
        raise ConfigError(f"{' '.join(overrides)} cannot be composed: {reason.strip()}") from error


def set_value(tree: dict[str, Any], d: Dimension, value: Any) -> bool:
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


def copy(tree: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = json.loads(json.dumps(tree))  # several times as fast as deepcopy
    return own
