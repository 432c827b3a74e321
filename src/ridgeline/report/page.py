"""A study as one HTML page, which needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import hashlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ridgeline.report import words
from ridgeline.report.facts import Axis, Story, Trial
from ridgeline.report.intervals import difference_interval, error_intervals
from ridgeline.report.learning import learning_curves
from ridgeline.report.seen import boundaries, confused
from ridgeline.report.spaces import Number, curve, surface
from ridgeline.report.weighing import histogram, weigh

HERE = Path(__file__).parent
ROWS = 200
"""Of the table: the best trials."""

FEWEST = 3
"""Complete trials for a picture of the space."""

MOST_STRIPS = 6
RUN_SHOWN = 8
"""Of the 32 digits of a run's id; all of them stand beside the command."""

SECTIONS = ("intervals", "space", "strips", "curves", "gap", "weights", "boundary")
"""Of the page, those with pictures."""

STATES = ("COMPLETE", "PRUNED", "FAILED", "INTERRUPTED", "RUNNING")
VERDICTS = {"helps": "helps", "harms": "harms"}

log = logging.getLogger(__name__)


def render(story: Story) -> str:
    """The page. What comes from data is escaped; a picture that cannot be drawn is a sentence."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "moment": words.moment,
        "settings": words.settings,
        "revision": _revision,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    script = (HERE / "page.js").read_text()
    missing = dict(story.missing)
    pictures, is_surface = _pictures(story, missing)
    shares = {} if isinstance(story.importance, str) else story.importance
    if isinstance(story.importance, str):
        missing["importance"] = story.importance
    labels = {axis.key: axis.label for axis in story.axes}
    record = story.confirmed.record if story.confirmed else None
    examples = story.confirmed.examples if story.confirmed else None
    return environment.get_template("page.html").render(
        story=story,
        policy=_policy(script),
        css=Markup((HERE / "page.css").read_text()),
        js=Markup(script),
        minus=words.MINUS,
        tally=_tally(story.trials),
        best=story.complete[0] if story.complete else None,
        record=record,
        verdict_class=VERDICTS.get(record["verdict"]["word"], "none") if record else "open",
        opening=_opening(record["opening"]) if record else None,
        numbers=_numbers(record) if record else [],
        seeds=len(record["arms"]["best"]["seeds"]) if record else 0,
        pictures={name: [Markup(one) for one in drawn] for name, drawn in pictures.items()},
        is_surface=is_surface,
        importance=[(labels[key], share) for key, share in shares.items()],
        weighed={name: weigh(weights) for name, weights in story.weights.items()},
        confused=confused(examples) if examples else [],
        heads=_heads(story),
        rows=[_row(story, trial) for trial in story.complete[:ROWS]],
        missing=missing,
    )


def _pictures(story: Story, missing: dict[str, str]) -> tuple[dict[str, list[str]], bool]:
    """By section, and whether the space is shown as a surface; what is `missing` and why is added to."""
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
        draw("intervals", lambda: [error_intervals(record["arms"]), difference_interval(record["difference"])])
        if boundary is not None:
            draw("boundary", lambda: boundaries(boundary))
    if not enough:
        missing["space"] = f"It takes {FEWEST} complete trials to draw how the error depends on the space."
    elif not varied:
        missing["space"] = "All complete trials have the same parameters."
    else:
        draw("space", lambda: _space(story, main))
        others = [axis for axis in varied if axis not in main]
        draw("strips", lambda: [curve(a, story.trials, _value, story.metric) for a in others[:MOST_STRIPS]])
    if not enough or strength is None:
        missing["gap"] = f"It takes {FEWEST} complete trials that differ in a number to draw the gap."
    else:
        against = [strength, *(axis for axis in main if axis is not strength)]
        if any(math.isfinite(_gap(t)) for t in story.complete):
            draw("gap", lambda: _gaps(story, against))
        else:
            missing["gap"] = "The trials have not recorded their gap."
    if story.curves:
        draw("curves", lambda: learning_curves(story.curves))
    if story.weights:
        draw("weights", lambda: [histogram(story.weights)])
    return drawn, len(main) == 2


def _space(story: Story, main: Sequence[Axis]) -> list[str]:
    """The validation error, and what the study optimized where that is another number."""
    numbers: dict[str, Number] = {"validation error, %": lambda t: 100 * t.metrics.get("final/val_error", math.nan)}
    if story.metric != "val/error":
        numbers[story.metric] = _value
    shown = {name: f for name, f in numbers.items() if any(math.isfinite(f(t)) for t in story.complete)}
    if len(main) == 2:
        return [surface(main[0], main[1], story.trials, number, name) for name, number in shown.items()]
    return [curve(main[0], story.trials, number, name) for name, number in shown.items()] if main else []


def _value(trial: Trial) -> float:
    return math.nan if trial.value is None else trial.value


def _gap(trial: Trial) -> float:
    return trial.metrics.get("final/gap", math.nan)


def _gaps(story: Story, against: Sequence[Axis]) -> list[str]:
    """Against each, coloured by the other."""
    name, others = f"validation loss {words.MINUS} train loss", [*against[1:], against[0]]
    return [
        curve(x, story.trials, _gap, name, colour=other if other is not x else None)
        for x, other in zip(against, others, strict=True)
    ]


def _tally(trials: Sequence[Trial]) -> str:
    """`24 trials: 20 complete, 4 pruned`."""
    counts = {state: sum(t.state == state for t in trials) for state in STATES}
    parts = ", ".join(f"{count:,} {state.lower()}" for state, count in counts.items() if count or state == "COMPLETE")
    return f"{words.counted(len(trials), 'trial')}: {parts}"


def _opening(opening: Mapping[str, Any]) -> str:
    when, revision = words.moment(opening["when"]), _revision(opening["commit"])
    changed = ", with uncommitted changes" if opening.get("dirty") else ""
    time = words.ordinal(opening["number"])
    said = f"The test part was opened for the {time} time on {when}, revision {revision}{changed}."
    if opening["number"] == 1:
        return said
    why = "What was chosen after an earlier opening may follow from what that one showed: these numbers may flatter."
    return f"{said} {why}"


def _numbers(record: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table: what, best, plain, difference."""
    arms, difference = [record["arms"][name] for name in ("best", "plain")], record["difference"]
    differences = {
        kind: f"{shown(difference[kind])}, {words.p_value(difference[kind]['p_value'])}"
        for kind, shown in (("error", words.percent_estimate), ("loss", words.estimate))
    }
    rows: list[tuple[str, Callable[[Mapping[str, Any]], str], str]] = [
        ("Test error", lambda arm: words.percent_estimate(arm["test"]["error"]), differences["error"]),
        ("Test loss", lambda arm: words.estimate(arm["test"]["loss"]), differences["loss"]),
        ("Calibration error (ECE)", lambda arm: words.percent(arm["test"]["ece"]), ""),
        (f"Gap: test loss {words.MINUS} train loss", lambda arm: words.estimate(arm["gap"]), ""),
        ("Train error", lambda arm: words.percent(arm["train"]["error"]), ""),
        ("Train loss", lambda arm: words.number(arm["train"]["loss"]), ""),
        ("Weights that are exactly 0", lambda arm: words.percent(arm["sparsity"]["weights"], 1), ""),
        ("Weights below 0.001", lambda arm: words.percent(arm["sparsity"]["small"], 1), ""),
        ("L2 norm of the weights", lambda arm: words.number(arm["weight_norm"]), ""),
        ("Parameters", lambda arm: words.number(arm["parameters"]), ""),
        ("Epochs", lambda arm: words.number(arm["epochs"]), ""),
        ("Time of a fit", lambda arm: words.seconds(arm["seconds_per_fit"]), ""),
    ]
    cost = f"{words.counted(record['cost']['fits'], 'fit')}, {words.seconds(record['cost']['seconds'])}"
    return [[name, *map(cell, arms), last] for name, cell, last in rows] + [["Cost of confirming", cost, "", ""]]


