"""The page of a study: whole, honest, without a word from outside, whatever the data say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig
from mlflow import MlflowClient
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, create_trial

from confirming import confirm
from ridgeline.config import Config, ConfigError
from ridgeline.entry_points import ROOT, checked, one_trial
from ridgeline.evaluation.origin import time_of
from ridgeline.evaluation.stored import StoredStudy, open_study
from ridgeline.evaluation.story import gather, write_report
from ridgeline.evaluation.verdict import _opening
from ridgeline.report import notation
from ridgeline.report.facts import Axis, Curves, Story, Trial
from ridgeline.report.page import render
from ridgeline.report.spaces import smooth
from ridgeline.report.table import heads
from ridgeline.search.ranking import OUTCOME, best_settings, ran
from ridgeline.trial.run import run_trial
from settings import small
from sweeping import Studies

TINY = ["network.hidden=[8]", "trainer.max_epochs=3", "optimizer.lr=0.01", "hydra.launcher.workers=1"]
BAYES = ["search=bayes", "search.n_trials=12", "search.n_startup_trials=12", "tracking.keep_weights=3"]


@one_trial
def train(cfg: DictConfig) -> Any:
    return run_trial(checked(cfg), Path(HydraConfig.get().runtime.output_dir))


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """digits, and moons, which is confirmed at a second opening."""
    folder = tmp_path_factory.mktemp("report")
    studies = Studies(folder / "runs", folder / "mlflow.db")
    studies.run(*BAYES, *TINY, "search.study_name=digits", f"search.summary={folder / 'search.json'}", task=train)
    studies.run(*BAYES, *TINY, "data=moons", "search.study_name=moons", task=train)
    _confirm(opened(studies, "moons"), number=2)
    return studies


def opened(studies: Studies, name: str) -> StoredStudy:
    return open_study(small(runs=str(studies.runs)), name)


def _confirm(stored: StoredStudy, number: int = 1) -> None:
    best = best_settings(ran(stored.study), stored.study.direction)[0].trial
    confirm(stored.folder, stored.name, stored.config_of(best.number), best.number, best.params, number=number)


def asked(studies: Studies, study: str, **more: Any) -> Config:
    return replace(small(runs=str(studies.runs)), study=study, **more)


class Elements(HTMLParser):
    """The tags of a page with their attributes, and its text outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._inside = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


def part(page: str, name: str) -> str:
    """A section's source."""
    return page.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def test_the_page_is_in_the_folder_in_the_run_and_where_it_was_asked_for(studies: Studies, tmp_path: Path) -> None:
    copy = tmp_path / "results" / "report.html"
    summary = str(studies.runs.parent / "search.json")
    paths = write_report(asked(studies, summary, report=str(copy)))
    assert paths == [studies.runs / "studies" / "digits" / "report.html", copy]
    assert copy.read_bytes() == paths[0].read_bytes()
    stored = opened(studies, "digits")
    assert stored.run_id is not None
    client = MlflowClient(f"sqlite:///{studies.runs.parent / 'mlflow.db'}")
    logged = client.download_artifacts(stored.run_id, "study/report.html", str(tmp_path))
    assert Path(logged).read_bytes() == copy.read_bytes()
    assert client.get_run(stored.run_id).info.status == "FINISHED"


def test_a_study_without_confirmation_says_so_first_and_how_to_confirm(studies: Studies) -> None:
    page = render(gather(opened(studies, "digits"), {}))
    study = ["history", "space", "parallel", "importance", "curves", "gap", "weights", "predictions"]
    assert sections(page) == ["verdict", *study, "trials", "made"]
    assert "Not confirmed" in part(page, "verdict")
    assert "pipelines/confirm.py study=digits" in part(page, "verdict")
    assert part(page, "space").count("<svg") == 2  # error and loss
    assert part(page, "gap").count("<svg") == 2  # against lambda, and against the dropout rate
    assert "PED-ANOVA" in part(page, "importance")
    assert "come with confirming" in part(page, "weights")


