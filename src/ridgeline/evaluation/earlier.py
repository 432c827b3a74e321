"""What an earlier confirm has answered and the latest did not ask: it is kept where it is of the same networks.

A confirm may ask two questions beside the verdict, what averaging gains and which regularizers earn their place. Each
confirm writes its whole record; of the one before it keeps the answer to the other question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ridgeline.command_line.outputs import json_text
from ridgeline.evaluation.confirm_folder import RECORD
from ridgeline.evaluation.ensemble_record import CHAMPION

EARLIER = "earlier"
QUESTIONS = {"ensemble": "what averaging gains", "ablation": "which regularizers earn their place"}
"""By the key of confirm.json that has the answer."""


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of the confirm before; None: there was none, or it cannot be read."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    return record


def keep_answers(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record with the earlier answers that still hold, each with when and of how many trials it was asked.

    They hold where both networks, with their seeds, and what they do on the test split are the same to the last bit.
    """
    kept = {}
    for question in QUESTIONS:
        if question in record or not before or not _is_of_the_same(record, before):
            continue
        if question in before:
            known = {key: before["opening"].get(key) for key in ("when", "commit")}
            kept[question] = {**known, "trials": before["trials"], "answer": _of_then(before[question])}
        elif question in before.get(EARLIER, {}):
            kept[question] = before[EARLIER][question]
    return {**record, **({EARLIER: kept} if kept else {})}


def say_kept(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[str]:
    """A line for each answer that stays on the page, and for each that is of other networks and goes."""
    lines = []
    for question, words in QUESTIONS.items():
        if question in record.get(EARLIER, {}):
            when = record[EARLIER][question]["when"]
            lines.append(f"The page still says {words}, as asked on {when}: of the same networks and test split.")
        elif question not in record and before and (question in before or question in before.get(EARLIER, {})):
            lines.append(f"The page no longer says {words}: that was asked of other networks. MLflow keeps it.")
    return lines


def _of_then(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Without the sentence on which champion is registered, which may be another by now."""
    if "sentences" not in answer:
        return dict(answer)
    return {**answer, "sentences": [sentence for sentence in answer["sentences"] if sentence != CHAMPION]}


def _is_of_the_same(record: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return _networks(json.loads(json_text(record))) == _networks(before)


def _networks(record: Mapping[str, Any]) -> list[Any]:
    arms = [[arm.get(key) for key in ("config", "seeds", "test")] for arm in record["arms"].values()]
    return [record.get("figure"), record["opening"].get("test_hash"), arms]
