"""Every command that is printed, logged, written into MLflow or put onto a page is made here, so that it can be pasted.

A command is read by two grammars: the shell's, and Hydra's for each argument. `ridgeline.quoting` quotes for Hydra,
`command` for the shell.

A command is short where the project's own folder is the working directory and `python` is the one that runs;
anywhere else, and in what is read later, it names the interpreter and the script by their absolute paths.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser

from ridgeline.command_line.composed import as_typed
from ridgeline.command_line.places import CONF, CONSOLE, HOME, IS_CHECKOUT, RUNS, STORE
from ridgeline.quoting import setting

WHERE_TO_WRITE = re.compile(r"[+~]*hydra\.(run|sweep|mode|output_subdir)\b")
"""Settings of Hydra that another start has its own of."""

Where = Literal["here", "anywhere", "project"]


def command(pipeline: str | Path, *arguments: str, where: Where = "here") -> str:
    """The shell command that runs `pipelines/NAME.py`, or a script by its path, with these arguments. It is
    `ridgeline NAME` where this process was started so, and where there is no checkout.

    `where` it will be pasted. Here: now, in this shell, so that it may be short. Anywhere: it depends on no working
    directory and on no activated environment. Project: documentation, which is read in the project's own folder.
    """
    if not isinstance(pipeline, Path) and (console := _console(where)):
        return shlex.join([*console, pipeline, *arguments])
    script = pipeline if isinstance(pipeline, Path) else HOME / "pipelines" / f"{pipeline}.py"
    if script.is_relative_to(HOME) and (where == "project" or (where == "here" and _is_home())):
        return shlex.join(["python", str(script.relative_to(HOME)), *arguments])
    return shlex.join([sys.executable, str(script), *arguments])


def called(script: Path) -> str:
    """What the user typed to start this pipeline: `train.py`, or `ridgeline train`."""
    return f"ridgeline {script.stem}" if _console("project") else script.name


def look_at(store: Path, *, where: Where = "here") -> str:
    """The shell command that starts the MLflow UI on the SQLite file `store`."""
    if console := _console(where):
        is_usual = store.name == STORE
        place = runs_setting(store.parent) if is_usual else [setting("tracking.uri", f"sqlite:///{store}")]
        return shlex.join([*console, "ui", *place])
    if store == RUNS / STORE and shutil.which("make"):
        return "make ui" if where == "here" and Path.cwd() == HOME else shlex.join(["make", "-C", str(HOME), "ui"])
    return shlex.join([sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{store}"])


def upgrade(store: Path) -> str:
    """The advice for an SQLite file of an older MLflow."""
    command = shlex.join([sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{store}"])
    return f"Keep a copy of it, then: {command}"


def key_of(override: str) -> str:
    """The key that an override sets, adds or deletes."""
    return override.lstrip("+~").partition("=")[0]


def started_with(hydra: Any) -> tuple[list[str], list[str]]:
    """How a pipeline was started, beside the settings of its task: the options that name its configuration, and the
    settings of Hydra itself. Paths are absolute; what says where it writes is left out.

    `hydra`: that node of what was composed, or of what a study has stored.
    """
    options = list[str]()
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line":
            options.append(f"--config-dir={source.path}")
        if source.provider == "main" and Path(source.path) != CONF:
            options.append(f"--config-path={source.path}")
    if hydra.job.config_name not in (None, "config"):
        options.append(f"--config-name={hydra.job.config_name}")
    own = [o for o in as_typed(hydra.overrides.hydra) if not WHERE_TO_WRITE.match(o)]
    listed = [s for s in hydra.runtime.config_sources if s.provider == "hydra.searchpath in main"]
    if any(s.schema == "file" and not Path(s.path).is_absolute() for s in listed):  # a file's, relative to where it ran
        own.append(setting("hydra.searchpath", [f"{s.schema}://{s.path}" for s in listed]))
    options = list(dict.fromkeys(options))  # Hydra looks into a folder of --config-dir a second time, after all others
    return options, [_absolute_searchpath(o, Path(hydra.runtime.cwd)) for o in own]


def start_again(hydra: Any, runs: str, more: Mapping[str, Any]) -> str:
    """The shell command that starts this single run again, with `more` settings. `hydra`: as for `started_with`."""
    options, own = started_with(hydra)
    typed = [o for o in as_typed(hydra.overrides.task) if key_of(o) not in (*more, "runs")]
    given = [*options, *own, *runs_setting(runs), *typed, *(setting(key, value) for key, value in more.items())]
    return command("train", *given)


def _absolute_searchpath(override: str, base: Path) -> str:
    key, _, _ = override.partition("=")
    if key.lstrip("+") != "hydra.searchpath":
        return override
    entries = OverridesParser.create().parse_override(override).value()
    assert isinstance(entries, list)  # Hydra has read it
    kept = []
    for entry in map(str, entries):
        scheme, found, path = entry.partition("://")
        is_file = not found or scheme == "file"
        kept.append(f"file://{base / (path if found else entry)}" if is_file else entry)
    return setting(key, kept)


def runs_setting(runs: str | Path) -> list[str]:
    """The argument that names this runs folder; none where a new shell means it anyway."""
    folder = Path(runs).absolute()
    if not IS_CHECKOUT:  # the usual one is that of the working directory
        return [setting("runs", folder)]
    usual = Path(os.environ.get("RIDGELINE_RUNS") or RUNS).absolute()
    return [] if folder == RUNS == usual else [setting("runs", folder)]


def _console(where: Where) -> list[str]:
    """The words that `ridgeline` is called by; none in a checkout whose scripts are started by their paths."""
    started = os.environ.get(CONSOLE)
    if not started and IS_CHECKOUT:
        return []
    if where == "project":
        return ["ridgeline"]
    if not started:  # Python's own, without a console command: a notebook, `python -m ridgeline`
        return [sys.executable, "-m", "ridgeline"]
    found = shutil.which("ridgeline")
    return ["ridgeline" if where == "here" and found and os.path.abspath(found) == started else started]


@functools.cache
def _interpreter() -> bool:
    """Whether `python` on the path is the interpreter that runs."""
    found = shutil.which("python")
    if found is None:
        return False
    # Environments share one binary, so folders are compared, in which several names may be the same program.
    ours = os.path.realpath(os.path.dirname(sys.executable))
    return os.path.realpath(os.path.dirname(found)) == ours and os.path.realpath(found) == os.path.realpath(
        sys.executable
    )


def _is_home() -> bool:
    return Path.cwd() == HOME and _interpreter()
