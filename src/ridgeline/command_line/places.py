"""Where conf/ and pipelines/ lie, in a checkout or beside an installed package; where runs are kept without `runs=`."""

from __future__ import annotations

from pathlib import Path

_TOP = Path(__file__).resolve().parents[3]
_APP = Path(__file__).resolve().parents[2] / "ridgeline_app"
"""The folder beside the package where setup.py puts both; only a wheel has it."""

IS_CHECKOUT = not _APP.is_dir() and (_TOP / "conf" / "config.yaml").is_file() and (_TOP / "pipelines").is_dir()
"""Whether this code runs from the project's sources. Otherwise it was installed from a wheel."""

ROOT = _TOP if IS_CHECKOUT else _APP
"""conf/ and pipelines/ lie here."""

CONF = ROOT / "conf"

REVISION = ROOT / "revision.json"
"""The git revision that a wheel was built from; setup.py writes it."""

HOME = Path(str(ROOT).partition("/.dvc/tmp/exps/")[0])
"""The project that stays: ROOT, or the one it was made of if DVC made ROOT for an experiment and will remove it."""

RUNS = (HOME if IS_CHECKOUT else Path.cwd()) / "mlruns"
"""The runs folder that a pipeline has without `runs=` and RIDGELINE_RUNS. What is in it outlives an experiment of DVC.
Of an installed package it lies in the working directory at the start."""

STORE = "mlflow.db"
"""The MLflow store in a runs folder."""

CONSOLE = "RIDGELINE_COMMAND"
"""The environment variable that has the path of the console command `ridgeline`, where a process was started by it or
by one that was."""
