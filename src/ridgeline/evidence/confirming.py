"""`pipelines/confirm.py` as a whole: check, confirm, leave files in the study's folder and all of it in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ridgeline
from ridgeline.config import ConfirmConfig
from ridgeline.evidence.confirm import Confirmation, OpenTest, check, confirm
from ridgeline.evidence.files import FOLDER, closing_words, write, write_summary
from ridgeline.evidence.stored import StoredStudy
from ridgeline.search.folder import locked
from ridgeline.tracking import Tracker, check_store
from ridgeline.tracking.provenance import GIT_COMMIT, GIT_DIRTY, revision, versions


def confirm_study(stored: StoredStudy, settings: ConfirmConfig, open_test: OpenTest) -> str:
    """The words to end with. Raises ConfigError before anything is written, FitsFailed where training fails."""
    check(stored)
    check_store(stored.config)
    known = revision(Path(ridgeline.__file__).parent)
    by = {"commit": known.get(GIT_COMMIT), "dirty": known.get(GIT_DIRTY) == "true"}
    with locked(stored.folder):
        found = confirm(stored, settings, open_test, by)
        folder = stored.folder / FOLDER
        paths = write(found, {**by, "versions": versions()}, folder)
        if settings.summary is not None:
            write_summary(found, Path(settings.summary))
        if stored.run_id is not None:
            _log(found, stored, paths)
    return closing_words(found.record, folder)


def _log(found: Confirmation, stored: StoredStudy, paths: list[Path]) -> None:
    assert stored.run_id is not None
    with Tracker(stored.config) as tracker:
        run = tracker.reopen(stored.run_id)
        run.log_metrics(dict(_numbers("confirm", found.record)))
        verdict = found.record["verdict"]
        run.set_tags({"verdict": verdict["word"], "verdict.sentence": verdict["sentence"]})
        for path in paths:
            run.log_file(path, FOLDER)


def _numbers(prefix: str, record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, arm in record["arms"].items():
        for key in ("error", "loss"):
            yield f"{prefix}/{name}/test_{key}", arm["test"][key]["mean"]
        yield f"{prefix}/{name}/ece", arm["test"]["ece"]
        yield f"{prefix}/{name}/gap", arm["gap"]["mean"]
    for key in ("error", "loss"):
        yield f"{prefix}/difference/test_{key}", record["difference"][key]["mean"]
        yield f"{prefix}/difference/test_{key}_low", record["difference"][key]["low"]
        yield f"{prefix}/difference/test_{key}_high", record["difference"][key]["high"]
    yield f"{prefix}/p_value", record["difference"]["error"]["p_value"]
