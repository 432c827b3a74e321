"""The results of confirming on the page: sentences, rows of the table, pictures of the intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ridgeline.report import notation
from ridgeline.report.axes import number_axis
from ridgeline.report.vector import BASELINE, BEST, FAINT, INK, WIDTH, panel, svg
from ridgeline.tasks.figures import BESIDE, title


def opening_in_words(opening: Mapping[str, Any]) -> str:
    when, revision = notation.moment(opening["when"]), notation.revision(opening["commit"])
    changed = ", with uncommitted changes" if opening.get("dirty") else ""
    time = notation.ordinal(opening["number"])
    said = f"The test split was opened for the {time} time on {when}, revision {revision}{changed}."
    if opening["number"] == 1:
        return said
    return f"{said} {notation.OPENED_BEFORE}"


def rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table: what, best, baseline, difference."""
    arms, difference = [record["arms"][name] for name in ("best", "baseline")], record["difference"]
    figure = record["figure"]
    told: dict[str, Callable[[Mapping[str, float]], str]] = {
        figure: partial(notation.figure_estimate, figure),
        "loss": notation.estimate,
    }
    differences = {
        kind: f"{_difference(kind, difference[kind])}, {notation.p_value(difference[kind]['p_value'])}"
        for kind in told
        if kind in difference  # of a module that is measured by seeds alone the figure is
    }
    told_always = {"ece": "Calibration error (ECE)", "r2": "R2"}
    beside = {key: told_always.get(key, f"Test {name}") for key, name in BESIDE.items() if key in arms[0]["test"]}
    write = {"ece": notation.percent, "balanced_error": notation.percent}
    shown: list[tuple[str, Callable[[Mapping[str, Any]], str], str]] = [
        (_name(record), lambda arm: told[figure](arm["test"][figure]), differences[figure]),
        ("Test loss", lambda arm: notation.estimate(arm["test"]["loss"]), differences.get("loss", "")),
        *(
            (name, lambda arm, key=key: write.get(key, partial(notation.number, aligned=True))(arm["test"][key]), "")
            for key, name in beside.items()
        ),
        (f"Gap: test loss {notation.MINUS} train loss", lambda arm: notation.estimate(arm["gap"]), ""),
        (f"Train {title(figure)}", lambda arm: notation.figure(figure, arm["train"][figure]), ""),
        ("Train loss", lambda arm: notation.number(arm["train"]["loss"]), ""),
        ("Parameters", lambda arm: notation.number(arm["parameters"]), ""),
        ("Epochs", lambda arm: notation.number(arm["epochs"]), ""),
        ("Time of a fit", lambda arm: notation.seconds(arm["seconds_per_fit"]), ""),
    ]
    if record.get("by_seeds"):
        shown = [shown[0], *shown[-3:]]
    cost = f"{notation.counted(record['cost']['fits'], 'fit')}, {notation.seconds(record['cost']['seconds'])}"
    return [[name, *map(cell, arms), last] for name, cell, last in shown] + [["Cost of confirming", cost, "", ""]]


def _difference(kind: str, own: Mapping[str, float]) -> str:
    return notation.difference(kind, own, f"{notation.NBSP}points" if kind == "error" else "")


def _name(record: Mapping[str, Any]) -> str:
    """A figure that a module logs goes by its own name."""
    figure = record["figure"]
    return str(figure) if record.get("by_seeds") else f"Test {title(figure)}"


def error_intervals(arms: Mapping[str, Any], kind: str) -> str:
    """The test figure of the baseline and the best network."""
    name = kind if "/" in kind else f"test {title(kind)}"
    with panel(WIDTH, 1.5) as (figure, axes):
        for height, (network, colour) in enumerate((("best", BEST), ("baseline", BASELINE))):
            _interval(axes, height, arms[network]["test"][kind], colour, kind)
        axes.set(ylim=(-0.6, 1.6), title=f"{name[0].upper()}{name[1:]}{_unit(kind)}")
        axes.set_yticks([0, 1], ["best", "baseline"])
        return _finished(figure, axes, f"{name} of the best and the baseline with 95% intervals")


def difference_interval(difference: Mapping[str, Any], kind: str) -> str:
    """The figure of the best minus that of the baseline."""
    what, unit = ("test error", ", points") if kind == "error" else (f"test {title(kind)}", "")
    what = kind if "/" in kind else what
    with panel(WIDTH, 1.5) as (figure, axes):
        axes.axvline(0, color=FAINT, linewidth=1, linestyle="--")
        _interval(axes, 0, difference[kind], INK, kind)
        axes.set(ylim=(-0.8, 0.8), title=f"Difference of the {what}, best {notation.MINUS} baseline{unit}")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        return _finished(figure, axes, f"difference of the test {what.removeprefix('test ')} with its 95% interval")


def _unit(kind: str) -> str:
    return ", %" if kind == "error" else ""


def _interval(axes: Any, height: float, estimate: Mapping[str, float], colour: str, kind: str) -> None:
    scale = 100 if kind == "error" else 1
    low, mean, high = (scale * estimate[name] for name in ("low", "mean", "high"))
    axes.plot([low, high], [height, height], color=colour, linewidth=3, solid_capstyle="round")
    axes.plot(mean, height, "o", color=colour, markersize=7)
    said = f"{mean:.2f}".replace("-", notation.MINUS) if kind == "error" else notation.number(mean, aligned=True)
    axes.annotate(said, (mean, height), (0, 7), textcoords="offset points", ha="center", color=INK)


def _finished(figure: Any, axes: Any, description: str) -> str:
    axes.grid(axis="y", visible=False)
    axes.tick_params("y", length=0)
    axes.margins(x=0.15)
    number_axis(axes, "x")
    return svg(figure, description)