def test_a_confirmed_study_begins_with_its_verdict_and_shows_a_second_opening(studies: Studies) -> None:
    stored = opened(studies, "moons")
    page = render(gather(stored, {}))
    assert sections(page)[:3] == ["verdict", "numbers", "history"]
    verdict = part(page, "verdict")
    assert verdict.index("No difference shown") < verdict.index("<svg")
    assert "opened for the second time on 2026-11-21 08:00 UTC" in verdict
    assert "<b>earlier-1</b> on 2026-10-01 08:00 UTC" in verdict
    assert notation.OPENED_BEFORE in verdict  # as confirm says on the terminal
    assert "This is of the study when it had 2 trials." in verdict
    numbers = Elements(part(page, "numbers")).text
    record = json.loads((stored.folder / "confirm" / "confirm.json").read_text())
    assert any(notation.OPENED_BEFORE in line for line in _opening({**record["opening"], "reused": False}))
    error = record["arms"]["best"]["test"]["error"]
    assert f"{100 * error['mean']:.2f}%" in numbers
    spaced = numbers.replace("\N{NO-BREAK SPACE}", " ")
    said = ("p = 0.031", "1.23%", "18 fits, 31.4 s", "paired t test", "100 test")
    assert [one for one in said if one not in spaced] == []
    assert part(page, "boundary").count("<svg") == 2
    assert part(page, "curves").count("<svg") == 6  # baseline, best, over-regularized: loss and error
    assert '<b class="baseline">baseline</b>' in part(page, "weights")
    assert "No trial" not in part(page, "curves")


def test_a_first_opening_is_no_warning_and_images_are_shown(studies: Studies) -> None:
    stored = opened(studies, "digits")
    _confirm(stored)
    try:
        page = render(gather(stored, {}))
    finally:
        for path in (stored.folder / "confirm").iterdir():
            path.unlink()
        (stored.folder / "confirm").rmdir()
    assert "for the first time" in part(page, "verdict")
    assert '<p class="note">The test split was opened' in part(page, "verdict")
    images = Elements(part(page, "confused")).all("img")
    assert len(images) == 16
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)


