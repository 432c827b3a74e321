"""References in a configuration: `${oc.env:NAME}`, `${search.seed}`, `${optimizer.lr}`, `${hydra:job.num}`.

Those to the environment and to settings of the search are the same in all trials, so their values are written out once,
where a study starts (`write_out`): they are part of what the study is named after, stand in what it stores, and are in
the command that trains a trial again, for another shell has another environment, and a trial alone has no search.

Those to other keys follow from them, also where a key is swept (`following`). Those to the job are refused
(`refuse_job`): its number is no parameter, and nothing would train the trial again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import parse_overrides
from ridgeline.command_line.commands import key_of
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.quoting import setting
from ridgeline.search.space import Dimension

# Braces of a reference in an override are escaped where Hydra has written it.
_ENVIRONMENT = re.compile(r"\$\\?\{oc\.env:([A-Za-z_]\w*)(?:,([\w.+/-]*))?\\?\}")
"""A variable, and what stands for one that is not set."""
_DECODED = re.compile(r"\$\\?\{oc\.decode:([\w.+/-]+)\\?\}")
"""A value that Hydra's grammar reads by itself, once it stands there."""
_QUOTED = re.compile(r"=(['\"])([\w.+/-]+)\1$")
"""A value in quotes, which would make text of a number."""
_SEARCH = re.compile(r"\$\\?\{search\.(\w+)\\?\}")
_SAME_IN_ALL_TRIALS = re.compile(r"\$\{(?:oc\.(?:env|decode):[^${}]*|search\.\w+)\}")
_PLAIN = re.compile(r"[\w.+/-]*")
"""Text that Hydra's grammar takes without quotes."""

_ONLY_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")
_KEY = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_JOB = re.compile(r"\$\\?\{(hydra:(job|runtime\.output_dir|sweep)|trial)\b")


def is_reference(text: str) -> bool:
    """Whether there is one in the text, also as Hydra writes it into an override."""
    return "${" in text or "$\\{" in text


def references(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """Key and text of each value with a reference in it, a list as a whole."""
    yield from _walk(OmegaConf.to_container(config, resolve=False), "")


def write_out(config: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments of a study with the values that are the same in all of its trials.

    What files refer to becomes an argument too. So it is in the configuration's own list of arguments. Where a study
    writes (`runs`, `tracking`, `search`) stays as it is.
    """
    searched = _settings_of_search(config)
    written = [_written(argument, searched) for argument in arguments]
    swept = [str(o.key_or_group).replace("/", ".") for o in parse_overrides(written) if o.is_sweep_override()]
    swept += [str(key) for key in OmegaConf.select(config, "search.params") or ()]
    typed = {key_of(argument) for argument in written}
    for key, text in references(config):
        if key.partition(".")[0] in ("hydra", *NOT_TRAINED) or not _is_same_in_all_trials(text, searched):
            continue
        if key in typed or any(f"{key}.".startswith(f"{one}.") for one in swept):
            continue
        try:
            value = OmegaConf.select(config, key)
        except OmegaConfBaseException:  # whoever reads the key says what is wrong with it
            continue
        value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        written.append(setting(f"++{key}", value))
    with open_dict(config):
        config.hydra.overrides.task = written
    return written


def _settings_of_search(config: DictConfig) -> dict[str, Any]:
    """Those that are no references themselves."""
    node = OmegaConf.to_container(config.search, resolve=False) if "search" in config else {}
    assert isinstance(node, dict)
    return {str(name): value for name, value in node.items() if not any(is_reference(str(v)) for v in _leaves(value))}


def _written(argument: str, searched: dict[str, Any]) -> str:
    key, _, value = argument.partition("=")
    if key_of(argument).partition(".")[0] in NOT_TRAINED:
        return argument
    whole = _SEARCH.fullmatch(value.strip("'\""))
    if whole is not None and whole[1] in searched:
        return setting(key, searched[whole[1]])
    written = _SEARCH.sub(lambda found: str(searched.get(found[1], found[0])), argument)
    with_variables = _ENVIRONMENT.sub(_variable, written)
    if with_variables == written:
        return written
    return _QUOTED.sub(r"=\2", _DECODED.sub(r"\1", with_variables))


def _variable(found: re.Match[str]) -> str:
    """What a variable holds; as it was typed where it is not set, or would have to be quoted."""
    value = os.environ.get(found[1], found[2])
    return value if value and _PLAIN.fullmatch(value) else found[0]


def _is_same_in_all_trials(node: Any, searched: dict[str, Any]) -> bool:
    """Whether it refers to the environment or the search's settings, and to nothing else."""
    text = str(node)
    if any(name not in searched for name in _SEARCH.findall(text)):
        return False
    while (inner := _SAME_IN_ALL_TRIALS.sub("", text)) != text:
        text = inner
    return not is_reference(text) and ("oc.env:" in str(node) or "search." in str(node))


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
    """ConfigError for a value that follows from the job."""
    for value in values:
        if _JOB.search(str(value)):
            rule = "no value of a trial follows from the job's number or folder"
            raise ConfigError(f"`{rule}` must hold, but got {key}={value}.")


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
    if not is_reference(text) or _ONLY_ENVIRONMENT.fullmatch(text):
        return False
    if is_reference(_KEY.sub("", text)):  # of a resolver, or relative
        return len(keys) > 0
    targets = [f"{name}." for name in _KEY.findall(text)]
    return any(target.startswith(f"{key}.") or f"{key}.".startswith(target) for target in targets for key in keys)
