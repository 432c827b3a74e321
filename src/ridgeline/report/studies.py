"""Optuna's pictures of a study, made readable."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.visualization import matplotlib as drawing

from ridgeline.report.axes import DPI, count_axis, log_axis, needs_log
from ridgeline.report.notation import short_names

MOST_CONTOURS = 3
"""Params of a contour picture, each against each."""

log = logging.getLogger(__name__)
logging.getLogger("matplotlib.category").setLevel(logging.WARNING)  # it remarks on every choice that is a number


def study_figures(study: optuna.Study, metric: str | None = None, name: str | None = None) -> dict[str, Figure]:
    """Optuna's history, slice, contour and importance pictures by name; one that cannot be drawn is logged instead.

    `metric`: what the study optimizes, for the labels. `name`: of the study that is drawn, where `study` is a view of
    it whose trials are settings.
    """
    each = "trial" if name in (None, study.study_name) else "setting"
    metric = metric or (study.metric_names or ["objective value"])[0]
    short = _with_short_names(study)
    done = [trial for trial in short.trials if trial.state == TrialState.COMPLETE]
    varied = [name for name in _params(done) if len({str(t.params[name]) for t in done if name in t.params}) > 1]
    values = [float(trial.value) for trial in done if trial.value is not None]
    is_log = needs_log(values)
    pictures: dict[str, tuple[int, int, Callable[[], Figure]]] = {
        # name: how many different values and varied params it needs
        "history": (1, 0, lambda: _history(short, metric, is_log, each)),
        "slice": (1, 1, lambda: _slice(short, varied, metric, is_log)),
        "contour": (3, 2, lambda: _contour(short, varied, metric, is_log)),
        "importance": (3, 2, lambda: _importance(short, varied, metric)),
    }
    figures = {}
    for picture, (n_values, n_params, draw) in pictures.items():
        if len(set(values)) < n_values or len(varied) < n_params:
            needs = f"{n_values} different values of {metric} and {n_params} params that vary"
            log.debug("No %s picture: it needs %s, there are %d and %d.", picture, needs, len(set(values)), len(varied))
            continue
        try:
            figures[picture] = _drawn(draw, f"{name or study.study_name}: {picture}")
        except Exception as error:  # a picture is not worth a study
            log.warning("No %s picture: %s", picture, error)
    return figures


def _history(study: optuna.Study, metric: str, is_log: bool, each: str) -> Figure:
    axes: Axes = drawing.plot_optimization_history(study, target_name=metric)
    axes.legend([each, "best so far"], loc="upper right", fontsize="small")
    axes.lines[-1].set_drawstyle("steps-post")
    axes.set_xlabel(f"{each} number")
    if is_log:
        log_axis(axes, "y")
    count_axis(axes)
    return _sized(axes, 8, 4.5)


def _slice(study: optuna.Study, varied: list[str], metric: str, is_log: bool) -> Figure:
    axes = drawing.plot_slice(study, params=varied, target_name=metric)
    if is_log:
        log_axis(_first(axes), "y")  # the others share it
    return _sized(axes, max(8, 3.6 * len(varied)), 4.5)


def _contour(study: optuna.Study, varied: list[str], metric: str, is_log: bool) -> Figure:
    if len(varied) > MOST_CONTOURS:
        varied = list(optuna.importance.get_param_importances(study, params=varied))[:MOST_CONTOURS]
    if is_log:  # or one bad trial takes all colours
        axes = drawing.plot_contour(study, params=varied, target=_log10, target_name=f"log10 {metric}")
    else:
        axes = drawing.plot_contour(study, params=varied, target_name=metric)
    size = 5.5 if len(varied) == 2 else 3.0 * len(varied)
    return _sized(axes, 1.46 * size, size)


def _importance(study: optuna.Study, varied: list[str], metric: str) -> Figure:
    axes: Axes = drawing.plot_param_importances(study, params=varied, target_name=metric)
    axes.set(xlabel=f"share of the importance for {metric}", ylabel="")
    axes.margins(x=0.12)
    legend = axes.get_legend()
    if legend is not None:
        legend.remove()
    return _sized(axes, 8, 1.6 + 0.5 * len(varied))


def _drawn(draw: Callable[[], Figure], title: str) -> Figure:
    with _pyplot():
        figure = draw()
        for axes in figure.axes:
            axes.set_title("")
            axes.set_title("", loc="left")
        figure.suptitle(title, fontsize="medium")
        canvas = figure.canvas
        canvas.draw()  # inside the style, and where an error is caught
    figure.set_canvas(canvas)  # which pyplot has taken away: what is drawn need not be drawn again
    return figure


@contextmanager
def _pyplot() -> Iterator[None]:
    """Optuna draws with pyplot and sets a style: without a window, and with the user's backend and style put back."""
    backend, before = matplotlib.get_backend(auto_select=False), plt.get_fignums()
    plt.switch_backend("agg")
    try:
        layout = matplotlib.rc_context({"figure.constrained_layout.use": True, "figure.dpi": DPI})
        with layout, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna, ties in importances
            yield
    finally:
        for number in set(plt.get_fignums()).difference(before):
            plt.close(number)
        if backend is not None:
            plt.switch_backend(backend)


def _with_short_names(study: optuna.Study) -> optuna.Study:
    """A copy in memory whose params are called `l2` instead of `regularization.l2` where that is unambiguous.

    Trials without a finite value become failed ones, so that the others keep their numbers.
    """
    trials = study.get_trials(deepcopy=False)
    short = short_names(_params(trials))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # a new study is announced otherwise
    try:
        copy = optuna.create_study(direction=study.direction)
    finally:
        optuna.logging.set_verbosity(verbosity)
    for trial in trials:
        is_done = trial.state == TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value)
        copy.add_trial(
            create_trial(
                state=TrialState.COMPLETE if is_done else TrialState.FAIL,
                value=trial.value if is_done else None,
                params={short[name]: value for name, value in trial.params.items()},
                distributions={short[name]: known for name, known in trial.distributions.items()},
            )
        )
    return copy


def _params(trials: Sequence[FrozenTrial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _log10(trial: FrozenTrial) -> float:
    return math.log10(trial.value) if trial.value is not None else math.nan


def _first(axes: Axes | np.ndarray) -> Axes:
    first: Axes = axes if isinstance(axes, Axes) else axes.ravel()[0]
    return first


def _sized(axes: Axes | np.ndarray, width: float, height: float) -> Figure:
    """The figure of these axes, in inches."""
    figure = _first(axes).get_figure(root=True)
    assert figure is not None
    figure.set_size_inches(width, height)
    return figure
