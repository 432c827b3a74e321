"""The configuration that Hydra composed, as plain containers, and without the secrets in its addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override

from ridgeline.command_line.passwords import conceal, conceal_tree, hidden


def plain(config: DictConfig) -> dict[str, Any]:
    """Resolved, without Hydra's own node and without secrets: what `ridgeline.config.parse` takes."""
    tree = OmegaConf.to_container(without_hydra(config), resolve=True)
    assert isinstance(tree, dict)
    return {str(key): value for key, value in conceal_tree(tree).items()}


def unresolved(config: DictConfig) -> dict[str, Any]:
    """The configuration without Hydra's own node, its references not resolved."""
    tree = OmegaConf.to_container(without_hydra(config), resolve=False)
    assert isinstance(tree, dict)
    return {str(key): value for key, value in tree.items()}


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy without Hydra's own node, in which unknown keys are refused too."""
    masked = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(masked, True)
    return masked


def as_typed(overrides: Any) -> list[str]:
    """The arguments with their references: reading them one by one would resolve those."""
    texts = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(texts, list)
    return [str(text) for text in texts]


def conceal_argument(argument: str) -> str:
    """An override without the secret of the address that it sets."""
    if argument.startswith("-") or hidden(argument) == argument:
        return argument
    key, _, typed = argument.partition("=")
    try:
        value = OverridesParser.create().parse_override(argument).value()
    except HydraException:  # an address with a = in it, say, which is quoted later
        return f"{key}={conceal(typed)}"
    return f"{key}={quoted(conceal(value))}" if isinstance(value, str) else hidden(argument)


def conceal_config(config: DictConfig) -> dict[str, str]:
    """Conceal what stands in the configuration itself, from a file say, in place; what was concealed, by dotted key."""
    found: dict[str, str] = {}
    for key, node in _leaves(config, ""):
        value = node._value()
        if isinstance(value, str) and not node._is_interpolation() and (shown := conceal(value)) != value:
            with flag_override(node, "readonly", False):
                node._set_value(shown)
            found[key] = shown
    return found


def conceal_study(master: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments of a study, from which each trial is composed anew, without secrets; `master` has none either.

    What a file says is then said by an argument, for files and jobs are made of those.
    """
    kept = [conceal_argument(argument) for argument in arguments]
    found = conceal_config(master)
    given = {argument.partition("=")[0].lstrip("+~") for argument in kept}
    kept += [f"{key}={quoted(value)}" for key, value in found.items() if key not in given and key[:6] != "hydra."]
    if kept != list(arguments):
        master.hydra.overrides.task = kept
        master.hydra.job.override_dirname = ",".join(kept)
    return kept


def quoted(value: str) -> str:
    return QuotedString(value, Quote.single).with_quotes()


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, (DictConfig, ListConfig)):
        yield path, node
    elif not (node._is_none() or node._is_missing() or node._is_interpolation()):
        keys: Iterable[Any] = node.keys() if isinstance(node, DictConfig) else range(len(node))
        for key in keys:
            yield from _leaves(node._get_node(key), f"{path}.{key}" if path else str(key))
