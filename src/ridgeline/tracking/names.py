"""Names of runs, metrics and params in MLflow, chosen so that a list of them can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from ridgeline.command_line.numbers import short

LONGEST_NAME, LONGEST_VALUE = 120, 24
OVERRIDES = Path(".hydra") / "overrides.yaml"
"""The file in a job's folder that lists what was typed or swept."""

LAST = {"final/": "values/", "fold/": "values/fold/", "confirm/": "verdict/"}
"""The UI draws the metrics of one prefix after the other, in alphabetical order. So what is one number, and no curve,
gets a prefix that comes after `train/` and `val/`."""


REFUSED = re.compile(r"[^\w\-. :/]")


def metric_name(name: str) -> str:
    """`values/val_loss` of `final/val_loss`. A module of the user's own may log names that MLflow refuses: `acc@5`."""
    name = REFUSED.sub("_", name)
    for prefix, last in LAST.items():
        if name.startswith(prefix):
            return last + name.removeprefix(prefix)
    return name


def mlflow_key(key: str) -> str:
    """A key as MLflow takes it: `optimizer:other` of Hydra's `optimizer@other`."""
    return key.replace("@", ":")


def overrides_in(job_dir: Path) -> dict[str, str]:
    """Key and value of each override of a job, in their order; none where Hydra left no file."""
    try:
        lines = yaml.load((job_dir / OVERRIDES).read_text(), yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    parted = (str(line).lstrip("+").partition("=") for line in lines or [])
    return {key: value.strip("'\"") for key, _, value in parted}


def run_place(job_dir: Path, number: int | None = None) -> str:
    """The beginning of a run's name: the part that is known before the store is asked."""
    return f"run {job_dir.name}" if number is None else f"trial {number:03d}"


def run_name(place: str, tried: Mapping[str, str]) -> str:
    """`trial 043 l2 1.8e-3 dropout 0.03`: what was tried, by the ends of its keys."""
    name = place
    for key, end in zip(tried, _ends(list(tried)), strict=True):
        longer = f"{name} {end} {_shown(tried[key])}"
        if len(longer) > LONGEST_NAME:
            return f"{name} ..."
        name = longer
    return name


def _ends(keys: Sequence[str]) -> list[str]:
    """The last part of each key, or as many as tell it from the others."""
    return [_end(key, [other for other in keys if other != key]) for key in keys]


def _end(key: str, others: Iterable[str]) -> str:
    parts = key.split(".")
    for n in range(1, len(parts)):
        end = ".".join(parts[-n:])
        if not any(other == end or other.endswith(f".{end}") for other in others):
            return end
    return key


def _shown(value: str) -> str:
    """A number with few digits; another text, cut if it is long."""
    try:
        return short(float(value))
    except ValueError:
        return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 3]}..."
