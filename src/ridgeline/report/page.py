"""A study as one HTML page, which needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ridgeline.report import notation
from ridgeline.report.ablation import rows_of, unit_of
from ridgeline.report.answers import answer_to
from ridgeline.report.averaging import is_averaged, members
from ridgeline.report.facts import STATES, Predicted, PredictedNumbers, Story, Trial
from ridgeline.report.galleries import draw_all
from ridgeline.report.measured import opening_in_words, rows
from ridgeline.report.overview import MOST_LINES, best_of, drawn_of
from ridgeline.report.predictions import mistakes
from ridgeline.report.seen import confused
from ridgeline.report.table import heads, row, told

HERE = Path(__file__).parent
ROWS = 200
"""How many rows the table has at most: those of the best trials."""

OPEN_ROWS = 10
"""The others are folded."""


def render(story: Story) -> str:
    """The page. What comes from data is escaped; a picture that cannot be drawn is a sentence."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": notation.number,
        "percent": notation.percent,
        "digits": lambda value, n: notation.number(None if value is None else float(f"{value:.{n}g}")),
        "moment": notation.moment,
        "settings": notation.settings,
        "revision": notation.revision,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    script = (HERE / "page.js").read_text()
    missing = dict(story.missing)
    pictures, is_surface = draw_all(story, missing)
    shares = {} if isinstance(story.importance, str) else story.importance
    if isinstance(story.importance, str):
        missing["importance"] = story.importance
    labels = {axis.key: axis.label for axis in story.axes}
    record = story.confirmed.record if story.confirmed else None
    examples = story.confirmed.examples if story.confirmed else None
    averaged, left_out = (answer_to(question, record) if record else None for question in ("ensemble", "ablation"))
    return environment.get_template("page.html").render(
        story=story,
        policy=_policy(script),
        css=Markup((HERE / "page.css").read_text()),
        js=Markup(script),
        minus=notation.MINUS,
        tally=_tally(story.trials),
        best=story.complete[0] if story.complete else None,
        record=record,
        tone=_tone(record["verdict"]) if record else "open",
        opening=opening_in_words(record["opening"]) if record else None,
        numbers=rows(record) if record else [],
        left_out=left_out,
        ablated=rows_of(left_out.found, record["figure"]) if record and left_out else [],
        unit=unit_of(record["figure"]) if record else "",
        averaged=averaged,
        is_mean=bool(averaged and is_averaged(averaged.found)),
        members=members(averaged.found) if averaged else [],
        seeds=len(record["arms"]["best"]["seeds"]) if record else 0,
        pictures={name: [Markup(one) for one in drawn] for name, drawn in pictures.items()},
        is_surface=is_surface,
        ended=_ended(story.settings),
        importance=[(labels[key], share) for key, share in shares.items()],
        mistakes=mistakes(story.predicted) if isinstance(story.predicted, Predicted) else [],
        is_regression=isinstance(story.predicted, PredictedNumbers),
        lines=(len(drawn_of(story.complete)), best_of(min(len(story.complete), MOST_LINES))),
        confused=confused(examples, story.confirmed.class_names) if examples and story.confirmed else [],
        heads=heads(story),
        rows=[row(story, trial) for trial in story.complete[:ROWS]],
        open_rows=OPEN_ROWS,
        told=told(story),
        missing=missing,
    )


def _tally(trials: Sequence[Trial]) -> str:
    """`24 trials: 20 complete, 4 pruned`."""
    counts = {state: sum(t.state == state for t in trials) for state in STATES}
    parts = ", ".join(f"{count:,} {state.lower()}" for state, count in counts.items() if count or state == "COMPLETE")
    return f"{notation.counted(len(trials), 'trial')}: {parts}"


def _ended(settings: Sequence[Trial]) -> str:
    """What the marks in a surface mean that stand for trials without a value."""
    words_of = {"FAILED": "crosses are trials that failed", "PRUNED": "small grey dots those that were pruned"}
    return ", ".join(said for state, said in words_of.items() if any(t.state == state for t in settings))


def _tone(verdict: Mapping[str, Any]) -> str:
    """The panel's class: a borderline verdict has not the colour of a sure one."""
    word = verdict["word"] if verdict["word"] in ("helps", "harms") else "none"
    return f"{word} borderline" if verdict.get("borderline") else word


def _policy(script: str) -> str:
    """The page's content security policy: run this one script, fetch nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = ["default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])
