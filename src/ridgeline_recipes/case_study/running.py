"""The case study as a whole: search, train what is not there, open the test split once, write it all down."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ridgeline import (
    LEDGER,
    Config,
    DataConfig,
    FitResult,
    FitsFailed,
    Split,
    bar_of,
    best_settings,
    check_store,
    commit,
    count_workers,
    counted,
    load_splits,
    locked,
    open_study,
    ran,
    require_writable,
    seconds,
    start_workers,
    train_all,
    wall_seconds,
)
from ridgeline_recipes.case_study.duration import expected_seconds
from ridgeline_recipes.case_study.kept import KeptFit, kept_fit
from ridgeline_recipes.case_study.results import Fits, distinct, gather
from ridgeline_recipes.case_study.variants import BASELINE, TUNED, tune
from ridgeline_recipes.case_study.writing import closing_words, log, write

FOLDER = "case_study"
"""The folder of the case study in the runs folder."""

OpenTest = Callable[[DataConfig, Path, Mapping[str, Any]], tuple[Split, Any]]
"""Gives the test split and how it was opened, and writes that into the ledger; pipelines/case_study.py alone has it."""

Search = Callable[[Path], None]
"""Runs the study that `tuned` is the best of, or goes on with it, and leaves its summary in that file."""


def run(configs: Mapping[str, Config], search: Search, open_test: OpenTest, command: str) -> str:
    """The words to end with. Raises ConfigError before anything is written, FitsFailed where training fails."""
    baseline = configs[BASELINE]
    check_store(baseline)
    for config in configs.values():
        load_splits(config.data)
    folder = Path(baseline.runs).absolute() / FOLDER
    page = Path(baseline.case_study.out or folder / "case_study.md")
    require_writable(page, "case_study.out", images=True)
    for path in (folder / "case_study.json", folder.parent / LEDGER):
        require_writable(path, "runs")
    with locked(folder):
        print(plan(configs, folder), file=sys.stderr, flush=True)
        configs, searched = _search(configs, search, folder / "search.json")
        fits = fits_of(configs, folder)
        train(fits)
        opening = test(fits, open_test, baseline, folder)
        results = gather(configs, fits, searched, opening, command)
        paths = write(results, folder, page)
        log(results, baseline, paths)
    return closing_words(results, paths)


def fits_of(configs: Mapping[str, Config], folder: Path) -> Fits:
    """Seeds count from 1: that of the search is 0."""
    seeds = range(1, 1 + configs[BASELINE].case_study.seeds)
    return {name: [kept_fit(folder, replace(config, seed=seed)) for seed in seeds] for name, config in configs.items()}


def plan(configs: Mapping[str, Config], folder: Path) -> str:
    """One line: how much is to be done, and how long it will take."""
    baseline = configs[BASELINE]
    workers = count_workers(baseline)
    missing = [fit.config for fit in distinct(fits_of(configs, folder)) if not fit.is_there]
    trials = 0 if (folder / "search.json").exists() else baseline.case_study.n_trials
    expected = expected_seconds([*missing, *[baseline] * trials], workers)
    work = f"{counted(trials, 'trial')} to search, at most {counted(len(missing), 'fit')} to train"
    return f"Case study: {work}; about {seconds(expected)} on {counted(workers, 'worker')}."


def _search(configs: Mapping[str, Config], search: Search, summary: Path) -> tuple[dict[str, Config], dict[str, Any]]:
    """The configurations with the best of the search as `tuned`, and what there is to say of it."""
    search(summary)
    stored = open_study(configs[BASELINE], str(summary))
    trials = ran(stored.study)
    best = best_settings(trials, stored.study.direction)
    if not best:
        raise FitsFailed(f"The study {stored.name} has no complete trial, so nothing is tuned.")
    l2, dropout = (float(best[0].params[f"regularization.{name}"]) for name in ("l2", "dropout"))
    tuned = configs[TUNED].regularization
    searched = {
        "study": stored.name,
        "trials": len(trials),
        "trial": best[0].trial.number,
        "l2": l2,
        "dropout": dropout,
        "accuracy": 1 - best[0].value,
        "seconds": round(wall_seconds(trials), 1),
        "in_conf": (l2, dropout) == (tuned.l2, tuned.dropout),
    }
    return tune(configs, l2, dropout), searched


def train(fits: Fits) -> None:
    """Train the fits that are not there, and keep each when it ends. Raises FitsFailed, at the end, if some diverge."""
    missing = [fit for fit in distinct(fits) if not fit.is_there]
    if not missing:
        return
    torch.set_num_threads(1)  # as workers have it, so that the same machine gives the same bits
    last = time.monotonic()

    def keep(number: int, result: FitResult) -> None:
        nonlocal last
        now = time.monotonic()
        missing[number].keep(result, now - last)
        last = now

    with start_workers(missing[0].config) as workers, _bar(len(missing), "training") as bar:
        outcomes = train_all([fit.config for fit in missing], workers, bar.update, keep)
    reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if reasons:
        raise FitsFailed(f"{len(reasons)} of {len(missing)} fits failed: {reasons[0]}.")


def test(fits: Fits, open_test: OpenTest, baseline: Config, folder: Path) -> dict[str, Any]:
    """Measure each fit that is not; the last opening of the test split that was made for one."""
    path = folder / "opening.json"
    untested: list[KeptFit] = [fit for fit in distinct(fits) if not fit.is_tested]
    if untested:
        # Opened once, and as it is: each fit sees it scaled as what it trained on.
        by = {"study": FOLDER, **commit()}
        part, opening = open_test(replace(baseline.data, standardize="none"), folder.parent / LEDGER, by)
        path.write_text(json.dumps(asdict(opening)))
        with _bar(len(untested), "test split") as bar:
            for fit in untested:
                scaler = load_splits(fit.config.data).scaler
                fit.test(torch.from_numpy(scaler.apply(part.x_NI.numpy())), part.y_N)
                bar.update()
    opened: dict[str, Any] = json.loads(path.read_text())
    return opened


def _bar(total: int, description: str) -> Any:
    return bar_of(total=total, desc=description, unit="fit")
