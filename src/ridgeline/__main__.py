"""The console command `ridgeline`: each pipeline by its name, from any folder, and the MLflow UI.

`ridgeline train -m search=bayes` is `python pipelines/train.py -m search=bayes`, word by word. Nothing is imported here
that `ridgeline --help` would have to wait for.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from importlib.metadata import version

from ridgeline.checking import nearest
from ridgeline.command_line.places import CONSOLE, ROOT

PIPELINES = {
    "train": "one trial, or with -m a study of many",
    "confirm": "does regularization help? the study's best against the baseline, on the test split",
    "report": "a study as one HTML page",
    "predict": "a champion's predictions for a file, one row each",
    "prepare": "load and verify the data, and say what they are",
}
RECIPES = {
    "by_hand": "the network by hand, in NumPy, beside its Lightning twin",
    "case_study": "seven ways to regularize MNIST, over seeds, as one page",
    "claims": "what is taught about regularization, put to the test, as one page",
}
UI = {"ui": "the MLflow UI on what was recorded; runs=FOLDER, and options of `mlflow ui` such as --port 5001"}


def main() -> None:
    """Run the pipeline that is named first, with all other words."""
    if os.path.basename(sys.argv[0]) == "ridgeline":  # printed commands are then of this form, with this very path
        os.environ[CONSOLE] = os.path.abspath(sys.argv[0])
    name, words = sys.argv[1] if len(sys.argv) > 1 else "--help", sys.argv[2:]
    if name in ("-h", "--help", "help"):
        print(_help())
    elif name == "--version":
        print(f"ridgeline {version('ridgeline')}")
    elif name in UI:
        from ridgeline.command_line import ui

        ui.run(words)
    elif name in PIPELINES or name in RECIPES:
        _run(name, words)
    else:
        line = f"There is no command `ridgeline {name}`. {nearest(name, [*PIPELINES, *RECIPES, *UI])}"
        print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2)


def _run(name: str, words: Sequence[str]) -> None:
    script = str(ROOT / "pipelines" / f"{name}.py")
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")


def _help() -> str:
    """All commands, a line each."""
    groups = [_listed(group) for group in (PIPELINES, UI, RECIPES)]
    return (
        "Ridgeline finds how much regularization a neural network needs, and proves it.\n\n"
        "ridgeline COMMAND KEY=VALUE ...\n\n"
        f"{groups[0]}\n{groups[1]}\n\n{groups[2]}\n\n"
        "ridgeline train --help       the groups and examples; --cfg job shows every key\n"
        "ridgeline --version\n\n"
        "conf/ of the working directory is searched before Ridgeline's own."
    )


def _listed(commands: dict[str, str]) -> str:
    return "\n".join(f"  {name:12}{what}" for name, what in commands.items())


if __name__ == "__main__":
    main()
