"""The results as a page of Markdown: page.md, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ridgeline import moment, ordinal, revision, seconds
from ridgeline_recipes.rules import A_LITTLE, ABOUT_FIVE

TEMPLATE = Path(__file__).with_name("page.md")


def render(record: Mapping[str, Any], picture: str) -> str:
    """`record`: as case_study.json has it. `picture`: where the page finds the learning curves."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    filters: dict[str, Any] = {
        "count": lambda n: f"{n:,}",
        "epochs": _epochs,
        "moment": lambda when: moment(when.removesuffix("Z")),
        "ordinal": ordinal,
        "percent": lambda estimate: _interval(estimate, ".2f"),
        "points": lambda estimate: "" if estimate is None else _interval(estimate, "+.2f"),
        "revision": revision,
        "seconds": seconds,
    }
    environment.filters |= filters
    examples = record["data"]["examples"]
    share = examples["train"] / (examples["train"] + examples["validation"])
    limits = {"a_little": f"{100 * A_LITTLE:.0f}", "about_five": [f"{n:.0f}" for n in ABOUT_FIVE]}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(**record, **limits, share=f"{share:.0%}", picture=picture)


def _interval(estimate: Mapping[str, float], style: str) -> str:
    mean, low, high = (f"{100 * estimate[name]:{style}}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _epochs(estimate: Mapping[str, float]) -> str:
    mean, low, high = (estimate[name] for name in ("mean", "low", "high"))
    return f"{mean:.0f}" if low == high else f"{mean:.1f} [{low:.1f}, {high:.1f}]"
