"""All claims in order: measure each, draw it, write the page, record it as one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ridgeline import (
    Config,
    Tracker,
    bar_of,
    check_store,
    commit,
    describe_machine,
    json_text,
    load_splits,
    locked,
    look_at_run,
    require_writable,
    write_whole,
)
from ridgeline_recipes.case_study.running import FOLDER as CASE_STUDY
from ridgeline_recipes.claims.boundaries import boundaries
from ridgeline_recipes.claims.case_study import from_case_study
from ridgeline_recipes.claims.claim import Claim
from ridgeline_recipes.claims.corners import corners
from ridgeline_recipes.claims.descent import descent
from ridgeline_recipes.claims.examples import examples
from ridgeline_recipes.claims.lab import Compose, Lab
from ridgeline_recipes.claims.linear_range import linear_range
from ridgeline_recipes.claims.no_overfitting import no_overfitting
from ridgeline_recipes.claims.norms import norms
from ridgeline_recipes.claims.page import render
from ridgeline_recipes.claims.u_curve import u_curve
from ridgeline_recipes.claims.widths import widths
from ridgeline_recipes.claims.zeros import zeros

FOLDER = "claims"
"""The folder of the claims in the runs folder."""

EXPERIMENTS: tuple[Callable[[Lab], Claim], ...] = (
    descent,
    corners,
    zeros,
    norms,
    boundaries,
    linear_range,
    u_curve,
    widths,
    examples,
    no_overfitting,
)


def run(config: Config, compose: Compose, command: str) -> str:
    """The words to end with. Raises ConfigError before anything is written, FitsFailed where training fails."""
    check_store(config)
    folder = Path(config.runs).absolute() / FOLDER
    page = Path(config.claims.out or folder / "claims.md")
    require_writable(page, "claims.out", images=True)
    require_writable(folder / "claims.json", "runs")
    with locked(folder):
        started = time.monotonic()
        found = from_case_study(folder.parent / CASE_STUDY / "case_study.json")
        found += measure(Lab(compose, range(1, 1 + config.claims.seeds)))
        record = {
            "command": command,
            "seeds": config.claims.seeds,
            "claims": [{name: value for name, value in vars(claim).items() if name != "pictures"} for claim in found],
            "seconds": round(time.monotonic() - started, 1),
            "made": commit(),
            "machine": describe_machine(),
        }
        paths = write(found, record, folder, page)
        look = log(config, found, folder, paths)
    return "\n".join([*(f"{claim.sentence}  {claim.verdict}" for claim in found), f"written: {page}", f"Look: {look}"])


def measure(lab: Lab) -> list[Claim]:
    claims = []
    with bar_of(iterable=EXPERIMENTS, unit="claim") as bar:
        for experiment in bar:
            bar.set_description(experiment.__name__)
            claims.append(experiment(lab))
    return claims


def write(found: list[Claim], record: dict[str, Any], folder: Path, page: Path) -> list[Path]:
    """The page, its pictures in images/ beside it, the numbers in `folder`."""
    numbers, images = folder / "claims.json", page.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    pictures = []
    for claim in found:
        for name, (figure, _) in claim.pictures.items():
            pictures.append(images / f"claims_{name}.png")
            figure.savefig(pictures[-1])
    numbers.write_text(json_text(record))
    write_whole(page, render(found, record))
    return [page, numbers, *pictures]


def log(config: Config, found: list[Claim], folder: Path, paths: list[Path]) -> str:
    """One run with the verdicts as tags, and the files; where to look at it."""
    with Tracker(config) as tracker:
        run = tracker.start_trial(config, load_splits(config.data).description, folder)
        run.set_tags({"mlflow.source.name": "pipelines/claims.py"})
        run.set_tags({f"claim.{claim.name}": claim.verdict for claim in found})
        for path in paths:
            run.log_file(path, FOLDER)
        run.finish("COMPLETE")
        return look_at_run(config, run.id)
