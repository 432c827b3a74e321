"""The plain configuration of any trial of a study: what Hydra composes of its parameters.

Composing takes Hydra some 150 ms, so it is done once for each combination of group choices; all other values are set in
a copy of what came out, which takes less than a millisecond. Where another value follows from a swept one, through an
interpolation, the copy is of the configuration before it was resolved, and takes some ten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError, key_elsewhere, nearest
from ridgeline.command_line.composed import plain, without_hydra
from ridgeline.search.conditions import values_of
from ridgeline.search.references import following, is_reference, refers_to_hydra, refuse_job
from ridgeline.search.space import Dimension
from ridgeline.target import TARGET


@dataclass(frozen=True)
class Composed:
    """The configuration of a trial: a plain mapping, and the file that Hydra took for each group."""

    tree: dict[str, Any]
    choices: dict[str, Any]


@dataclass(frozen=True)
class Combination:
    """What Hydra composed of one combination of groups.

    `config` is as it was before references were resolved; `hydra` is the same with Hydra's own node, where
    `${hydra:...}` looks. `tree` is the plain mapping, in which no swept key is set yet; only if other values follow
    from swept keys are these set, to their first values, as swept targets and their arguments always are. `followers`:
    the text of values that follow, by dotted key.
    """

    config: DictConfig
    hydra: DictConfig
    tree: dict[str, Any]
    choices: dict[str, Any]
    followers: dict[str, Any]


@dataclass(frozen=True)
class Trees:
    """Gives the configuration of any trial of a study.

    `groups` are the dimensions that choose files, `keys` those that set values. `composed`: what Hydra composed, by the
    values of the groups.
    """

    groups: Sequence[Dimension]
    keys: Sequence[Dimension]
    composed: Mapping[tuple[Any, ...], Combination]

    @property
    def first(self) -> dict[str, Any]:
        """The mapping of the first combination of groups."""
        return next(iter(self.composed.values())).tree

    @property
    def defined(self) -> dict[str, Any]:
        """The same, but with the text `${optimizer.lr}` for a value that follows from a swept key."""
        combination = next(iter(self.composed.values()))
        tree = copy(combination.tree)
        for key, text in combination.followers.items():
            *parents, leaf = key.split(".")
            node = tree
            for name in parents:
                node = node[name]
            node[leaf] = text
        return tree

    def of(self, params: Mapping[str, Any]) -> Composed:
        """What Hydra would compose of a trial's parameters; the first value of a key that is not among them."""
        params = {**{d.key: d.ends[0] for d in (*self.groups, *self.keys)}, **values_of(params)}
        base = self.composed[tuple(params[d.key] for d in self.groups)]
        values = [params[d.key] for d in self.keys]
        return Composed(tree_with(base, self.keys, values), base.choices)


def compose(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], keys: Sequence[Dimension]
) -> Combination:
    """Compose one combination of groups. Raises ConfigError, one line, where Hydra cannot."""
    try:
        whole = loader.load_sweep_config(master, list(overrides))
        choices = OmegaConf.to_container(whole.hydra.runtime.choices)
        assert isinstance(choices, dict)
        config = without_hydra(whole)
        for d in keys:
            refuse_job(d.key, d.ends)
        followers = following(config, keys)
        first = [d.ends[0] for d in keys] if followers or _are_composed(keys) else None
        tree = _resolved(config, whole, keys, first)
        set_first_targets(tree, keys)
        return Combination(config, whole, tree, {str(group): choice for group, choice in choices.items()}, followers)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{' '.join(overrides)} cannot be composed: {_reason(error)}") from error


def tree_with(base: Combination, keys: Sequence[Dimension], values: Sequence[Any]) -> dict[str, Any]:
    """The mapping of a combination, copied, with these values of the keys. Raises ConfigError for a key that it
    lacks."""
    if not base.followers and not _are_composed(keys):
        tree = copy(base.tree)
        for d, value in zip(keys, values, strict=True):
            set_value(tree, d, value)
        return tree
    try:
        return _resolved(base.config, base.hydra, keys, values)
    except (HydraException, OmegaConfBaseException) as error:
        shown = " ".join(d.override(value) for d, value in zip(keys, values, strict=True))
        raise ConfigError(f"{shown} cannot be composed: {_reason(error)}") from error


def _are_composed(keys: Sequence[Dimension]) -> bool:
    """Whether Hydra must set the values: some are references, or mappings, which it merges."""
    texts = [end for d in keys for end in d.ends if isinstance(end, str)]
    return any(is_reference(text) or text.startswith("{") for text in texts)


def _resolved(
    config: DictConfig, hydra: DictConfig, keys: Sequence[Dimension], values: Sequence[Any] | None
) -> dict[str, Any]:
    """The plain mapping, after Hydra has set these values of the keys and resolved references."""
    if values is not None:
        parser = OverridesParser.create()
        overrides = [parser.parse_override(d.override(value)) for d, value in zip(keys, values, strict=True)]
        config = deepcopy(config)
        ConfigLoaderImpl._apply_overrides_to_config(overrides, config)
    if not refers_to_hydra(config):
        return plain(config)
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(hydra)  # as when Hydra runs a job
    try:
        return plain(config)
    finally:
        HydraConfig.instance().cfg = before


def _reason(error: Exception) -> str:
    return f"{error} {error.__cause__ or ''}".split("\n")[0].strip()


def set_value(tree: dict[str, Any], d: Dimension, value: Any) -> None:
    """Set the key of a dimension. Raises ConfigError if the mapping does not have it, and the dimension adds none."""
    *parents, leaf = d.key.split(".")
    node: Any = tree
    if not parents and leaf not in tree and d.prefix == "" and (line := key_elsewhere(leaf, tree, tree)):
        raise ConfigError(line)
    for name in parents:
        if isinstance(node, dict) and name not in node:
            if d.prefix == "":
                raise ConfigError(f"There is no key `{d.key}`. {nearest(name, node)}")
            node[name] = {}  # as Hydra adds it: regularization.mine, where its _target_ is swept
        node = node[name]
        if not isinstance(node, dict):
            raise ConfigError(f"There is no key `{d.key}`: `{name}` is {node}.")
    if not isinstance(value, (int, float)):  # as Hydra would read it; a number is what it is
        value = OverridesParser.create().parse_override(d.override(value)).value()
    node[leaf] = value


def set_first_targets(tree: dict[str, Any], keys: Sequence[Dimension]) -> None:
    """Give swept targets, and swept arguments of targets, their first values: without them they cannot be read."""
    named = [d for d in keys if d.key.endswith(f".{TARGET}")]
    for d in named:
        set_value(tree, d, d.ends[0])
    for d in keys:
        if d not in named and is_argument(tree, d.key):
            set_value(tree, d, d.ends[0])


def is_there(tree: Mapping[str, Any], key: str) -> bool:
    node: Any = tree
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return False
        node = node[name]
    return True


def is_argument(tree: Mapping[str, Any], key: str) -> bool:
    """Whether the key is an argument of something that a `_target_` names, which has those of its signature."""
    groups = key.split(".")[:-1]
    return any(is_there(tree, ".".join([*groups[: i + 1], TARGET])) for i in range(len(groups)))


def copy(tree: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = json.loads(json.dumps(tree))  # several times as fast as deepcopy
    return own
