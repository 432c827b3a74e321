"""The pictures of each section of the page."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ridgeline.report import notation
from ridgeline.report.ablation import ablated
from ridgeline.report.answers import answer_to
from ridgeline.report.averaging import gains, is_averaged
from ridgeline.report.compared import histogram, learning_curves
from ridgeline.report.dots import Number
from ridgeline.report.facts import Axis, Predicted, Story, Trial
from ridgeline.report.measured import difference_interval, error_intervals
from ridgeline.report.overview import MOST_DIMENSIONS, history, parallel
from ridgeline.report.pairs import Pair, logged, measured
from ridgeline.report.predictions import numbers, predictions
from ridgeline.report.seen import boundaries
from ridgeline.report.spaces import curve, surface
from ridgeline.tasks.figures import title

SECTIONS = (
    *("intervals", "history", "space", "strips", "parallel", "curves", "gap", "weights"),
    *("predictions", "boundary", "averaging", "ablation"),
)

FEWEST = 3
"""Complete trials for a picture of the space."""

MOST_STRIPS = 6

log = logging.getLogger(__name__)


def draw_all(story: Story, missing: dict[str, str]) -> tuple[dict[str, list[str]], bool]:
    """The pictures of each section, and whether the space is drawn as a surface. `missing` gets a sentence for each
    picture that could not be drawn."""
    varied = [axis for axis in story.axes if len({str(t.params.get(axis.key)) for t in story.complete}) > 1]
    enough = len(story.complete) >= FEWEST
    main = [axis for axis in varied if axis.is_numeric][:2]
    strength = next((a for a in main if a.key.rpartition(".")[2] in ("l2", "l1")), main[0] if main else None)
    drawn = {section: list[str]() for section in SECTIONS}

    def draw(section: str, pictures: Callable[[], list[str]]) -> None:
        try:
            drawn[section] = pictures()
        except Exception as error:  # a picture is not worth a page
            log.warning("A picture of the section %s could not be drawn: %s", section, error, exc_info=True)
            missing[section] = f"A picture could not be drawn: {error}"

    if story.confirmed is not None:
        record, boundary = story.confirmed.record, story.confirmed.boundary
        if record.get("off", True):  # else there is but one network
            draw("intervals", lambda: _intervals(record))
        averaged, left_out = answer_to("ensemble", record), answer_to("ablation", record)
        if averaged and is_averaged(averaged.found):
            draw("averaging", lambda: [gains(averaged.found, record["figure"])])
        if left_out and left_out.found["regularizers"]:
            draw("ablation", lambda: [ablated(left_out.found, record["figure"])])
        if boundary is not None:
            draw("boundary", lambda: boundaries(boundary))
    if story.complete:
        draw(
            "history",
            lambda: [history(story.trials, story.metric, with_best=not story.has_seeds, rising=story.larger_is_better)],
        )
    if enough and len(varied) > 1:
        draw("parallel", lambda: [parallel(_to_compare(story, varied), story.complete, story.metric)])
    if not enough:
        missing["space"] = f"It takes {FEWEST} complete trials to draw how the error depends on the space."
    elif not varied:
        missing["space"] = "All complete trials have the same parameters."
    else:
        draw("space", lambda: _space(story, main))
        others = [axis for axis in varied if axis not in main]
        draw("strips", lambda: [curve(a, story.settings, _value, story.metric) for a in others[:MOST_STRIPS]])
    if not enough or strength is None:
        missing["gap"] = f"It takes {FEWEST} complete trials that differ in a number to draw the gap."
    else:
        against = [strength, *(axis for axis in main if axis is not strength)]
        if any(math.isfinite(_gap(t)) for t in story.complete):
            draw("gap", lambda: _gaps(story, against))
        else:
            missing["gap"] = "The trials have not recorded their gap."
    if story.curves:
        draw("curves", lambda: learning_curves(story.curves, _pairs(story)))
    seen = story.predicted
    if seen is not None:
        draw("predictions", lambda: predictions(seen) if isinstance(seen, Predicted) else numbers(seen))
    if story.weights:
        draw("weights", lambda: [histogram(story.weights)])
    return drawn, len(main) == 2


def _pairs(story: Story) -> list[Pair]:
    """What is drawn of a curve: of what we measure the loss, the figure and what else the study was by."""
    if story.figure is not None:
        return measured(("loss", story.figure, story.metric.rpartition("/")[2]))
    rows = [row for one in story.curves.values() for history in one.histories for row in history]
    return logged(dict.fromkeys(name for row in rows for name in row), story.metric)


def _intervals(record: Mapping[str, Any]) -> list[str]:
    kind = record["figure"]
    return [error_intervals(record["arms"], kind), difference_interval(record["difference"], kind)]


def _to_compare(story: Story, varied: Sequence[Axis]) -> list[Axis]:
    """The dimensions that matter most, as many as a picture has room for, in the order of the space."""
    shares = {} if isinstance(story.importance, str) else story.importance
    able = sorted(varied, key=lambda axis: -shares.get(axis.key, 0.0))[:MOST_DIMENSIONS]
    return [axis for axis in varied if axis in able]


def _space(story: Story, main: Sequence[Axis]) -> list[str]:
    """The validation error or RMSE, and what the study optimized where that is another number."""
    kind, scale, unit = (story.figure, 100, ", %") if story.figure == "error" else (story.figure, 1, "")
    known: dict[str, Number] = {}
    if kind is not None:
        known[f"validation {title(kind)}{unit}"] = lambda t: scale * t.metrics.get(f"final/val_{kind}", math.nan)
    if kind is None or story.metric != f"val/{kind}":
        known[story.metric] = _value
    shown = {name: f for name, f in known.items() if any(math.isfinite(f(t)) for t in story.complete)}
    if len(main) == 2:
        rising = [story.larger_is_better and number is _value for number in shown.values()]
        each = zip(shown.items(), rising, strict=True)
        return [surface(main[0], main[1], story.settings, number, name, rising=up) for (name, number), up in each]
    return [curve(main[0], story.settings, number, name) for name, number in shown.items()] if main else []


def _value(trial: Trial) -> float:
    return math.nan if trial.value is None else trial.value


def _gap(trial: Trial) -> float:
    return trial.metrics.get("final/gap", math.nan)


def _gaps(story: Story, against: Sequence[Axis]) -> list[str]:
    """Against each, coloured by the other."""
    name, others = f"validation loss {notation.MINUS} train loss", [*against[1:], against[0]]
    return [
        curve(x, story.settings, _gap, name, colour=other if other is not x else None)
        for x, other in zip(against, others, strict=True)
    ]
