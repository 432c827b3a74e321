"""`pipelines/confirm.py` as a whole: check, confirm, leave files in the study's folder and all of it in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ridgeline
from ridgeline.config import ConfirmConfig
from ridgeline.data import load_splits
from ridgeline.evidence.arms import BEST
from ridgeline.evidence.confirm import Confirmation, OpenTest, check, confirm
from ridgeline.evidence.files import FOLDER, closing_words, whole_record, write, write_summary
from ridgeline.evidence.stored import StoredStudy
from ridgeline.evidence.verdict import HARMS
from ridgeline.fitted import Fitted
from ridgeline.search.folder import locked
from ridgeline.tracking import Tracker, check_store
from ridgeline.tracking.champion import register_champion
from ridgeline.tracking.provenance import GIT_COMMIT, GIT_DIRTY, revision, versions

EXAMPLES = 5
"""Of the train part, which the champion shows as its input."""


def confirm_study(stored: StoredStudy, settings: ConfirmConfig, open_test: OpenTest) -> str:
    """The words to end with. Raises ConfigError before anything is written, FitsFailed where training fails."""
    check(stored)
    check_store(stored.config)
    known = revision(Path(ridgeline.__file__).parent)
    by = {"commit": known.get(GIT_COMMIT), "dirty": known.get(GIT_DIRTY) == "true"}
    with locked(stored.folder):
        found = confirm(stored, settings, open_test, by)
        folder = stored.folder / FOLDER
        record = whole_record(found, {**by, "versions": versions()})
        paths = write(found, record, folder)
        if settings.summary is not None:
            write_summary(found, Path(settings.summary))
        champion = "" if stored.run_id is None else _log(found, record, stored, stored.run_id, paths)
    return closing_words(found.record, folder) + champion


def _log(found: Confirmation, record: dict[str, Any], stored: StoredStudy, run_id: str, paths: list[Path]) -> str:
    """Numbers, verdict and files in the study's run; the best network as the champion, which the words name."""
    arm = found.arms[BEST]
    splits = load_splits(arm.config.data)
    fitted = Fitted(arm.config, arm.fits[0].weights, splits.scaling)
    example_NI = splits.scaling.undo(splits.train.x_NI[:EXAMPLES].numpy())
    with Tracker(stored.config) as tracker:
        run = tracker.reopen(run_id)
        run.log_metrics(dict(_numbers("confirm", found.record)))
        verdict = found.record["verdict"]
        run.set_tags({"verdict": verdict["word"], "verdict.sentence": verdict["sentence"]})
        for path in paths:
            run.log_file(path, FOLDER)
        if verdict["word"] == HARMS:
            return "\nNo champion: the plain network is better."
        registered = register_champion(tracker, run_id, fitted, example_NI, record)
    return f"\nChampion: models:/{registered.name}@champion, version {registered.version} (the first of the seeds)"


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