@dataclass(frozen=True)
class Cell:
    """`value` is what the cell is sorted by, empty for nothing."""

    text: str
    value: str
    numeric: bool = True
    link: str | None = None


@dataclass(frozen=True)
class Head:
    label: str
    numeric: bool = True
    key: str | None = None


@dataclass(frozen=True)
class Row:
    cells: list[Cell]
    command: str
    run_id: str | None


def _heads(story: Story) -> list[Head]:
    params = [Head(axis.label, axis.is_numeric, axis.key) for axis in story.axes]
    measured = [Head(name) for name in ("val error", "gap", "best epoch", "seconds")]
    return [Head("trial"), Head(story.metric), *params, *measured, Head("MLflow run", numeric=False)]


def _row(story: Story, trial: Trial) -> Row:
    params = [
        Cell(words.number(trial.params.get(axis.key)), _sorted_by(trial.params.get(axis.key)), axis.is_numeric)
        for axis in story.axes
    ]
    error = trial.metrics.get("final/val_error")
    measured = [Cell(words.percent(error), _sorted_by(error))]
    measured += [
        Cell(words.number(value), _sorted_by(value)) for value in (trial.metrics.get("final/gap"), trial.best_epoch)
    ]
    seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
    link = f"{story.server}/#/runs/{trial.run_id}" if story.server and trial.run_id else None
    run = Cell((trial.run_id or words.NOTHING)[:RUN_SHOWN], trial.run_id or "", False, link)
    first = [Cell(str(trial.number), str(trial.number)), Cell(words.number(trial.value), _sorted_by(trial.value))]
    cells = [*first, *params, *measured, Cell(seconds, seconds), run]
    return Row(cells, story.commands[trial.number], trial.run_id)


def _sorted_by(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _revision(commit: str | None) -> str:
    return commit[:10] if commit else "unknown"


def _policy(script: str) -> str:
    """What a browser lets the page do: run this one script, and fetch nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = ["default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])
