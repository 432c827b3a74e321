"""Which values of a composed configuration follow from swept keys: `${optimizer.lr}` does where the rate is swept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import ConfigError
from ridgeline.search.space import Dimension

_JOB = re.compile(r"\$\\?\{(hydra:(job|runtime\.output_dir|sweep)|trial)\b")
_KEY = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")


def is_reference(text: str) -> bool:
    """Also as Hydra's grammar writes it into an override, where braces are escaped."""
    return "${" in text or "$\\{" in text


def refers_to_hydra(config: DictConfig) -> bool:
    """Whether a value looks into Hydra's own node."""
    return any("${hydra:" in str(text) for _, text in references(config))


def following(config: DictConfig, keys: Sequence[Dimension]) -> dict[str, Any]:
    """The text of each value that may follow from one of these keys, by dotted key.

    A reference to another key follows from that key, its group and what is in it; that of a resolver, from any.
    """
    found = {}
    for key, text in references(config):
        refuse_job(key, [text])
        if any(_may_follow(str(leaf), [d.key for d in keys]) for leaf in _leaves(text)):
            found[key] = text
    return found


def refuse_job(key: str, values: Sequence[Any]) -> None:
    """ConfigError for a value that follows from the job: its number is no parameter, and nothing trains it again."""
    for value in values:
        if _JOB.search(str(value)):
            rule = "no value of a trial follows from the job's number or folder"
            raise ConfigError(f"`{rule}` must hold, but got {key}={value}.")


def references(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """Key and text of each value with a reference in it, a list as a whole."""
    yield from _walk(OmegaConf.to_container(config, resolve=False), "")


def _walk(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _walk(value, f"{path}.{name}" if path else str(name))
    elif any(isinstance(leaf, str) and is_reference(leaf) for leaf in _leaves(node)):
        yield path, node


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, (dict, list)):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _leaves(value)
    else:
        yield node


def _may_follow(text: str, keys: Sequence[str]) -> bool:
    if not is_reference(text) or _ENVIRONMENT.fullmatch(text):
        return False
    named = _KEY.fullmatch(text)
    if named is None:
        return len(keys) > 0
    target = f"{named[1]}."
    return any(target.startswith(f"{key}.") or f"{key}.".startswith(target) for key in keys)
