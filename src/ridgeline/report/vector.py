"""Pictures for the page: SVG that takes the page's font and colours, with what has many points as pixels in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
BASELINE, BEST, OVER = "#d97706", "#2563eb", "#9333ea"
BY_NETWORK = {"baseline": BASELINE, "best": BEST, "over-regularized": OVER}
VARIABLES = {INK: "ink", FAINT: "faint", GRID: "grid", PAPER: "paper", BASELINE: "baseline", BEST: "best", OVER: "over"}
"""Colours that become those of the page, light or dark, by the names of its variables."""

WIDTH, HEIGHT = 4.8, 3.3
"""Inches of 72 points; as wide as a phone, so that the text of a picture stays readable there."""

Spot = tuple[int, float, float]
"""A trial's number and where it is drawn, in the units of the picture's first axes."""

MANY = 400
"""Points beyond which a layer is drawn as pixels."""

PIXELS = 220
"""An inch of such a layer."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ridgeline",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def panel(width: float = WIDTH, height: float = HEIGHT) -> Iterator[tuple[Figure, Axes]]:
    """A picture of one pair of axes in the page's style. Turn it into SVG inside of the block."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def svg(figure: Figure, description: str, spots: Sequence[Spot] = ()) -> str:
    """The picture as an element of the page, with a description for those who do not see it.

    `spots`: where page.js says which trial is under the mouse. Those of one trial in a row are joined by a line.
    """
    drawn = StringIO()
    figure.savefig(drawn, format="svg", dpi=PIXELS, metadata={"Date": None, "Creator": None})
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r"font: ([^;\"]*?)(\d+(?:\.\d+)?)px [^;\"]*", r"font: \1\2px var(--font)", text)
    mark = "p" + hashlib.sha256(text.encode()).hexdigest()[:8] + "-"  # ids are of the whole page
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{mark}", text)
    box = re.search(r'viewBox="[\d. -]*"', text)
    assert box is not None
    places = f' data-spots="{_in_view(figure, spots)}"' if spots else ""
    opening = f'<svg {box[0]} role="img" aria-label="{escape(description, quote=True)}"{places}>'
    return opening + text[text.index(">") + 1 :]


def _in_view(figure: Figure, spots: Sequence[Spot]) -> str:
    """`number x y number x y ...` in the units of the picture's viewBox. The figure has been drawn."""
    axes, (width, height) = figure.axes[0], 72 * figure.get_size_inches()
    in_pixels = axes.transData.transform([(x, y) for _, x, y in spots])
    in_figure = figure.transFigure.inverted().transform(in_pixels)
    return " ".join(
        f"{number} {width * x:.1f} {height * (1 - y):.1f}"
        for (number, _, _), (x, y) in zip(spots, in_figure.tolist(), strict=True)
    )
