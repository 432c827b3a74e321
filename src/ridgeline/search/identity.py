"""What makes two studies the same: the definition, its hash in the default name, and what differs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ridgeline.checking import require
from ridgeline.config import Config
from ridgeline.config.deciding import NOT_TRAINED, NOTHING, NOTHING_OF_A_SEARCH
from ridgeline.config.own_code import digest
from ridgeline.search.space import Dimension

AFTERWARDS = ("api", "evaluation", "report")
"""Folders of the package on which no trial's numbers depend: they come after a study, or only ask for one."""

OWN_CODE = "own_code"
REVISIONS = ("code", OWN_CODE, "torch", "optuna")
"""Parts of a study's definition that may change while it goes on.

They are in its default name, so that without a name of the user's another version begins another study. A study that
the user named goes on, with a warning."""


def definition(
    tree: Mapping[str, Any],
    config: Config,
    space: Sequence[Dimension],
    data: Sequence[str],
    own_code: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """All that a study's results follow from, as it is stored with the study. `data`: the hashes of its data.

    `own_code`: the user's own source files, of which it has the hashes.
    """
    left_out = (*NOT_TRAINED, "metric", *(["model"] if config.model is None else []))
    fixed = {key: value for key, value in tree.items() if key not in left_out}
    flat = _flat({**fixed, "search": {k: v for k, v in tree["search"].items() if k not in NOTHING_OF_A_SEARCH}})
    swept = {d.key for d in space}
    return {
        "config": {key: value for key, value in flat.items() if key not in {*swept, *NOTHING}},
        "space": {name: drawn for d in space for name, drawn in d.definition.items()},
        "metric": config.metric,
        "data": list(data),
        "code": code_hash(),
        **({OWN_CODE: {name: digest({name: text}) for name, text in own_code.items()}} if own_code else {}),
        "torch": version("torch"),
        "optuna": version("optuna"),
    }


def code_hash(package: Path | None = None) -> str:
    """sha256 over the names and bytes of the package's modules, but those that come after a study."""
    package = package or Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if path.relative_to(package).parts[0] in AFTERWARDS or not all(part.isidentifier() for part in parts):
            continue  # an editor's lock (.#noise.py), a notebook's checkpoint, a copy: nothing that can be imported
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_name(chosen: str | None) -> None:
    """Raise ConfigError unless the user's name, if there is one, can be a study's."""
    if chosen is None:
        return
    rule = "search.study_name is letters, digits, . _ -"
    require(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", chosen) is not None, rule, "search.study_name", chosen)
    rule = "search.study_name does not end in .json"  # study=NAME.json is a summary's path
    require(not chosen.endswith(".json"), rule, "search.study_name", chosen)
    rule = "len(search.study_name) <= 200"  # the name of a folder
    require(len(chosen) <= 200, rule, "len(search.study_name)", len(chosen))


def study_name(config: Config, defined: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> str:
    """The name that the user chose, or one that is the same whenever the definition is.

    `names`: those of all data sets and networks in the study, under `data` and `network`.
    """
    if config.search.study_name is not None:
        return config.search.study_name
    digest = hashlib.sha256(json.dumps(defined, sort_keys=True).encode()).hexdigest()[:8]
    words = [config.search.name, "_".join(names["data"]), "_".join(names["network"])]
    return "-".join([*(re.sub(r"[^A-Za-z0-9._]", "_", word) for word in words), digest])


def revised(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The parts of `REVISIONS` that differ between two definitions of a study; of the user's own code, the files."""
    changed = [part for part in REVISIONS if old.get(part, {}) != new.get(part, {})]
    before, now = old.get(OWN_CODE, {}), new.get(OWN_CODE, {})
    files = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return [f"your {', '.join(files)}" if part == OWN_CODE else part for part in changed]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """`key was x, is y` for each part of two definitions that differs."""
    before, after = _flat(old), _flat(new)
    keys = [*after, *(key for key in before if key not in after)]
    absent = "nothing"
    return [
        f"{key} was {before.get(key, absent)}, is {after.get(key, absent)}"
        for key in keys
        if before.get(key, absent) != after.get(key, absent)
    ]


def _flat(node: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, name))
        else:
            flat[name] = value
    return flat