def test_the_page_asks_nothing_of_a_network(studies: Studies) -> None:
    for name in ("digits", "moons"):
        page = render(gather(opened(studies, name), {}))
        elements = Elements(page)
        assert not elements.all("link")
        for tag, attributes in elements.tags:
            if tag == "a":  # followed by a click alone
                continue
            for key in ("src", "href", "xlink:href", "srcset", "action", "data"):
                assert (attributes.get(key) or "#").startswith(("#", "data:")), (tag, attributes)
        style = page.partition("<style>")[2].partition("</style>")[0]
        assert "url(" not in style
        assert "@import" not in style
        (policy,) = (m["content"] for m in elements.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none'; ")


def test_the_table_has_the_run_and_the_command_of_each_trial(studies: Studies) -> None:
    stored = opened(studies, "digits")
    page = part(render(gather(stored, {})), "trials")
    assert "--backend-store-uri" in page
    best = [setting.trial for setting in best_settings(ran(stored.study), stored.study.direction)]
    rows = page.partition("<tbody>")[2].split("<tr>")[1:]
    assert len(rows) == 12
    for trial, row in zip(best, rows, strict=True):
        text = Elements(row).text
        assert text.startswith(str(trial.number))
        assert stored.line.retrain(trial.params) in text
        run_id = trial.user_attrs["outcome"]["run_id"]
        assert run_id in text
        assert [link["href"] for link in Elements(row).all("a")] == [f"http://127.0.0.1:5000/#/runs/{run_id}"]


def test_how_it_was_made_is_told(studies: Studies) -> None:
    stored = opened(studies, "digits")
    tags = {"mlflow.source.git.commit": "c" * 40, "ridgeline.git.dirty": "true", "versions.torch": "2.13.0"}
    made = dict(gather(stored, tags).made)
    assert made["Revision"] == "c" * 40 + ", with uncommitted changes"
    assert made["Versions"] == "torch 2.13.0"
    assert stored.definition["data"][0] in made["Data"]
    assert made["Trials"] == "12 complete"
    assert made["Seeds"] == "search 0, fits 0, split 0"
    assert made["MLflow run"] == stored.run_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, .* s of wall time; .* s summed over the trials", made["Time"])


HOSTILE = '<script>alert("&")</script>$x_y$\'"><img src=x onerror=alert(1)>'


def story(n: int = 12, axes: list[Axis] | None = None, **changes: Any) -> Story:
    """Of made-up trials over lambda and the dropout rate."""
    if axes is None:
        axes = [Axis("regularization.l2", "l2", is_log=True), Axis("regularization.dropout", "dropout")]
    draw = np.random.default_rng(0)

    def params() -> dict[str, Any]:
        return {
            a.key: a.choices[draw.integers(len(a.choices))] if a.choices else float(10 ** draw.uniform(-6, -1))
            for a in axes
        }

    trials = []
    for i in range(n):
        value = float(draw.uniform(0.1, 3))
        metrics = {"final/val_error": value / 10, "final/train_loss": value / 2, "final/gap": value / 2}
        trials.append(Trial(i, "COMPLETE", value, params(), metrics, 1, 2, 0.1, f"{i:032x}"))
    made = Story(
        name="made-up",
        metric="val/loss",
        figure="error",
        larger_is_better=False,
        axes=axes,
        trials=trials,
        settings=trials,
        importance="too few",
        curves={},
        weights={},
        predicted=None,
        confirmed=None,
        confirm_command="confirm",
        retrain="train {}".format,
        server="http://127.0.0.1:5000",
        how_to_look="make ui",
        made=[("Data", "digits")],
    )
    return replace(made, **changes)


def test_what_comes_from_data_is_text(caplog: pytest.LogCaptureFixture) -> None:
    axes = [Axis(HOSTILE, HOSTILE), Axis("b" + HOSTILE, HOSTILE), Axis("c", HOSTILE, choices=(HOSTILE, "$$", "a$"))]
    hostile = story(12, axes, name=HOSTILE, metric=HOSTILE, made=[(HOSTILE, HOSTILE)], confirm_command=HOSTILE)
    run = replace(hostile.trials[0], run_id=HOSTILE)
    trials = [run, *hostile.trials[1:]]
    hostile = replace(
        hostile,
        trials=trials,
        settings=trials,
        retrain=lambda number: HOSTILE,
        importance={HOSTILE: 0.5, "c": 0.5},
        missing={"curves": HOSTILE, "weights": HOSTILE},
        server="https://host",
        how_to_look=HOSTILE,
    )
    page = render(hostile)
    assert not caplog.records  # every picture is drawn
    elements = Elements(page)
    assert len(elements.all("script")) == 1
    assert not elements.all("img")
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    assert HOSTILE in elements.text
    assert part(page, "space").count("<svg") == 3


def test_a_server_gives_links_to_its_runs() -> None:
    page = render(story(3, server="https://ml.example:5000", how_to_look=None))
    links = [link["href"] for link in Elements(page).all("a")]
    assert sorted(links) == [f"https://ml.example:5000/#/runs/{i:032x}" for i in range(3)]
    assert "make ui" not in page


def test_the_best_200_are_listed_and_the_others_counted() -> None:
    many = story(450)
    failed = [replace(t, state="FAILED", value=None) for t in many.trials[:30]]
    trials = [*failed, *many.trials[30:]]
    page = render(replace(many, trials=trials, settings=trials))
    assert "The 200 best of 450 trials: 420 complete, 30 failed." in page
    assert part(page, "trials").count("<details>") == 200
    assert "200 of 420 complete trials are drawn: the 20 best, and of the others an even selection" in page
    assert "Show all 200, not just the first 10" in page
    few = render(story(5))
    assert "Show all" not in few
    assert "are drawn" not in few
    assert few.count("<details>") == 5


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_a_few_trials_have_a_page_too(n: int, caplog: pytest.LogCaptureFixture) -> None:
    page = render(story(n))
    assert not caplog.records
    assert ("<svg" in part(page, "space")) == (n >= 3)
    if n < 3:
        assert "It takes 3 complete trials to draw" in page


LISTED = Axis("regularization.l2", "l2", choices=(0, 1e-4, 1e-2))
CHOICE = Axis("optimizer", "optimizer", choices=("adam", "sgd"))
LR = Axis("optimizer.lr", "lr", is_log=True)


@pytest.mark.parametrize(
    ("axes", "surfaces", "curves"),
    [
        ([LR], 0, 2),  # a curve of error and one of loss
        ([CHOICE], 0, 1),  # a strip
        ([LISTED, LR], 2, 0),
        ([LISTED, Axis("seed", "seed", choices=(1, 2, 3))], 2, 0),  # cells of a grid
        ([LISTED, LR, CHOICE], 2, 1),
    ],
)
def test_every_space_has_its_pictures(
    axes: list[Axis], surfaces: int, curves: int, caplog: pytest.LogCaptureFixture
) -> None:
    page = part(render(story(30, axes)), "space")
    labels = [one["aria-label"] or "" for one in Elements(page).all("svg")]
    assert not caplog.records
    assert sum(" over " in label for label in labels) == surfaces
    assert sum(" against " in label for label in labels) == curves


def test_failed_and_pruned_trials_are_on_the_surface_and_broken_numbers_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = story(20)
    states = ["FAILED", "PRUNED", "INTERRUPTED", "RUNNING"]
    others = [replace(base.trials[i], state=state, value=None, metrics={}) for i, state in enumerate(states)]
    broken = [replace(t, value=float("nan"), metrics={"final/gap": float("nan")}) for t in base.trials[4:6]]
    trials = [*others, *broken, *base.trials[6:]]
    page = render(replace(base, trials=trials, settings=trials))
    assert not caplog.records
    assert "validation error, % over l2 and dropout: 14 trials" in page
    assert "20 trials: 16 complete, 1 pruned, 1 failed, 1 interrupted, 1 running" in page


def test_a_place_without_a_trial_near_says_nothing_and_means_stay_in_range() -> None:
    points = np.array([[0.1, 0.1], [0.12, 0.1], [0.1, 0.12]])
    values = np.array([1.0, 2.0, 3.0])
    found = smooth(points, values, np.array([[0.1, 0.1], [0.95, 0.95]]))
    assert 1 < found[0] < 3
    assert np.isnan(found[1])
    np.testing.assert_allclose(smooth(points, np.full(3, 0.7), points), 0.7)


def test_over_regularized_has_no_less_of_anything_than_the_best(studies: Studies) -> None:
    stored = opened(studies, "digits")
    title = gather(stored, {}).curves["over-regularized"].title
    number = int(title.rpartition(" ")[2])
    trials = stored.study.get_trials(deepcopy=False)
    best = best_settings(ran(stored.study), stored.study.direction)[0].trial
    assert number != best.number
    assert all(trials[number].params[key] >= best.params[key] for key in best.params)


def test_the_baseline_of_a_study_is_shown_before_confirming(studies: Studies) -> None:
    grid = ["regularization.l2=0,1e-4,1e-2", "regularization.dropout=0,0.25", "tracking.keep_members=0"]
    studies.run(*grid, "hydra/launcher=basic", "search.study_name=grid")
    curves = gather(opened(studies, "grid"), {}).curves
    assert curves["baseline"].title == "l2 0, dropout 0, trial 0"
    assert curves["best"].title == "l2 0.0001, dropout 0, trial 2"


def test_a_picture_that_cannot_be_drawn_is_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    page = render(story(5, curves={"best": Curves("no epochs", [[{"train/loss": 1.0}]])}))
    assert "A picture could not be drawn" in part(page, "curves")
    assert "<svg" in part(page, "space")
    assert caplog.records


def test_a_mistake_is_one_line_before_anything_is_written(studies: Studies) -> None:
    with pytest.raises(ConfigError, match="Did you mean digits"):
        write_report(asked(studies, "digts"))
    with pytest.raises(ConfigError, match=r"study=NAME is given"):
        write_report(small(runs=str(studies.runs)))
    elsewhere = replace(asked(studies, "digits"), runs=str(studies.runs / "none"))
    with pytest.raises(ConfigError, match="There is no study `digits`"):
        write_report(elsewhere)
    assert not (studies.runs / "none").exists()


@pytest.fixture
def entry_point(studies: Studies) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "pipelines/report.py"), f"runs={studies.runs}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    return run


