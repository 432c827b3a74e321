"""The claims as a page of Markdown: page.md, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ridgeline import revision, seconds
from ridgeline_recipes.claims.claim import Claim

TEMPLATE = Path(__file__).with_name("page.md")


def render(claims: Sequence[Claim], record: Mapping[str, Any]) -> str:
    """`record`: as claims.json has it."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters |= {"seconds": seconds, "revision": revision}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    fields = {name: record[name] for name in ("command", "seeds", "made", "machine")}
    return template.render(**fields, claims=claims, duration=record["seconds"])
