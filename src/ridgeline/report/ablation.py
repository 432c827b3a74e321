"""Which regularizers earn their place, on the page: one picture of what each gains, and the same in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.report import notation
from ridgeline.report.axes import number_axis
from ridgeline.report.vector import BASELINE, BEST, FAINT, PAPER, WIDTH, panel, svg
from ridgeline.tasks.figures import title

LOOKS: dict[str, tuple[str, str, str, float, str]] = {
    "without": ("o", "-", BEST, 0.16, "left out of the best"),
    "alone": ("s", "--", BASELINE, -0.16, "alone, over the baseline"),
}
"""Of each kind: mark, line, colour, place beside the middle of its row, and its words. The first two tell them apart in
black and white."""

NOT_SHOWN = "not shown"


def ablated(ablation: Mapping[str, Any], kind: str) -> str:
    """A row for each regularizer, with its strength in the best network; `kind`: the figure that is gained."""
    rows, scale = ablation["regularizers"], 100 if kind == "error" else 1
    unit = ", points" if kind == "error" else ""
    labels = _labels(ablation)
    with panel(WIDTH, 1.1 + 0.5 * len(rows)) as (figure, axes):
        axes.axvline(0, color=FAINT, linewidth=1)
        for name, (mark, line, colour, beside, words) in LOOKS.items():
            for place, row in enumerate(rows):
                if "gain" not in row[name]:
                    continue
                low, mean, high = (scale * row[name]["gain"][end] for end in ("low", "mean", "high"))
                height = len(rows) - 1 - place + beside
                axes.plot([low, high], [height, height], line, color=colour, linewidth=1.8)
                inside = PAPER if row[name]["word"] == NOT_SHOWN else colour
                axes.plot(mean, height, mark, color=colour, markerfacecolor=inside, markersize=7, markeredgewidth=1.6)
            axes.plot([], [], mark + line, color=colour, markerfacecolor=PAPER, label=words)
        axes.set(ylim=(-0.6, len(rows) - 0.4), title=f"What each gains in {_named(kind)}{unit}")
        axes.set_xlabel("to the right of 0: better with it; filled: shown")
        axes.set_yticks(range(len(rows)), [notation.in_picture(label) for label in labels[::-1]])
        axes.grid(axis="y", visible=False)
        axes.tick_params("y", length=0)
        axes.margins(x=0.08)
        number_axis(axes, "x")
        figure.legend(loc="outside lower center", ncols=2)
        return svg(figure, f"what each regularizer gains in {_named(kind)}, with 95% intervals: left out, and alone")


def rows_of(ablation: Mapping[str, Any], kind: str) -> list[list[str]]:
    """Rows of the table: the regularizer, what is lost without it, what it gains alone, each with what may be said."""
    cells = zip(_labels(ablation), ablation["regularizers"], strict=True)
    return [[label, *(cell for name in LOOKS for cell in _cells(row[name], kind))] for label, row in cells]


def _cells(own: Mapping[str, Any], kind: str) -> tuple[str, str]:
    if "gain" not in own:
        return own["failed"], ""
    gain = {end: own["gain"][end] for end in ("mean", "low", "high")}
    return f"{notation.difference(kind, gain)}, {notation.p_value(own['adjusted_p'])}", own["word"]


def _labels(ablation: Mapping[str, Any]) -> list[str]:
    """`dropout 0.31`; of an effect of the user's own, which has no strength, its name."""
    rows = ablation["regularizers"]
    names = notation.short_names(row["key"] for row in rows)
    return [
        names[row["key"]] + ("" if isinstance(row["value"], Mapping) else f" {notation.number(row['value'])}")
        for row in rows
    ]


def unit_of(kind: str) -> str:
    """What gains are in, for a table's head."""
    return "points" if kind == "error" else kind if "/" in kind else title(kind)


def _named(kind: str) -> str:
    return kind if "/" in kind else f"test {title(kind)}"
