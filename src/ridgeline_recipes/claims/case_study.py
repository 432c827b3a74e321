"""The claims that the case study has put to the test, from the numbers that it left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ridgeline import command
from ridgeline_recipes.claims.claim import Claim
from ridgeline_recipes.rules import UNTESTED

NAMES = {
    "L2 helps": "l2_helps",
    "L1 does not help": "l1_does_not_help",
    "dropout helps a little": "dropout_helps_a_little",
    "augmentation helps most": "augmentation_helps_most",
    "early stopping ends after about 5 epochs": "early_stopping_ends_early",
}
RULES = {
    "L2 helps": "the gain in accuracy over the baseline is above 0",
    "L1 does not help": "the gain is nowhere above 0",
    "dropout helps a little": "the gain is between 0 and 1 point",
    "augmentation helps most": "the gain over each of the other variants is above 0",
    "early stopping ends after about 5 epochs": "it ends after 4 to 6 epochs on average",
}
COMMAND = command("case_study", "data.root=FOLDER", where="project")


def from_case_study(path: Path) -> list[Claim]:
    """The claims that the case study judges: by validation accuracy as the tutorial does, and by test accuracy."""
    if not path.exists():
        return [
            Claim(
                name=NAMES[claim],
                sentence=_sentence(claim),
                holds_if=rule,
                verdict=UNTESTED,
                measured=f"Nothing yet: it takes MNIST and `{COMMAND}`.",
                setting="the case study on MNIST",
            )
            for claim, rule in RULES.items()
        ]
    record = json.loads(path.read_text())
    return [_claim(claim, [row for row in record["claims"] if row["claim"] == claim], record) for claim in NAMES]


def _claim(claim: str, rows: list[Mapping[str, Any]], record: Mapping[str, Any]) -> Claim:
    verdicts = [row["validation"]["verdict"] for row in rows]
    readings = [f"{row['reading']}: {verdict}" for row, verdict in zip(rows, verdicts, strict=True)]
    examples = record["data"]["examples"]
    return Claim(
        name=NAMES[claim],
        sentence=_sentence(claim),
        holds_if=f"{RULES[claim]}, on the validation split as in the tutorial",
        verdict=verdicts[0] if len(set(verdicts)) == 1 else "; ".join(readings),
        measured=" ".join(_measured(row) for row in rows),
        setting=f"MNIST, {examples['train']:,} to train on, {'-'.join(map(str, record['network']))} with ReLU, "
        f"{len(record['seeds'])} seeds: all of it in [the case study](case_study.md)",
        numbers={"rows": rows},
    )


def _measured(row: Mapping[str, Any]) -> str:
    start = f"In the tutorial's {row['reading']}: " if row["reading"] else ""
    parts = []
    for part in ("validation", "test"):
        own = row[part]
        if own is None:
            continue
        value, is_share = own["value"], row["unit"] == "accuracy"
        shown = [f"{100 * value[k]:+.2f}" if is_share else f"{value[k]:.1f}" for k in ("mean", "low", "high")]
        unit = " points" if is_share else ""
        parts.append(f"{own['what']} {shown[0]}{unit} [{shown[1]}, {shown[2]}]{f' on {part}' if is_share else ''}")
    text = start + ", ".join(parts)
    return text[0].upper() + text[1:] + "."


def _sentence(claim: str) -> str:
    return claim[0].upper() + claim[1:]
