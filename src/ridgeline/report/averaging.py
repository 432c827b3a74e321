"""What averaging networks gains, on the page: the gains with their intervals as a picture, the members as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.report import notation
from ridgeline.report.axes import number_axis
from ridgeline.report.vector import BASELINE, BEST, FAINT, INK, PAPER, WIDTH, panel, svg
from ridgeline.tasks.figures import title

NAMES = {"best": f"study's mean {notation.MINUS} one", "baseline": f"baseline's mean {notation.MINUS} one"}
COLOURS = {"best": BEST, "baseline": BASELINE}
BEHIND = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
"""So that a number can be read on the line at 0."""
OF_BOTH = f"study's mean {notation.MINUS} baseline's"


def gains(ensemble: Mapping[str, Any], kind: str) -> str:
    """`ensemble`: of confirm.json. `kind`: the figure of the verdict. Left of 0 the mean is better."""
    rows = [
        (NAMES[side], own[kind], COLOURS[side]) for side, own in ensemble["gain"].items() if _is_mean(ensemble, side)
    ]
    if "difference" in ensemble:
        rows.append((OF_BOTH, ensemble["difference"][kind], INK))
    scale, unit = (100, ", points") if kind == "error" else (1, "")
    with panel(WIDTH, 1.1 + 0.45 * len(rows)) as (figure, axes):
        axes.axvline(0, color=FAINT, linewidth=1, linestyle="--")
        for height, (_, found, colour) in enumerate(reversed(rows)):
            low, mean, high = (scale * found[name] for name in ("low", "mean", "high"))
            axes.plot([low, high], [height, height], color=colour, linewidth=3, solid_capstyle="round")
            axes.plot(mean, height, "o", color=colour, markersize=7)
            said = f"{mean:.2f}".replace("-", notation.MINUS) if kind == "error" else notation.number(mean)
            axes.annotate(said, (mean, height), (0, 6), textcoords="offset points", ha="center", color=INK, bbox=BEHIND)
        axes.set(ylim=(-0.5, len(rows) - 0.3), title=f"Difference of the test {title(kind)}{unit}")
        axes.set_xlabel("to the left of 0 the one named first is better")
        axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)])
        axes.grid(axis="y", visible=False)
        axes.tick_params("y", length=0)
        axes.margins(x=0.15)
        number_axis(axes, "x")
        return svg(figure, f"what averaging gains in the test {title(kind)}, with 95% intervals")


def is_averaged(ensemble: Mapping[str, Any]) -> bool:
    """Whether any of it is a mean of several networks: one may be selected alone."""
    return any(_is_mean(ensemble, side) for side in ensemble["sides"])


def _is_mean(ensemble: Mapping[str, Any], side: str) -> bool:
    return len(ensemble["sides"][side]["members"]) > 1


def members(ensemble: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table: whose, trial, share, settings, the command that trains it again."""
    return [
        [
            "study" if side == "best" else side,
            notation.number(one["trial"]),
            notation.percent(one["share"], 0),
            notation.settings(one["params"]),
            one.get("command", ""),
        ]
        for side, own in ensemble["sides"].items()
        for one in own["members"]
    ]
