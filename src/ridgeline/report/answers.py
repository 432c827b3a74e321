"""The questions that a confirm may ask beside the verdict: the answer of the latest, or of an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ridgeline.report import notation


@dataclass(frozen=True)
class Answer:
    """`found`: as confirm.json has it. `asked`: in words, by which earlier confirm; empty: by the latest."""

    found: Mapping[str, Any]
    asked: str = ""


def answer_to(question: str, record: Mapping[str, Any]) -> Answer | None:
    """`question`: ensemble or ablation. None: nobody has asked it of these networks."""
    if question in record:
        return Answer(record[question])
    earlier = record.get("earlier", {}).get(question)
    if earlier is None:
        return None
    when, revision = notation.moment(earlier["when"]), notation.revision(earlier["commit"])
    trials = f", when the study had {notation.counted(earlier['trials'], 'trial')}"
    then = trials if earlier["trials"] != record["trials"] else ""
    asked = f"Asked by an earlier confirm, which opened the test split on {when}, revision {revision}{then}."
    return Answer(earlier["answer"], f"{asked} Both networks and the test split are those of the verdict above.")
