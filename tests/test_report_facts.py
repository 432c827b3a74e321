"""What the page tells of trials, predictions and weights, held against numbers that are known."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from ridgeline.evaluation.compared import kept_of_best
from ridgeline.evaluation.predicted import describe
from ridgeline.evaluation.statistics import Sample
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.evaluation.story import gather
from ridgeline.report.compared import learning_curves
from ridgeline.report.facts import Axis, Curves, Examples, Trial
from ridgeline.report.notation import tick
from ridgeline.report.overview import drawn_of
from ridgeline.report.page import render
from ridgeline.report.pairs import measured
from ridgeline.report.predictions import mistakes, predictions
from ridgeline.report.seen import confused
from ridgeline.report.spaces import surface
from ridgeline.search.ranking import best_settings, ran
from sweeping import Studies
from test_report_page import Elements, _confirm, opened, part, story, train

SWEEP = ["regularization.l2=0,1,10", "optimizer.lr=0.01,30", "seed=1,2", "network.hidden=[8]", "trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    """Six settings of two seeds each, on digits."""
    folder = tmp_path_factory.mktemp("facts")
    studies = Studies(folder / "runs", folder / "mlflow.db")
    more = ["tracking.keep_weights=3", "hydra.launcher.workers=1", "search.study_name=swept"]
    studies.run(*SWEEP, *more, task=train)
    return opened(studies, "swept")


def spots(picture: dict[str, str | None]) -> list[tuple[int, float, float]]:
    values = (picture["data-spots"] or "").split()
    return [(int(n), float(x), float(y)) for n, x, y in zip(*[iter(values)] * 3, strict=True)]


def test_every_dot_says_which_trial_it_is_and_where(caplog: pytest.LogCaptureFixture) -> None:
    base = story(20)
    trials = [replace(t, state="FAILED", value=None) if t.number == 7 else t for t in base.trials]
    page = render(replace(base, trials=trials, settings=trials))
    told = page.partition('<div id="told" hidden>')[2].partition("</div>")[0].split("\n")
    assert [line.split("\t")[0] for line in told] == [str(t.number) for t in trials]
    assert told[7].split("\t")[1] == "trial 7, failed"
    assert told[0].split("\t")[2] == f"val/loss {trials[0].value:.4g}"
    pictures = [one for one in Elements(page).all("svg") if "data-spots" in one]
    assert len(pictures) == 6  # history, two surfaces, parallel coordinates, two of the gap
    for picture in pictures:
        assert {n for n, _, _ in spots(picture)} >= {t.number for t in trials if t.state == "COMPLETE"}
        width, height = map(float, (picture["viewbox"] or "").split()[2:])
        assert all(0 <= x <= width and 0 <= y <= height for _, x, y in spots(picture))
    history = {n: (x, y) for n, x, y in spots(pictures[0])}
    assert sorted(history) == list(range(20))
    across = [history[n][0] for n in range(20)]
    assert across == sorted(across)
    assert history[7][1] >= max(y for _, y in history.values())  # without a value: at the foot
    done = [t for t in trials if t.value is not None]
    heights = [history[t.number][1] for t in sorted(done, key=lambda t: -(t.value or 0))]
    assert heights == sorted(heights)
    assert not caplog.records


def test_parallel_coordinates_draw_the_best_and_an_even_selection_of_the_others() -> None:
    ranked = story(450).complete
    drawn = drawn_of(ranked)
    assert len(drawn) == 200
    assert drawn[:20] == ranked[:20]
    assert drawn[-1] == ranked[-1]
    gaps = np.diff([ranked.index(t) for t in drawn[20:]])
    assert set(gaps.tolist()) <= {2, 3}
    assert drawn_of(ranked[:200]) == ranked[:200]


def test_a_mistake_is_counted_where_it_was_made_and_certainty_beside_how_often_it_is_right() -> None:
    labels_N = np.array([0, 0, 1, 1, 1, 1])
    right, wrong = [0.9, 0.1, 0.0], [0.05, 0.95, 0.0]
    p_SNC = np.array([[right, wrong, wrong, wrong, wrong, right], [right, right, wrong, wrong, wrong, wrong]])
    seen = describe("made up", labels_N, {"best": p_SNC})
    np.testing.assert_allclose(seen.confusion_CC["best"], [[0.75, 0.25, 0], [1 / 8, 7 / 8, 0], [np.nan] * 3])
    assert mistakes(seen) == ["0 taken for 1 (25.0% of class 0)", "1 taken for 0 (12.5% of class 1)"]
    error_C, low_C, high_C = seen.error_C3["best"].T
    np.testing.assert_allclose(error_C, [0.25, 0.125, np.nan])
    assert ((low_C < error_C) & (error_C < high_C))[:2].all()
    bins_B3 = seen.bins_B3["best"]
    assert bins_B3[:, 2].sum() == 12
    np.testing.assert_allclose(bins_B3[13], [0.9, 3 / 4, 4])
    np.testing.assert_allclose(bins_B3[14], [0.95, 7 / 8, 8])


def test_classes_are_called_on_the_page_as_the_user_calls_them() -> None:
    p_SNC = np.array([[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]])
    seen = describe("made up", np.array([0, 0, 1]), {"best": p_SNC}, ("ill", "well"))
    assert mistakes(seen) == ["well taken for ill (100.0% of class well)", "ill taken for well (50.0% of class ill)"]
    for picture in predictions(seen)[:2]:
        assert "ill" in picture
        assert "well" in picture
    images = Examples(np.eye(4)[:1], np.array([0]), np.array([1]), np.array([0.2]), (1, 2, 2))
    assert [(one.label, one.predicted) for one in confused(images, ("ill", "well"))] == [("ill", "well")]


def test_confused_images_are_shown_in_their_colours() -> None:
    """All on one scale, so that colours can be compared; grey ones each from black to white."""
    x_MI = np.array([[0, 0, 255, 255, 0, 0], [51, 51, 51, 51, 51, 51]], np.float32)  # (C, H, W) = (3, 1, 2)
    labels = np.array([0, 1]), np.array([1, 0]), np.array([0.2, 0.3])
    images = confused(Examples(x_MI, *labels, (3, 1, 2)), ("sea", "ash"))
    shown = [Image.open(BytesIO(b64decode(one.source.partition(",")[2]))) for one in images]
    assert [list(image.convert("RGB").getdata()) for image in shown] == [[(0, 255, 0)] * 2, [(51, 51, 51)] * 2]
    (grey, _) = confused(Examples(x_MI, *labels, (1, 2, 3)))
    assert Image.open(BytesIO(b64decode(grey.source.partition(",")[2]))).getextrema() == (0, 255)


def test_no_mistake_in_few_examples_is_not_certainty() -> None:
    seen = describe("made up", np.array([0] * 36), {"best": np.tile([1.0, 0.0], (1, 36, 1))})
    np.testing.assert_allclose(seen.error_C3["best"][0], [0, 0, 1 - 0.025 ** (1 / 36)])


def test_the_error_of_a_class_is_as_sure_as_its_groups_are_many() -> None:
    draw = np.random.default_rng(0)
    labels_N, p_SN2 = np.repeat([0, 1], 20), draw.dirichlet([1, 1], (3, 40))
    copied = np.repeat(np.arange(40), 5)  # which say nothing new: they are a group
    alone = describe("made up", labels_N, {"best": p_SN2})
    sample = Sample(copied)
    grouped = describe("made up", labels_N[copied], {"best": p_SN2[:, copied]}, sample=sample)
    unknown = describe("made up", labels_N, {"best": p_SN2}, sample=None)
    np.testing.assert_allclose(grouped.error_C3["best"], alone.error_C3["best"])
    assert (grouped.by, alone.by, unknown.by) == ("groups of examples", "examples", None)
    np.testing.assert_allclose(unknown.error_C3["best"][:, 0], alone.error_C3["best"][:, 0])
    assert np.isnan(unknown.error_C3["best"][:, 1:]).all()
    assert "95% intervals" in predictions(grouped)[1]
    assert "95% intervals" not in predictions(unknown)[1]


def test_before_confirming_the_best_trial_is_measured_on_validation_and_it_is_said(stored: StoredStudy) -> None:
    best = kept_of_best(stored)
    assert best is not None
    assert best in best_settings(ran(stored.study), stored.study.direction)[0].trials
    told = gather(stored, {})
    assert told.predicted is not None
    section = part(render(told), "predictions")
    assert f"the 360 validation examples, by trial {best.number}" in section
    assert section.count("<svg") == 3  # one matrix, errors by class, reliability
    _, right_B, count_B = np.nan_to_num(told.predicted.bins_B3["best"]).T
    assert count_B.sum() == 360
    error = best.user_attrs["outcome"]["metrics"]["final/val_error"]
    assert 1 - (right_B * count_B).sum() / 360 == pytest.approx(error)


def test_a_norm_is_one_number_and_leaves_biases_out(stored: StoredStudy) -> None:
    best = kept_of_best(stored)
    assert best is not None
    weights = load_file(stored.job(best.number) / "weights.safetensors")
    squares = sum(float((w.astype(float) ** 2).sum()) for name, w in weights.items() if name.endswith(".weight"))
    assert gather(stored, {}).weights["best"].norm == pytest.approx(squares**0.5)


def test_a_swept_seed_repeats_a_setting_and_is_no_dimension(stored: StoredStudy) -> None:
    told = gather(stored, {})
    assert {axis.key for axis in told.axes} == {"regularization.l2", "optimizer.lr"}
    assert len(told.trials) == 12
    assert len(told.settings) == 6
    for setting in told.complete:
        own = [t.value or 0.0 for t in told.trials if setting.params.items() <= t.params.items()]
        assert len(own) == 2
        assert setting.value == pytest.approx(sum(own) / 2)
    page = render(told)
    assert "the mean of 2 seeds" in page
    assert part(page, "trials").count("<details>") == len(told.complete)
    assert f"over l2 and lr: {len(told.complete)} trials" in part(page, "space")


def test_over_regularized_is_like_the_best_in_all_else(stored: StoredStudy) -> None:
    best = best_settings(ran(stored.study), stored.study.direction)[0]
    title = gather(stored, {}).curves["over-regularized"].title
    shown = stored.study.get_trials(deepcopy=False)[int(title.rpartition(" ")[2])]
    assert shown.params["optimizer.lr"] == best.params["optimizer.lr"] == 0.01
    assert shown.params["regularization.l2"] > best.params["regularization.l2"]


def test_ticks_are_short() -> None:
    assert [tick(v) for v in (1e-4, 2.5e-5, 0.001, 0.25, 1, 20000, 1e6, -0.5)] == [
        *("1e-4", "2.5e-5", "0.001", "0.25", "1", "20000", "1e6", "\N{MINUS SIGN}0.5")
    ]


def test_a_confirmed_page_has_the_norm_once_what_was_mistaken_and_a_borderline_verdict_in_its_own_colour(
    stored: StoredStudy,
) -> None:
    _confirm(stored)
    path = stored.folder / "confirm" / "confirm.json"
    record = json.loads(path.read_text())
    record["verdict"] = {"word": "helps", "sentence": "It helps, but only just.", "borderline": True}
    record |= {"off": {"regularization.l2": 1.0}, "early_stopping": True, "lost": [{"sentence": "A fit failed."}]}
    path.write_text(json.dumps(record))
    page = render(gather(stored, {}))
    assert page.count(">norm<") == 1
    assert page.count("A fit failed.") == 1
    assert page.count("Off in the baseline: l2 1. Early stopping is on for both.") == 1
    assert "norm" not in part(page, "numbers")
    for name in ("best", "baseline"):
        assert f"{record['arms'][name]['weight_norm']:#.4g}" in part(page, "weights")
    assert "the 360 test examples, over 3 seeds" in part(page, "predictions")
    assert part(page, "predictions").count("<svg") == 4  # a matrix of each network
    assert '<section id="verdict" class="verdict helps borderline">' in page


def test_darker_is_worse_on_the_map_whichever_way_the_metric_goes() -> None:
    axes = [Axis("l2", "l2", is_log=True), Axis("dropout", "dropout")]
    trials = [
        Trial(i, "COMPLETE", 0.1 * i, {"l2": 10.0 ** -(i + 1), "dropout": 0.1 * i}, {}, 1, 2, 0.1, None)
        for i in range(5)
    ]
    for rising in (False, True):
        drawn = surface(*axes, trials, lambda t: t.value or 0.0, "metric", rising=rising)
        lights = [sum(bytes.fromhex(dot)) for dot in re.findall(r'<use[^>]*style="fill: #(\w{6})', drawn)]
        assert len(lights) == len(trials)
        assert lights == sorted(lights, reverse=not rising)


def test_the_figure_that_a_study_was_by_has_curves() -> None:
    history = [
        {"epoch": float(e), "train/loss": 1.0, "val/loss": 1.0, "train/error": 0.1, "val/error": 0.1} for e in (1, 2)
    ]
    curves = {"best": Curves("l2 0.1", [[{**row, "val/auroc": 0.9 + row["epoch"] / 100} for row in history]])}
    drawn = learning_curves(curves, measured(("loss", "error", "auroc")))
    assert len(drawn) == 3
    assert "AUROC by epoch of the best network" in drawn[-1]
    assert len(learning_curves(curves, measured(("loss", "error", "loss")))) == 2
