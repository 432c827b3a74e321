"""Which regularizers earn their place: each left out of the best network, and alone on the baseline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from ridgeline.config import Config, ConfirmConfig, RegularizationConfig
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.ablation import LeftOut, describe_ablation, strengths_in, variants, word_of
from ridgeline.evaluation.ablation_words import ONE_ON, ablation_lines, summary_of
from ridgeline.evaluation.arms import Arm
from ridgeline.evaluation.baseline import regularizers, with_only, without_regularization
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.measuring import Measured, Measuring
from ridgeline.evaluation.opened import Opened, keep, read
from ridgeline.evaluation.statistics import Sample, holm
from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import write_report
from ridgeline.report.ablation import ablated
from settings import small
from sweeping import Studies
from test_confirm_module import divided
from test_stacked_study import train

L2, DROPOUT, SMOOTHING, DECAY = (
    *(f"regularization.{name}" for name in ("l2", "dropout", "label_smoothing")),
    "optimizer.weight_decay",
)
SEVERAL = {L2: 0.01, DROPOUT: 0.3, SMOOTHING: 0.1, DECAY: 0.02, "augmentation.flip": 0.5}


def several(**more: Any) -> Config:
    return small(
        **{"optimizer.name": "adamw", "data.standardize": "all", "regularization.penalize": "hidden", **SEVERAL, **more}
    )


def networks(best: Config, baseline: Config | None = None) -> dict[str, list[Config]]:
    other = without_regularization(best) if baseline is None else baseline
    found = variants(Candidate(best, 0, {}, None), Candidate(other, None, {}, None))
    return {f"{kind} {key}": [c.config for c in one.candidates] for one in found for kind, key in one.of}


def test_each_is_left_out_and_each_is_alone_by_the_baselines_own_definition() -> None:
    best = several()
    found = networks(best)
    assert list(strengths_in(best)) == list(regularizers(best))
    assert len(found) == 2 * len(SEVERAL)
    for key in SEVERAL:
        (without,), (alone,) = found[f"without {key}"], found[f"alone {key}"]
        assert regularizers(without) == {other: value for other, value in SEVERAL.items() if other != key}
        assert regularizers(alone) == {key: SEVERAL[key]}
        assert without_regularization(without) == without_regularization(alone) == without_regularization(best)
    assert with_only(best, SEVERAL) == best
    assert with_only(best, [DROPOUT]).regularization == RegularizationConfig(dropout=0.3)
    assert with_only(best, [L2]).regularization.penalize == "hidden"  # how it acts goes with it


def test_each_is_tried_with_the_baselines_learning_rate_too() -> None:
    best = several()
    baseline = without_regularization(replace(best, optimizer=replace(best.optimizer, lr=0.1)))
    for name, (own, other) in networks(best, baseline).items():
        assert (own.optimizer.lr, other.optimizer.lr) == (best.optimizer.lr, 0.1)
        assert regularizers(own) == regularizers(other), name
        assert replace(other, optimizer=own.optimizer) == own


def test_a_schedule_stays_while_something_that_it_multiplies_is_on() -> None:
    schedule = {"name": "linear", "epochs": 2}
    best = several(callbacks={"penalty_schedule": schedule, "dropout_schedule": schedule, "early_stopping": {}})
    assert not any("schedule" in key for key in strengths_in(best))
    for name, (config,) in networks(best).items():
        known, on = config.callbacks, regularizers(config)
        assert (known.penalty_schedule is not None) == (L2 in on), name
        assert (known.dropout_schedule is not None) == (DROPOUT in on), name
        assert known.early_stopping == best.callbacks.early_stopping  # it is on for all, as in a verdict


def test_arguments_of_a_module_are_left_out_as_keys_are() -> None:
    optimizer = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.02, "weight_decay": 0.3}
    net = {"_target_": "own_modules.Net", "dropout": 0.4}
    best = divided(model={"_target_": "own_modules.Lit", "net": net, "optimizer": optimizer}, regularization__l2=0.1)
    rate, decay = "model.net.dropout", "model.optimizer.weight_decay"
    found = networks(best)
    assert regularizers(found[f"alone {rate}"][0]) == {rate: 0.4}
    assert regularizers(found[f"without {rate}"][0]) == {L2: 0.1, decay: 0.3}
    assert regularizers(found[f"without {decay}"][0]) == {L2: 0.1, rate: 0.4}
    assert found[f"alone {decay}"][0].regularization.dropout == 0  # as in the baseline, whatever the module's code says
    assert found[f"without {decay}"][0].regularization.dropout is None


def test_one_regularizer_alone_is_the_verdicts_question_and_trains_nothing_twice() -> None:
    best = small(regularization__l2=0.1)
    assert variants(Candidate(best, 0, {}, None), Candidate(without_regularization(best), None, {}, None)) == []
    left = LeftOut({L2: 0.1}, {}, {}, {}, {}, 0)
    opened = Opened(np.empty(0), {}, {}, {})
    assert describe_ablation(left, opened, Measuring("error", "classification"))["sentence"] == ONE_ON
    two = small(regularization__l2=0.1, regularization__dropout=0.2)
    found = variants(Candidate(two, 0, {}, None), Candidate(without_regularization(two), None, {}, None))
    assert [len(one.of) for one in found] == [2, 2]  # without the one the other is alone


def test_adjusted_p_values_are_holms() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (0.01, 0.03, 0.001, "earns its place"),
        (-0.03, -0.01, 0.001, "harms"),
        (0.01, 0.03, 0.051, "not shown"),  # one of many tests
        (-0.001, 0.04, 0.001, "not shown"),
        (0.00001, 0.00002, 0.001, "not shown"),  # next to nothing, in regression
    ],
)
def test_what_earns_its_place_is_shown_by_interval_and_adjusted_p(low: float, high: float, p: float, word: str) -> None:
    gain = {"mean": (low + high) / 2, "low": low, "high": high}
    assert word_of("without", gain, p, 0.001) == word
    assert word_of("alone", gain, p, 0.001) == word.replace("earns its place", "helps")


def left_and_opened(errors: dict[str, np.ndarray], figure: str) -> tuple[LeftOut, Opened]:
    """`errors`: of best and baseline, and of l2 and dropout left out and alone."""
    nothing = np.zeros((4, 0, 1))
    measured = {name: Measured(nothing, own, own) for name, own in errors.items()}
    names: Any = {(kind, key): f"{kind} {key}" for key in (L2, DROPOUT) for kind in ("without", "alone")}
    arms = {name: Arm(Candidate(small(), None, {}, None), small(), [1, 2, 3, 4], []) for name in names.values()}
    left = LeftOut({L2: 0.1, DROPOUT: 0.2}, names, arms, dict.fromkeys(arms, "best"), {}, 16)
    both = {name: measured.pop(name) for name in ("best", "baseline")}
    return left, Opened(np.zeros(300), both, {}, {}, Sample(), measured)


@pytest.mark.parametrize("figure", ["error", "rmse", "test/acc"])
def test_a_gain_is_what_the_network_with_the_regularizer_does_better(figure: str) -> None:
    draw = np.random.default_rng(0)
    rates = {"best": 0.1, "baseline": 0.4, f"without {L2}": 0.1, f"without {DROPOUT}": 0.38}
    rates |= {f"alone {L2}": 0.4, f"alone {DROPOUT}": 0.11}
    hard_N = draw.random(300)
    errors = {name: ((hard_N < rate) ^ (draw.random((4, 300)) < 0.02)).astype(float) for name, rate in rates.items()}
    if figure == "test/acc":
        errors = {name: 1 - own.mean(axis=1, keepdims=True) for name, own in errors.items()}
    by_seeds = figure == "test/acc"
    measuring = Measuring(figure, "classification", by_seeds=by_seeds, larger_is_better=by_seeds)
    left, opened = left_and_opened(errors, figure)
    found = describe_ablation(left, opened, measuring)
    assert found["sentence"] == "Of 2 regularizers dropout earns its place; of l2 it is not shown."
    l2, dropout = found["regularizers"]
    assert (l2["without"]["word"], l2["alone"]["word"]) == ("not shown", "not shown")
    assert (dropout["without"]["word"], dropout["alone"]["word"]) == ("earns its place", "helps")
    value = {name: own.mean() ** (0.5 if figure == "rmse" else 1) for name, own in errors.items()}
    sign = -1 if by_seeds else 1
    expected = sign * (value[f"without {DROPOUT}"] - value["best"])
    assert dropout["without"]["gain"]["mean"] == pytest.approx(expected)
    assert dropout["alone"]["gain"]["mean"] == pytest.approx(sign * (value["baseline"] - value[f"alone {DROPOUT}"]))
    assert dropout["alone"]["test"] == pytest.approx(value[f"alone {DROPOUT}"])
    assert all(
        row[kind]["adjusted_p"] >= row[kind]["gain"]["p_value"]
        for row in (l2, dropout)
        for kind in row
        if kind in ("without", "alone")
    )
    lines = ablation_lines(found, figure)
    unit = {"error": "points of test error", "rmse": "test RMSE"}.get(figure, figure)
    assert lines[-1] == f"In {unit}, with 95% intervals; p is adjusted for 4 comparisons (Holm)."
    assert sum(line.startswith("regularization.") for line in lines) == 2


def test_a_network_that_cannot_be_trained_leaves_the_others_their_say() -> None:
    errors = dict.fromkeys(("best", "baseline", f"without {DROPOUT}", f"alone {DROPOUT}", f"alone {L2}"), np.eye(4, 30))
    left, opened = left_and_opened(errors | {f"without {L2}": np.eye(4, 30)}, "error")
    left.arms.pop(f"without {L2}")
    left.failed[f"without {L2}"] = "4 of 4 fits failed: the loss is not finite."
    found = describe_ablation(left, opened, Measuring("error", "classification"))
    assert found["comparisons"] == 3
    assert found["regularizers"][0]["without"] == {"failed": "4 of 4 fits failed: the loss is not finite."}
    assert found["sentence"] == "None of the 2 regularizers is shown to earn its place."
    assert any("the loss is not finite" in line for line in ablation_lines(found, "error"))
    assert ablated(found, "error").count("l2 0.1") == 1


def test_several_that_earn_their_place_or_harm_are_all_named() -> None:
    words = {"a.x": "earns its place", "b.x": "earns its place", "c": "harms", "d": "not shown", "e": "not shown"}
    rows = [{"key": key, "without": {"word": word}} for key, word in words.items()]
    assert summary_of(rows) == "Of 5 regularizers a.x and b.x earn their place; c harms; of d and e it is not shown."


def test_the_picture_tells_both_kinds_and_what_is_shown_without_colour() -> None:
    def own(mean: float, word: str) -> dict[str, Any]:
        return {"gain": {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}, "word": word}

    rows = [
        {"key": DROPOUT, "value": 0.3123, "without": own(0.02, "earns its place"), "alone": own(0.03, "helps")},
        {"key": DECAY, "value": 0.01, "without": own(0.0, "not shown"), "alone": own(0.001, "not shown")},
    ]
    picture = ablated({"regularizers": rows}, "error")
    assert "dropout 0.3123" in picture
    assert "weight_decay 0.01" in picture
    assert picture.count("stroke-dasharray") == 3  # alone: two, and the legend
    hollow = picture.count("fill: var(--paper)")
    assert hollow >= 2
    assert 'aria-label="what each regularizer gains in test error, with 95% intervals: left out, and alone"' in picture


def test_errors_of_other_networks_are_kept_without_their_predictions(tmp_path: Path) -> None:
    _, opened = left_and_opened({"best": np.eye(4, 5), "baseline": np.eye(4, 5), f"without {L2}": np.ones((4, 5))}, "")
    keep(replace(opened, opening={"number": 1}), tmp_path / "a.safetensors")
    again = read(tmp_path / "a.safetensors")
    assert list(again.beside) == [f"without {L2}"]
    assert np.array_equal(again.beside[f"without {L2}"].errors_SN, np.ones((4, 5)))
    assert set(again.measured) == {"best", "baseline"}


@pytest.mark.verify
def test_leaving_out_changes_nothing_of_the_verdict_and_opens_the_test_split_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    line = ["search=bayes", "search.n_trials=6", "search.study_name=one", "network.hidden=[12]", "data.examples=300"]
    line += ["trainer.max_epochs=6", "optimizer.lr=0.02", "regularization.label_smoothing=0.1", "optimizer=adamw"]
    Studies(runs, runs / "mlflow.db").run(*line, task=train)
    asked = replace(small(), runs=str(runs))
    stored, records = open_study(asked, "one"), []
    settings = ConfirmConfig(top=2, selection_seeds=2, seeds=3)
    for leave_one_out in (False, True, True):
        said = list[str]()
        with confirming():
            confirm_study(stored, replace(settings, leave_one_out=leave_one_out), open_test_split, said.append)
        records.append(json.loads((stored.folder / "confirm" / "confirm.json").read_text()))
    without, with_it, again = records
    for key in ("verdict", "difference", "candidates", "off"):
        assert without[key] == with_it[key]
    for name in ("best", "baseline"):
        assert without["arms"][name]["test"] == with_it["arms"][name]["test"]
    assert "ablation" not in without
    found = with_it["ablation"]
    assert [row["key"] for row in found["regularizers"]] == [key for key in with_it["off"] if "schedule" not in key]
    n = len(found["regularizers"])
    assert said[0].startswith(f"Leaving out each of {n} regularizers, and each alone: {2 * n} networks")
    assert f"{found['fits']:,} more fits" in said[0]
    assert with_it["cost"]["fits"] == without["cost"]["fits"] + found["fits"]
    openings = [json.loads(one) for one in (runs / "test_openings.jsonl").read_text().splitlines()]
    assert ["reused" in one for one in openings] == [False, False, True]  # the networks left out were others
    assert again["ablation"] == found
    kept = [read(path) for path in (stored.folder / "confirm" / "opened").iterdir()]
    (beside,) = [opened.beside for opened in kept if opened.beside]
    assert {own.predictions_SNC.shape[1] for own in beside.values()} == {0}  # they take most of the room
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    metrics = client.get_run(stored.run_id or "").data.metrics
    for row in found["regularizers"]:
        for kind in ("without", "alone"):
            name = f"verdict/ablation/{row['key']}/{kind}"
            assert metrics[f"{name}/gain_mean"] == pytest.approx(row[kind]["gain"]["mean"])
            assert metrics[f"{name}/adjusted_p"] == pytest.approx(row[kind]["adjusted_p"])
    with confirming():
        confirm_study(stored, replace(settings, ensemble=True), open_test_split, said.append)
    other = json.loads((stored.folder / "confirm" / "confirm.json").read_text())
    assert other["earlier"]["ablation"]["answer"] == found  # both answers are on the page
    assert any(line.startswith("The page still says which regularizers earn their place") for line in said)
    page = write_report(replace(asked, study="one"))[0].read_text()
    assert found["sentence"] in page
    assert page.count('id="averaging"') == page.count("Asked by an earlier confirm") == 1
    assert "could not be drawn" not in page
    assert page.count('id="regularizers"') == 1


def write_table(path: Path) -> None:
    """24 clusters of four classes; three labels in ten are dealt out at random: what is learned by heart is wrong."""
    draw = np.random.default_rng(0)
    centres, cluster_N = draw.standard_normal((24, 20)), draw.integers(0, 24, 3000)
    x_NI = centres[cluster_N] + 0.5 * draw.standard_normal((3000, 20))
    class_N = np.where(draw.random(3000) < 0.3, draw.integers(0, 4, 3000), cluster_N % 4)
    columns = {f"x{i}": x_NI[:, i] for i in range(20)}
    pd.DataFrame({**columns, "class": [f"c{c}" for c in class_N]}).to_csv(path, index=False)


@pytest.mark.verify
def test_where_dropout_alone_helps_it_says_dropout(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    line = ["data=table", f"data.path={tmp_path / 'table.csv'}", "data.target=class", "data.train=0.12"]
    line += [
        "data.validation=0.06",
        "network=mlp",
        "network.hidden=[128]",
        "optimizer.lr=0.02",
        "search.study_name=one",
    ]
    line += ["trainer.max_epochs=60", "trainer.batch_size=50", "trainer.restore_best=false"]
    line += ["callbacks.early_stopping=null", "regularization.l2=1e-9", "regularization.dropout=0.6,0.7"]
    runs = tmp_path / "runs"
    Studies(runs, runs / "mlflow.db").run(*line, task=train)
    stored = open_study(replace(small(), runs=str(runs)), "one")
    settings = ConfirmConfig(top=1, selection_seeds=2, seeds=4, lr_factor=1.5, leave_one_out=True)
    with confirming():
        confirm_study(stored, settings, open_test_split, lambda words: None)
    found = json.loads((stored.folder / "confirm" / "confirm.json").read_text())["ablation"]
    assert found["sentence"] == "Of 2 regularizers dropout earns its place; of l2 it is not shown."
    l2, dropout = sorted(found["regularizers"], key=lambda row: row["key"] == DROPOUT)
    assert (dropout["alone"]["word"], l2["alone"]["word"]) == ("helps", "not shown")
    assert found["fits"] in (2 * (2 + 4), 2 * (2 * 2 + 4))  # without the one the other is alone: two networks
