"""Paths in a configuration are absolute from the start: a study is found again from any working directory.

Jobs may run in folders of their own (`hydra.job.chdir=true`), on other machines, or later; a relative path would mean
another place in each of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError
from ridgeline.command_line.commands import key_of
from ridgeline.command_line.composed import as_typed, unresolved
from ridgeline.config.data import PLACES
from ridgeline.config.own_code import own_targets
from ridgeline.quoting import setting

IMPORT_PATH = "import_path"
ROOT_DIR = "paths.root_dir"
"""What files of another project refer to; elsewhere it would be another folder."""
DATA = tuple(f"data.{name}" for name in PLACES)
FILES = (
    "runs",
    IMPORT_PATH,
    ROOT_DIR,
    "prepare.summary",
    "prepare.sheet",
    *DATA,
    "trainer.ckpt_path",
    "search.summary",
    "confirm.summary",
    "case_study.out",
    "claims.out",
    "report",
    "out",
)
STORAGE, STORE, STUDY = "search.storage", "tracking.uri", "study"
PATHS = (*FILES, STORAGE, STORE, STUDY)
"""Every key that may be a path. A storage may be a URL, a store is one, a study may be a name."""

OF_JOBS = ("runs", IMPORT_PATH, ROOT_DIR, *DATA, "trainer.ckpt_path", STORE)
"""The paths that each job of a study reads."""

SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!file:)([^?]+)(.*)", re.DOTALL)


def absolute(key: str, value: Any, base: Path | None = None) -> Any:
    """The value of one of `PATHS` with `~` and the working directory (or `base`) put in; anything else as it is."""
    if not isinstance(value, str) or value.strip() in ("", ":memory:"):
        return value
    if key in (STORAGE, STORE) and (file := SQLITE.fullmatch(value)) is not None:
        return value if file[2] == ":memory:" else f"{file[1]}{_place(key, file[2], base)}{file[3]}"
    is_name = key == STORE or (key == STORAGE and "://" in value) or (key == STUDY and not value.endswith(".json"))
    return value if is_name else _place(key, value, base)


def _place(key: str, path: str, base: Path | None) -> str:
    try:
        return os.path.abspath((base or Path.cwd()) / Path(path).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"`the user of ~ has a home` must hold, but got {key}={path}.") from error


def with_absolute_paths(tree: dict[str, Any], base: Path | None = None) -> dict[str, Any]:
    """A plain configuration, changed in place."""
    if tree.get(IMPORT_PATH) is None and own_targets(tree):
        tree[IMPORT_PATH] = str(base or Path.cwd())
    for key in PATHS:
        *groups, name = key.split(".")
        node: Any = tree
        for group in groups:
            node = node.get(group) if isinstance(node, dict) else None
        if isinstance(node, dict) and name in node:
            node[name] = absolute(key, node[name], base)
    return tree


def settle(config: DictConfig, arguments: Sequence[str] | None = None) -> list[str]:
    """Make the paths of what Hydra composed absolute, and those of the arguments, from which it composes each job.

    `arguments`: those of the task, if they are others than the configuration says. As they are now, they are in it too.
    A path that a file gave becomes one of them.
    """
    settled = as_typed(config.hydra.overrides.task) if arguments is None else list(arguments)
    for key in PATHS:
        if key == ROOT_DIR and not _refers_to_paths(config):
            continue
        try:
            given = OmegaConf.select(config, key)
        except OmegaConfBaseException:  # whoever reads the key says what is wrong with it
            continue
        is_missing = key == IMPORT_PATH and given is None and own_targets(unresolved(config), settled)
        place = str(Path.cwd()) if is_missing else absolute(key, given)
        if place == given:
            continue
        with open_dict(config):
            OmegaConf.update(config, key, place.replace("${", "\\${"))
        typed = [i for i, argument in enumerate(settled) if key_of(argument) == key]
        for i in typed:
            prefix = settled[i][: len(settled[i]) - len(settled[i].lstrip("+"))]
            settled[i] = prefix + setting(key, place)
        if not typed and key in OF_JOBS:
            settled.append(setting(f"++{key}", place))
    config.hydra.overrides.task = settled
    return settled


def _refers_to_paths(config: DictConfig) -> bool:
    return "${paths." in str({key: node for key, node in unresolved(config).items() if key != "paths"})


def readable(argument: str) -> str:
    """A path as it was typed, quoted where Hydra's grammar has no such character: `~`, `é`, `=`, `(`."""
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATHS:
        return argument
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return setting(key, value)
    return argument
