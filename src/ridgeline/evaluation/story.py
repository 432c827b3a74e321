"""The page of a study: what is known of it is gathered from where it lies, drawn, written and logged to its run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from ridgeline.checking import ConfigError, require
from ridgeline.command_line.outputs import require_writable, write_whole
from ridgeline.config import Config
from ridgeline.data import has_test_split
from ridgeline.evaluation.compared import curves_of, weights_by_name
from ridgeline.evaluation.confirm_folder import read_confirmed
from ridgeline.evaluation.origin import how_made
from ridgeline.evaluation.predicted import predicted
from ridgeline.evaluation.stored import StoredStudy, open_study
from ridgeline.report.facts import Axis, Story, Trial
from ridgeline.report.notation import short_names
from ridgeline.report.page import render
from ridgeline.search.advice import on_no_result
from ridgeline.search.conditions import values_of
from ridgeline.search.ranking import Setting, best_settings, outcome, ran, repeated, settings, state_of
from ridgeline.search.repeats import searched, view_of
from ridgeline.search.space import Dimension
from ridgeline.tasks.figures import of_examples
from ridgeline.tracking import Tracker, check_store, server_of, ui_command

FEWEST_FOR_IMPORTANCE = 10

LOCAL_UI = "http://127.0.0.1:5000"
"""Where MLflow shows a store that is a file, once it is started."""

PAGE = "report.html"
"""In the study's folder."""


def write_report(config: Config) -> list[Path]:
    """Draw the page of `config.study`; where it is. Raises ConfigError before anything is written."""
    require(config.study is not None, "study=NAME is given", "study", "null")
    stored = open_study(config, str(config.study))
    check_store(stored.config)
    require_writable(stored.folder / PAGE, "runs")
    require_writable(config.report, "report")
    paths = [stored.folder / PAGE, *([Path(config.report)] if config.report is not None else [])]
    with Tracker(stored.config) as tracker:
        page = render(gather(stored, tracker.tags_of(stored.run_id) if stored.run_id else {}))
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, page)
        if stored.run_id is not None:
            tracker.reopen(stored.run_id).log_file(paths[0], "study")
    return paths


def gather(stored: StoredStudy, tags: Mapping[str, str]) -> Story:
    """All that the page shows of a study. `tags`: those of its run in MLflow."""
    frozen = stored.study.get_trials(deepcopy=False)
    seeds = repeated(frozen[0]) if frozen else []
    axes = [axis for axis in _axes(stored.line.space) if axis.key not in seeds]
    server = server_of(stored.config)
    confirmed = read_confirmed(stored.folder)
    missing = dict[str, str]()
    params = {t.number: t.params for t in frozen}
    ranked = settings(ran(stored.study))
    story = Story(
        name=stored.name,
        metric=stored.config.metric,
        figure=_figure(stored.config),
        larger_is_better=stored.config.direction == "maximize",
        axes=axes,
        trials=[_trial(t) for t in frozen],
        settings=[_setting(s) for s in ranked],
        importance=_importance(stored, [axis.key for axis in axes]),
        curves=curves_of(stored, confirmed, missing),
        weights=weights_by_name(stored, confirmed, missing),
        predicted=predicted(stored, confirmed, missing),
        confirmed=confirmed,
        confirm_command=stored.line.follow("confirm", stored.name) if _may_confirm(stored) else None,
        retrain=lambda number: stored.line.retrain(params[number]),
        server=server or LOCAL_UI,
        how_to_look=ui_command(stored.config),
        made=how_made(stored, tags, confirmed.record if confirmed else None),
        missing=missing,
    )
    if not story.complete:
        missing |= dict.fromkeys(("weights", "predictions"), "There is no best trial.")
        missing["trials"] = on_no_result(ran(stored.study), stored.config.search.pruner)
    return story


def _figure(config: Config) -> str | None:
    return of_examples(config.metric, config.predicted, config.loss.name) if config.model is None else None


def _may_confirm(stored: StoredStudy) -> bool:
    try:
        return has_test_split(stored.config.data)
    except (ConfigError, OSError):  # the page takes no data that have gone
        return True


def _axes(space: Sequence[Dimension]) -> list[Axis]:
    """The dimensions of the space: regularization first, the seed last, the others in the order of the command."""
    labels = short_names(d.key for d in space)
    axes = []
    for d in space:
        known = d.distribution
        if isinstance(known, CategoricalDistribution):
            numbers = all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in known.choices)
            axes.append(Axis(d.key, labels[d.key], choices=tuple(sorted(known.choices) if numbers else known.choices)))
        else:
            assert isinstance(known, (FloatDistribution, IntDistribution))
            axes.append(Axis(d.key, labels[d.key], is_log=known.log, beside=tuple(d.beside.items())))
    return sorted(axes, key=lambda axis: (axis.key == "seed", not axis.key.startswith("regularization")))


def _trial(trial: FrozenTrial) -> Trial:
    found = outcome(trial)
    return Trial(
        number=trial.number,
        state=state_of(trial),
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        params=values_of(trial.params),
        metrics=found.get("metrics", {}),
        best_epoch=found.get("best_epoch"),
        epochs=found.get("epochs"),
        seconds=found.get("seconds"),
        run_id=found.get("run_id"),
    )


def _setting(setting: Setting) -> Trial:
    """One row of the ranking: a trial, or the mean of the trials that differ in their seeds alone."""
    if setting.seeds == 1:
        return _trial(setting.trial)
    ended = [state_of(t) for t in setting.trials if t.state != TrialState.COMPLETE]
    return replace(
        _trial(setting.trial),
        state="COMPLETE" if setting.is_complete else next(iter(ended), "RUNNING"),
        value=setting.value if setting.is_complete else None,
        params=setting.params,
        metrics=setting.metrics,
        seeds=setting.seeds,
        deviation=setting.deviation,
    )


def _importance(stored: StoredStudy, keys: Sequence[str]) -> dict[str, float] | str:
    complete = best_settings(ran(stored.study), stored.study.direction)
    varied = [key for key in keys if len({str(t.params.get(key)) for t in complete}) > 1]
    if len(complete) < FEWEST_FOR_IMPORTANCE:
        return f"It takes {FEWEST_FOR_IMPORTANCE} complete trials to tell what matters, and there are {len(complete)}."
    if len(varied) < 2 or len({t.value for t in complete}) < 3:
        return "It takes two dimensions that vary, and different results, to tell which of them matters."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            view = view_of(stored.study, complete, searched(stored.line.space), as_shown=True)
            return optuna.importance.get_param_importances(view, params=varied)
    except (ValueError, RuntimeError) as error:
        return f"Optuna could not tell what matters: {error}"