@pytest.mark.verify
def test_the_command_writes_the_page_and_says_where(
    studies: Studies, entry_point: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ended = entry_point("study=moons")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"written: {studies.runs / 'studies' / 'moons' / 'report.html'}\n"
    refused = entry_point("study=mons")
    assert refused.returncode == 2
    assert refused.stderr == f"error: There is no study `mons` in {studies.runs / 'studies'}. Did you mean moons?\n"


def test_wall_time_leaves_pauses_out() -> None:
    def trial(start: int, end: int) -> FrozenTrial:
        made = create_trial(value=1.0, user_attrs={OUTCOME: {"seconds": end - start}})
        made.datetime_start, made.datetime_complete = (
            datetime(2026, 11, 1, 12) + timedelta(seconds=s) for s in (start, end)
        )
        return made

    trials = [trial(0, 10), trial(5, 20), trial(4000, 4030)]  # two at once, then the study was gone on with
    assert time_of(trials).partition(", ")[2] == "50.0 s of wall time; 55.0 s summed over the trials"


def test_numbers_are_written_as_they_are_read() -> None:
    assert [notation.number(value) for value in (1234567, 0.00012345, -0.5, None, float("nan"), True, "a-b")] == [
        *("1,234,567", "0.0001234", "\N{MINUS SIGN}0.5", "\N{EN DASH}", "\N{EN DASH}", "True", "a-b")
    ]
    estimate = {"mean": 0.0231, "low": -0.019, "high": 0.0275}
    assert notation.percent_estimate(estimate) == "2.31% [\N{MINUS SIGN}1.90,\N{NO-BREAK SPACE}2.75]"
    in_points = "+2.31 points [\N{MINUS SIGN}1.90,\N{NO-BREAK SPACE}+2.75]"
    assert notation.difference("error", estimate, " points") == in_points  # a difference of two percentages is none
    assert notation.settings({"regularization.l2": 1e-4, "loss": "hinge"}) == "l2 0.0001, loss hinge"
    assert notation.settings({}) == "regularization off"
    assert [notation.seconds(s) for s in (4.21, 200.0, 7500.0)] == ["4.2 s", "3 min 20 s", "2 h 5 min"]
    assert notation.ordinal(21) == "21st"


def test_neither_study_nor_report_makes_another_study(studies: Studies) -> None:
    unnamed, named = studies.plan(*BAYES), studies.plan(*BAYES, "study=moons", "report=page.html")
    assert named.name == unnamed.name
    assert named.definition == unnamed.definition


def test_the_page_of_a_module_ranks_by_its_own_metric_and_shows_nothing_that_it_does_not_log() -> None:
    made = story(12, metric="val/acc", figure=None, larger_is_better=True)
    best = max(made.trials, key=lambda t: t.value or 0.0)
    assert made.complete[0] == best
    page = Elements(render(made))
    assert f"best val/acc {notation.number(best.value)} in trial {best.number}" in page.text
    assert not {"val error", "gap"} & {head.label for head in heads(made)}
    assert "val error" in {head.label for head in heads(story(12))}
