"""The page of a study: written to its folder and logged to its run."""

from __future__ import annotations

from pathlib import Path

from ridgeline.checking import require
from ridgeline.command_line.outputs import require_writable, write_whole
from ridgeline.config import Config
from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import gather
from ridgeline.report.page import render
from ridgeline.tracking import Tracker, check_store

PAGE = "report.html"


def write_report(config: Config) -> list[Path]:
    """Draw the page of `config.study`; where it is. Raises ConfigError before anything is written."""
    require(config.study is not None, "study=NAME is given", "study", "null")
    stored = open_study(config, str(config.study))
    check_store(stored.config)
    require_writable(stored.folder / PAGE, "runs")
    require_writable(config.report, "report")
    paths = [stored.folder / PAGE, *([Path(config.report)] if config.report is not None else [])]
    with Tracker(stored.config) as tracker:
        page = render(gather(stored, tracker.tags_of(stored.run_id) if stored.run_id else {}))
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, page)
        if stored.run_id is not None:
            tracker.reopen(stored.run_id).log_file(paths[0], "study")
    return paths
