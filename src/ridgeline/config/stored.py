"""Configurations that are read back from a store: a job's folder, an MLflow run, a registered model.

Whoever can write to a store could name any function of Python as a `_target_`. So those in a stored configuration must
lie in packages on a list; those that a user types may be anything.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import yaml

from ridgeline.checking import ConfigError
from ridgeline.config.trial import Config, parse
from ridgeline.quoting import pasted
from ridgeline.target import KNOWN, add_folder, targets_in

UNUSED = ("runs", "search", "tracking", "trial")
"""What a study has and its trials, trained again or served, do not use. Its sampler is Optuna's."""
OF_PREDICT: Mapping[str, Any] = {"model": None, "out": None, "keep": []}
"""What a configuration said for predict.py, and a stored one may still, before that had one of its own."""
RESOLVER = re.compile(r"\$\{[^{}]*:")
"""As in `${oc.env:SECRET}`, which reads what is none of a configuration's business."""


def read_stored(
    stored: Path | str,
    allowed: Sequence[str] = (),
    import_path: str | None = None,
    places: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """The checked configuration in a YAML file, or in YAML text; without `UNUSED`, which are as by default.

    References to other keys (`${metric}`) are resolved: Hydra stores them as they are.
    `allowed`: prefixes besides `KNOWN`, as in `tracking.allowed_targets`. `import_path` takes the stored one's place,
    and so do `places`, where the data lie: see `ridgeline.config.data`.
    Raises ConfigError, one line, where it cannot be read, names a target that is not allowed, or breaks a rule of
    `ridgeline.config`.
    """
    where = str(stored) if isinstance(stored, Path) else "the stored configuration"
    try:
        tree = yaml.load(stored.read_text() if isinstance(stored, Path) else stored, yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{where} cannot be read: {_reason(error)}") from error
    if not isinstance(tree, Mapping):
        raise ConfigError(f"`{where} is a group of keys` must hold, but got {' '.join(str(tree).split())[:80]}.")
    search = tree.get("search")
    tree = of_today({str(key): value for key, value in tree.items() if key not in UNUSED})
    if isinstance(search, Mapping) and search.get("direction") is not None:  # which decides what is restored
        tree.setdefault("goal", search["direction"])
    if "${" in str(tree):
        tree = _resolved(tree, where)
    if import_path is not None:
        tree["import_path"] = import_path
    if places:
        tree["data"] = {**tree["data"], **places}
    check_targets(tree, allowed)
    return parse(tree)


def of_today(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A stored mapping without what configurations said before, and no longer do."""
    return {key: value for key, value in tree.items() if key not in OF_PREDICT or value != OF_PREDICT[key]}


def check_targets(tree: Mapping[str, Any], allowed: Sequence[str] = ()) -> None:
    """Raise ConfigError at the first `_target_` outside of the packages `KNOWN` and `allowed`; `UNUSED` is let be."""
    prefixes = [prefix.rstrip(".") + "." for prefix in (*KNOWN, *allowed)]
    folder = tree.get("import_path")
    for key, target in targets_in({key: value for key, value in tree.items() if key not in UNUSED}):
        name = str(target)
        if not name.startswith(tuple(prefixes)):
            _refuse(key, name, prefixes, name, "")
        if isinstance(folder, str):  # of use for what is allowed alone: it comes last, and so hides no other package
            add_folder(folder)
        left = _outside(name, prefixes)
        if left is not None:
            _refuse(key, name, prefixes, left, f", which is of {left}")


def _resolved(tree: dict[str, Any], where: str) -> dict[str, Any]:
    from omegaconf import OmegaConf  # which a model that is served can do without
    from omegaconf.errors import OmegaConfBaseException

    found = RESOLVER.search(str(tree))
    if found is not None:
        rule = f"no resolver in {where}"
        raise ConfigError(f"`{rule}` must hold, but got {found[0]}...}}.")
    try:
        resolved: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where} cannot be read: {_reason(error)}") from error
    return resolved


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def _refuse(key: str, name: str, prefixes: Sequence[str], outside: str, how: str) -> None:
    rule = f"{key} of a stored configuration in {{{', '.join(prefixes)}}}"
    allow = pasted("tracking.allowed_targets", [f"{outside.partition('.')[0]}."])
    raise ConfigError(f"`{rule}` must hold, but got {key}={name}{how}. To allow it: {allow}.")


def _outside(name: str, prefixes: Sequence[str]) -> str | None:
    """The module that `name` leads to when it leaves the packages: `torch.os.system` is of `os`."""
    found: Any = None
    walked: list[str] = []
    for part in name.split("."):
        walked.append(part)
        path = ".".join(walked)
        try:
            found = importlib.import_module(path) if found is None else getattr(found, part)
        except ImportError as error:
            raise ConfigError(f"There is no {path}, which a stored configuration names: {error}") from error
        except AttributeError:
            found = _submodule(path, name)
        home = found.__name__ if isinstance(found, ModuleType) else getattr(found, "__module__", None)
        on_the_way = home == path and any(prefix.startswith(f"{path}.") for prefix in prefixes)
        if isinstance(home, str) and not (on_the_way or f"{home}.".startswith(tuple(prefixes))):
            return home
    return None


def _submodule(path: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ImportError as error:
        raise ConfigError(f"There is no {name}, which a stored configuration names.") from error
