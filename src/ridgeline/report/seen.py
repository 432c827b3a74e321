"""Pictures of the data themselves: the decision boundary of 2-D data, images that are taken for another class."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from ridgeline.report.facts import Boundary, Examples
from ridgeline.report.pixels import as_shown
from ridgeline.report.vector import FAINT, HEIGHT, MANY, WIDTH, panel, svg

MOST_EXAMPLES = 24


@dataclass(frozen=True)
class Picture:
    """`source` is a data URI."""

    source: str
    label: str
    predicted: str
    probability: float


def boundaries(seen: Boundary) -> list[str]:
    """A picture for the baseline and one for the best network: the likeliest class as colour, paler where less sure."""
    return [_boundary(seen, name) for name in ("baseline", "best")]


def confused(examples: Examples, class_names: Sequence[str] = ()) -> list[Picture]:
    """The images that are taken for another class. Each grey one goes from black to white, others have one scale."""

    def name(number: int) -> str:
        return class_names[number] if class_names else str(number)

    found = []
    rows = zip(examples.x_MI, examples.label_M, examples.predicted_M, examples.probability_M, strict=True)
    is_grey = examples.shape[0] == 1
    for x_I, label, predicted, probability in list(rows)[:MOST_EXAMPLES]:
        scale = x_I if is_grey else examples.x_MI
        uri = _png(as_shown(x_I.reshape(examples.shape), scale.min(), scale.max()))
        found.append(Picture(uri, name(int(label)), name(int(predicted)), float(probability)))
    return found


def _boundary(seen: Boundary, name: str) -> str:
    p_GGC = seen.best_GGC if name == "best" else seen.baseline_GGC
    classes = p_GGC.shape[-1]
    colours_C3 = np.array([to_rgb(c) for c in matplotlib.colormaps["tab10"].colors])[np.arange(classes) % 10]  # type: ignore[attr-defined]
    likeliest_GG = p_GGC.argmax(-1)
    sure_GG = (p_GGC.max(-1) - 1 / classes) / (1 - 1 / classes)
    picture_GG4 = np.concatenate([colours_C3[likeliest_GG], 0.45 * sure_GG[..., None]], -1)
    x_G, y_G = seen.x_G, seen.y_G
    with panel(WIDTH, HEIGHT) as (figure, axes):
        axes.grid(False)
        extent = (x_G[0], x_G[-1], y_G[0], y_G[-1])
        axes.imshow(picture_GG4, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
        for c in range(classes if classes > 2 else 1):
            others_GG = np.delete(p_GGC, c, -1).max(-1)
            axes.contour(x_G, y_G, p_GGC[..., c] - others_GG, levels=[0], colors=[FAINT], linewidths=1.2)
        points_N2 = seen.points_N2
        tint_N3 = colours_C3[seen.labels_N]
        is_pixels = len(points_N2) > MANY
        axes.scatter(points_N2[:, 0], points_N2[:, 1], 8, tint_N3, linewidths=0, rasterized=is_pixels)
        axes.set(xlim=(x_G[0], x_G[-1]), ylim=(y_G[0], y_G[-1]), xlabel="feature 1", ylabel="feature 2")
        axes.set_title(f"{name} network")
        return svg(figure, f"decision boundary of the {name} network with the test points")


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    written = BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()
