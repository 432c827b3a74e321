"""The page, its picture, the numbers, the MLflow run, and the words that the case study ends with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ridgeline import Config, Tracker, counted, json_text, load_splits, write_whole
from ridgeline_recipes.case_study.measuring import SPLITS
from ridgeline_recipes.case_study.page import render
from ridgeline_recipes.case_study.picture import variants_figure
from ridgeline_recipes.case_study.results import Results


def write(results: Results, folder: Path, page: Path) -> list[Path]:
    """The page, its picture in images/ beside it, the numbers in `folder`."""
    picture, numbers = page.parent / "images" / f"{page.stem}.png", folder / "case_study.json"
    picture.parent.mkdir(parents=True, exist_ok=True)
    title = f"{results.record['data']['name']}: means over {counted(len(results.record['seeds']), 'seed')}"
    variants_figure(results.histories, title).savefig(picture)
    numbers.write_text(json_text(results.record))
    write_whole(page, render(results.record, f"images/{picture.name}"))
    return [page, picture, numbers]


def log(results: Results, baseline: Config, paths: Sequence[Path]) -> None:
    """One run with the numbers, the verdicts as tags, and the files."""
    folder = paths[-1].parent
    with Tracker(baseline) as tracker:
        run = tracker.start_trial(baseline, load_splits(baseline.data).description, folder)
        for row in results.record["variants"]:
            for split in SPLITS:
                key = f"case_study/{row['name']}/{split}_accuracy"
                run.log_metrics({key: row[split]["accuracy"]["mean"]})
                if row[split]["gain"] is not None:
                    run.log_metrics({f"{key}_gain": row[split]["gain"]["mean"]})
        run.set_tags({_named(claim): claim["validation"]["verdict"] for claim in results.record["claims"]})
        for path in paths:
            run.log_file(path, folder.name)
        run.finish("COMPLETE")


def closing_words(results: Results, paths: Sequence[Path]) -> str:
    """The last words: each claim with its verdict, the files, whether `tuned` in conf/ has what was found."""
    lines = [f"{_named(claim)}  {claim['validation']['verdict']}" for claim in results.record["claims"]]
    tuned = results.record["search"]
    if not tuned["in_conf"]:
        values = f"l2: {tuned['l2']!r}, dropout: {tuned['dropout']!r}"
        lines.append(f"conf/experiment/case_study/tuned.yaml has other values than the search found: {values}")
    return "\n".join([*lines, *(f"written: {path}" for path in paths)])


def _named(claim: dict[str, str]) -> str:
    """The claim as the name of a tag, which takes no brackets and no comma."""
    return f"{claim['claim']}: {claim['reading']}" if claim["reading"] else claim["claim"]
