"""What a study is asked for in Python, as overrides of Hydra's: the network, and the space that is searched."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from ridgeline.checking import ConfigError, require
from ridgeline.command_line.commands import key_of
from ridgeline.command_line.places import CONF
from ridgeline.quoting import setting
from ridgeline.target import TARGET

Range = Sequence[Any] | str | int | float | bool | None
"""What a key of the space may have: see `space_settings`."""


def space_settings(space: Mapping[str, Range] | None) -> list[str]:
    """The sweeps of these keys, and no others.

    A tuple is an interval: `(0.0, 0.7)`, `(1e-6, 1e-1, "log")`, of whole numbers `(1, 8)`. A list has the values to
    choose among, one of which may be an interval: `[0, (0.05, 0.6)]`. A text is a sweep in Hydra's own grammar, and
    anything else a value that is fixed.
    """
    if space is None:
        return []
    return ["~search.params", *(f"{key}={_sweep(key, given)}" for key, given in space.items())]


def _sweep(key: str, given: Range) -> str:
    if isinstance(given, tuple):
        is_log = len(given) == 3 and given[2] == "log"
        ends = given[:2]
        is_interval = len(given) == 2 or is_log
        is_interval = is_interval and all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends)
        require(is_interval, f'space["{key}"] as a tuple is (low, high) or (low, high, "log")', "space", given)
        interval = f"interval({ends[0]!r}, {ends[1]!r})"
        interval = f"int({interval})" if all(isinstance(end, int) for end in ends) else interval
        return f"tag(log, {interval})" if is_log else interval
    if isinstance(given, list):
        require(len(given) > 0, f'space["{key}"] as a list has a value', "space", given)
        if any(isinstance(value, tuple) for value in given):
            return ",".join(_sweep(key, value) for value in given)
        return f"choice({', '.join(_written(value) for value in given)})"
    return given if isinstance(given, str) else _written(given)


def _written(value: Any) -> str:
    return setting("", value.item() if hasattr(value, "item") else value)[1:]


def network_settings(network: Any) -> list[str]:
    """The settings of a network: the name of a file of conf/network, `mine.Net`, a mapping of the group's keys with or
    without a `_target_`, or a class that is in a file."""
    if network is None:
        return []
    if isinstance(network, Mapping):
        return [setting(f"network.{key}", value) for key, value in network.items()]
    if isinstance(network, str):
        known = (CONF / "network" / f"{network}.yaml").is_file() or "." not in network
        return [setting("network" if known else f"network.{TARGET}", network)]
    rule = "network is a name, MODULE.CLASS, a mapping with a _target_, or a class"
    require(isinstance(network, type), rule, "network", f"an object of {type(network).__name__}")
    return _of_class(network)


def _of_class(network: type) -> list[str]:
    """Worker processes import it, and so does whoever reads the study later."""
    path = f"{network.__module__}.{network.__qualname__}"
    if network.__module__ == "__main__" or "<locals>" in path:
        rule = "network is a class in a file of its own, which workers can import"
        raise ConfigError(f"`{rule}` must hold, but got network={path}: put it into mine.py, and import it from there.")
    settings = [setting(f"network.{TARGET}", path)]
    top = path.partition(".")[0]
    place = getattr(sys.modules.get(top), "__file__", None)
    if place is None or top in ("torch", "ridgeline") or "site-packages" in place:
        return settings
    folder = Path(place).parent.parent if Path(place).name == "__init__.py" else Path(place).parent
    return [*settings, *([setting("import_path", folder)] if folder != Path.cwd() else [])]


def listed(overrides: Sequence[str]) -> list[str]:
    """The overrides, of which a text alone is no list: its letters would be."""
    require(not isinstance(overrides, str), 'overrides is a list of arguments, ["KEY=VALUE"],', "overrides", overrides)
    return list(overrides)


def given_value(overrides: Sequence[str], key: str) -> str | None:
    """What the last override of a key says."""
    found = [override for override in overrides if key_of(override) == key]
    return str(OverridesParser.create().parse_override(found[-1]).value()) if found else None


def merged(ours: Iterable[str], overrides: Sequence[str]) -> list[str]:
    """The user's overrides after ours, without those of ours that they replace."""
    replaced = {key_of(override) for override in overrides}
    return [*(override for override in ours if key_of(override) not in replaced), *overrides]
