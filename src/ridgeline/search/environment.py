"""Values of the environment (`${oc.env:NAME}`) are read once, where a study starts.

So they are part of what it is named after, stand in what it stores, and are in the command that trains a trial again;
another shell has other values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ridgeline.command_line.arguments import parse_overrides
from ridgeline.command_line.commands import key_of, setting
from ridgeline.config.batchable import NOT_TRAINED
from ridgeline.search.interpolations import is_reference, references

VALUE = re.compile(r"\$\\?\{oc\.env:([A-Za-z_]\w*)(?:,([\w.+/-]*))?\\?\}")
"""A variable, and what stands for one that is not set."""

DECODED = re.compile(r"\$\\?\{oc\.decode:([\w.+/-]+)\\?\}")
"""A value that Hydra's grammar reads by itself, once it stands there."""

QUOTED = re.compile(r"=(['\"])([\w.+/-]+)\1$")
"""A value in quotes, which would make text of a number."""

PURE = re.compile(r"\$\{oc\.(?:env|decode):[^${}]*\}")
"""What follows from the environment alone."""

PLAIN = re.compile(r"[\w.+/-]*")
"""Text that Hydra's grammar takes without quotes."""


def settle_environment(config: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments with the values of the environment put in, and those that files refer to added.

    They are the configuration's too. Where a study writes (`runs`, `tracking`, `search`) is no part of it.
    """
    settled = [_settled(argument) for argument in arguments]
    swept = [str(o.key_or_group).replace("/", ".") for o in parse_overrides(settled) if o.is_sweep_override()]
    typed = {key_of(argument) for argument in settled}
    for key, text in references(config):
        if not isinstance(text, str) or key.partition(".")[0] in ("hydra", *NOT_TRAINED) or not _is_pure(text):
            continue
        if key in typed or any(f"{key}.".startswith(f"{one}.") for one in swept):
            continue
        try:
            settled.append(setting(f"++{key}", OmegaConf.select(config, key)))
        except OmegaConfBaseException:  # whoever reads the key says what is wrong with it
            continue
    with open_dict(config):
        config.hydra.overrides.task = settled
    return settled


def _settled(argument: str) -> str:
    if key_of(argument).partition(".")[0] in NOT_TRAINED:
        return argument
    settled = VALUE.sub(_value, argument)
    return argument if settled == argument else QUOTED.sub(r"=\2", DECODED.sub(r"\1", settled))


def _value(found: re.Match[str]) -> str:
    """What a variable holds; as it was typed where it is not set, or would have to be quoted."""
    value = os.environ.get(found[1], found[2])
    return value if value and PLAIN.fullmatch(value) else found[0]


def _is_pure(text: str) -> bool:
    """Whether it refers to the environment, and to nothing else."""
    if "oc.env:" not in text:
        return False
    while (inner := PURE.sub("", text)) != text:
        text = inner
    return not is_reference(text)
