"""`ridgeline.search`: a study from Python, and what can be asked of it then."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ridgeline.api.asked import Range, given_value, listed, merged, network_settings, space_settings
from ridgeline.api.champion import Champion, Ensemble
from ridgeline.api.composing import compose, composed, one_line_mistakes, runs_folder
from ridgeline.api.given import data_settings
from ridgeline.api.recipe import recipe_settings
from ridgeline.checking import ConfigError, build
from ridgeline.command_line.commands import key_of
from ridgeline.config import Config, ConfirmConfig, as_tree
from ridgeline.entry_points import checked, one_trial
from ridgeline.evaluation.stored import StoredStudy, open_study
from ridgeline.quoting import setting
from ridgeline.search.endings import INTERRUPTED_CODE, StudyStopped
from ridgeline.search.ranking import ran

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ridgeline.search.plan import Plan
    from ridgeline.stack.fitted import Fitted


def search(
    data: Any = None,
    target: str | None = None,
    *,
    network: Any = None,
    space: Mapping[str, Range] | None = None,
    n_trials: int | None = None,
    overrides: Sequence[str] = (),
    runs: str | os.PathLike[str] | None = None,
) -> Study:
    """Search how much regularization a network needs on these data, and go on with the same study if it was begun.

    `data`: a DataFrame, or the path of a table, and the name of its `target`; `(X, y)` as arrays or tensors; a Dataset
    or a LightningDataModule; None for the data that `overrides` name. `network`: mlp, tabular, cnn, `mine.Net`, a class
    that is in a file, or a mapping such as `{"_target_": "mine.Net", "width": 64}`.
    `space`: by key what is searched: `{"regularization.l2": (1e-6, 1e-1, "log"), "regularization.dropout": (0.0, 0.7)}`
    unless told otherwise; a list has values to choose among. `n_trials`: in total, 64 unless told otherwise.
    `overrides`: more arguments of `pipelines/train.py -m`, which come last. `runs`: the folder that everything is
    recorded in, as `runs=` there.

    Of a table of 500 rows or more, given without `network` and `space`, the study is by the recipe `experiment=table`,
    in 32 trials unless told otherwise. `network="tabular_and_linear"` is the same network without the recipe.

    Raises ConfigError, one line, for a mistake, with nothing recorded; KeyboardInterrupt after Ctrl-C, when what has
    ended is saved; StudyStopped where too much failed.
    """
    overrides = listed(overrides)
    folder = runs_folder(given_value(overrides, "runs") if runs is None else runs)
    ours = [*network_settings(network), *space_settings(space), *data_settings(data, target, folder)]
    ours = ["search=bayes", setting("runs", folder), *recipe_settings(ours, overrides, n_trials), *ours]
    with composed(merged(ours, overrides)) as (context, master, arguments):
        plan = _run(context, master, arguments)
    data = replace(plan.config.data, root=None, path=None, test_path=None)  # where the study says that they are
    return Study(open_study(replace(plan.config, data=data), plan.name))


@dataclass(frozen=True)
class Best:
    """The best setting of a study. `value`: of `metric`, on validation data. `command` trains it again."""

    trial: int
    value: float
    params: dict[str, Any]
    metric: str
    metrics: dict[str, float]
    command: str


@dataclass(frozen=True)
class Verdict:
    """What confirming found. `word`: helps, harms, no difference shown, or no regularization chosen. `record`: every
    number, as in confirm.json. Its text is what pipelines/confirm.py prints."""

    word: str
    sentence: str
    record: dict[str, Any]

    def __str__(self) -> str:
        from ridgeline.evaluation.verdict import closing_words

        return closing_words(self.record)

    def __repr__(self) -> str:
        return f"Verdict({self.sentence!r})"


class Study:
    """A study that is on disk and in MLflow, whoever started it: `ridgeline.search`, or the command line."""

    def __init__(self, stored: StoredStudy) -> None:
        self._stored = stored

    @classmethod
    def open(cls, name: str, overrides: Sequence[str] = ()) -> Study:
        """The study of this name. `overrides`: where it is (`runs=...`), as for pipelines/confirm.py."""
        overrides = listed(overrides)
        where = [] if given_value(overrides, "runs") else [setting("runs", runs_folder(None))]
        return cls(open_study(_asked([*where, *overrides]), name))

    @property
    def name(self) -> str:
        return self._stored.name

    @property
    def folder(self) -> Path:
        return self._stored.folder

    @property
    def config(self) -> Config:
        """What all of its trials have in common."""
        return self._stored.config

    @property
    def best(self) -> Best:
        """Raises ConfigError where no trial has ended with a value."""
        stored = self._stored
        first = stored.find_best()
        command = stored.line.retrain(first.trial.params)
        return Best(first.trial.number, first.value, first.params, stored.config.metric, first.metrics, command)

    def best_fitted(self) -> Fitted:
        """The network of the best trial, as it ended. Raises ConfigError where its weights are not kept."""
        from safetensors.torch import load_file

        from ridgeline.evaluation.compared import NOT_KEPT, kept_of_best
        from ridgeline.evaluation.fitted import fitted_of
        from ridgeline.search.records import WEIGHTS

        self._stored.find_best()
        kept = kept_of_best(self._stored)
        if kept is None:
            raise ConfigError(NOT_KEPT)
        config = self._stored.config_of(kept.number)
        found = fitted_of(config, load_file(self._stored.job(kept.number) / WEIGHTS))
        if found is None:
            raise ConfigError(f"What {config.network_name} gives is no prediction of an example.")
        return found[0]

    def table(self) -> pd.DataFrame:
        """A row for each trial, the best first: its params, its figures, how it ended and where its files are."""
        import pandas as pd

        frame = pd.read_csv(self.folder / "trials.csv")
        is_down = str(self._stored.study.direction.name) == "MINIMIZE"
        return frame.sort_values("value", ascending=is_down, kind="stable").reset_index(drop=True)

    @property
    def figures(self) -> dict[str, Figure]:
        """Optuna's pictures by name (history, slice, contour, importance), as far as there is something to draw."""
        from ridgeline.report.studies import study_figures
        from ridgeline.search.repeats import shown

        stored = self._stored
        return study_figures(shown(stored.study, stored.line.space), stored.config.metric, self.name)

    def confirm(self, **settings: Any) -> Verdict:
        """Does regularization help? The best against the baseline, over seeds, on the test split; recorded, and the
        winner registered. `settings`: those of the group `confirm`, as in `confirm(seeds=50)`.

        Raises FitsFailed where training fails, TrackingError where MLflow has not taken what is stored.
        """
        from ridgeline.data.test_split import confirming, open_test_split
        from ridgeline.evaluation.confirm import confirm_study

        asked = build(ConfirmConfig, {**as_tree(self.config)["confirm"], **settings}, "confirm")
        with confirming():
            confirm_study(self._stored, asked, open_test_split, say=lambda line: None)
        self.__dict__.pop("champion", None)
        verdict = self.verdict
        assert verdict is not None
        return verdict

    @property
    def verdict(self) -> Verdict | None:
        """Of an earlier confirm; None before."""
        from ridgeline.evaluation.confirm_folder import read_confirmed

        confirmed = read_confirmed(self.folder)
        if confirmed is None:
            return None
        record = dict(confirmed.record)
        return Verdict(record["verdict"]["word"], record["verdict"]["sentence"], record)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Draw the study as one HTML page into its folder, and a copy to `path`; where the page is."""
        from ridgeline.evaluation.story import write_report

        copy = None if path is None else os.path.abspath(os.path.expanduser(path))
        return write_report(replace(self.config, study=self.name, report=copy))[-1]

    @cached_property
    def champion(self) -> Champion:
        """The network that confirming has registered: raw rows in, predictions out."""
        return Champion.of(self._stored)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The mean of the study's networks that is best on validation, as they were trained: nothing trains again, and
        the test split stays closed. `confirm(ensemble=True)` says what averaging gains."""
        return Ensemble.of(self._stored)

    def __repr__(self) -> str:
        trials = ran(self._stored.study)
        return f"Study({self.name!r}, {len(trials)} trials, {str(self.folder)!r})"


@one_trial
def _train(cfg: DictConfig) -> dict[str, Any]:
    """What pipelines/train.py does for a trial, where worker processes cannot."""
    from ridgeline.trial.run import run_trial

    return dict(run_trial(checked(cfg), Path(HydraConfig.get().runtime.output_dir)))


def _run(context: Any, master: DictConfig, arguments: Sequence[str]) -> Plan:
    from ridgeline.search import study

    try:
        with one_line_mistakes():
            return study.run(context, _train, master, arguments)
    except StudyStopped as stopped:
        if stopped.code == INTERRUPTED_CODE:
            raise KeyboardInterrupt(str(stopped)) from None
        raise


def _asked(overrides: Sequence[str]) -> Config:
    """What a study is opened with: only places, of the configuration of no search."""
    plain = [o for o in overrides if not key_of(o).startswith("search.")]
    config = compose(plain)
    storage = given_value(overrides, "search.storage")
    return config if storage is None else replace(config, search=replace(config.search, storage=storage))
