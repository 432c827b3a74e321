"""The user's own files of configuration come before ours, which are looked up after them.

conf/ in the working directory is Hydra's main folder then, as if `--config-path` had named it; so printed commands name
it too. The folder of `--config-dir` comes before either: Hydra itself would look there last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery

from ridgeline.command_line.places import CONF

_entered = False
"""Whether this process is a pipeline. In any other Hydra app of the environment the search path is its own affair."""

_named: Path | None = None
"""The folder of `--config-dir`."""


def own_conf() -> Path | None:
    """conf/ of the working directory, if it is there and not the project's own."""
    own = Path.cwd() / "conf"
    return own if own.is_dir() and not (CONF.is_dir() and own.samefile(CONF)) else None


def enter(named: str | None = None) -> Path:
    """The main folder of configuration of this pipeline; the one that is not ours is searched before ours.

    `named`: the folder of `--config-dir`.
    """
    global _entered, _named
    _entered, _named = True, Path(named).absolute() if named is not None else None
    return own_conf() or CONF


@contextmanager
def entered() -> Iterator[Path]:
    """The same for as long as the block lasts: a program of the user's may run Hydra apps of its own afterwards."""
    global _entered
    before, _entered = _entered, True
    try:
        yield own_conf() or CONF
    finally:
        _entered = before


def add_ours(search_path: ConfigSearchPath) -> bool:
    """Let ours be searched after a main folder that is another one, and a folder that was named before both.

    Returns whether this process is a pipeline.
    """
    main = next((element.path for element in search_path.get_path() if element.provider == "main"), None)
    if _entered and _named is not None:
        search_path.prepend("command-line", f"file://{_named}", anchor=SearchPathQuery(provider="main"))
    if _entered and main is not None and Path(main) != CONF:
        search_path.append("ridgeline", f"file://{CONF}", anchor=SearchPathQuery(provider="main"))
    return _entered
