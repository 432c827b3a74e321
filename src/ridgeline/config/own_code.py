"""The source files of the user's own that a configuration's targets are in, and those that these import.

They decide a trial's numbers as much as Ridgeline's own code: a study is named after them, and keeps their text.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ridgeline.target import TARGET, is_own, targets_in


def own_targets(tree: Mapping[str, Any], arguments: Iterable[str] = ()) -> list[str]:
    """What a plain configuration, and arguments that may be sweeps, name of modules of the user's own, each once."""
    named = [str(path) for group, node in tree.items() if group != "hydra" for _, path in targets_in(node, group)]
    for argument in arguments:
        key, _, value = argument.lstrip("+~").partition("=")
        if key.endswith(f".{TARGET}") and not key.startswith("hydra."):
            named += re.findall(r"[\w.]+\.\w+", value)
    return [path for path in dict.fromkeys(named) if is_own(path)]


def own_packages(targets: Iterable[str]) -> list[str]:
    """Their packages, as `tracking.allowed_targets` has them."""
    return sorted({f"{path.partition('.')[0]}." for path in targets})


def own_sources(trees: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The text of each such file by its path, relative to the folder that its module is found from."""
    found: dict[str, str] = {}
    for tree in trees:
        folder = tree.get("import_path")
        for path in own_targets(tree):
            home = _home(path.partition(".")[0], folder)
            if home is not None:
                _follow(path, home, found)
    return dict(sorted(found.items()))


def digest(sources: Mapping[str, str]) -> str:
    """sha256 over names and texts."""
    return hashlib.sha256("".join(f"{name}\0{text}\0" for name, text in sources.items()).encode()).hexdigest()


def _home(module: str, folder: str | None) -> Path | None:
    """The folder that a module is in: the user's, or where Python finds it; None where it is no file."""
    spec = PathFinder.find_spec(module, [folder]) if folder is not None else None
    spec = spec or (find_spec(module) if module != "__main__" else None)
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or [])
    if not places:
        return None
    place = Path(places[0])
    return place.parents[1] if place.name == "__init__.py" else place.parent


def _follow(dotted: str, home: Path, found: dict[str, str]) -> None:
    """Add the file of a module, or of a name in one, with the packages around it and all that they import from here."""
    names = dotted.split(".")
    for end in range(1, len(names) + 1):
        path = home.joinpath(*names[:end])
        path = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        name = path.relative_to(home).as_posix()
        if not path.is_file() or name in found:
            continue
        found[name] = path.read_text(errors="replace")
        package = names[:end] if path.name == "__init__.py" else names[: end - 1]
        for other in imported(found[name], package):
            _follow(other, home, found)


def imported(text: str, package: Sequence[str] = ()) -> Iterator[str]:
    """What a source imports anywhere, by its full name; of `from a import b` both, for b may be a module."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # whoever imports it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*origin, alias.name]) for alias in node.names)
