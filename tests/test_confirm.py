"""Promises 7 and 8: a verdict against the baseline with an equal budget, on a test split with a ledger."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from optuna.distributions import FloatDistribution
from safetensors.torch import load_file

from ridgeline.checking import ConfigError
from ridgeline.command_line.outputs import json_text, require_writable
from ridgeline.config import AugmentationConfig, Config, ConfirmConfig, OptimizerConfig, RegularizationConfig, parse
from ridgeline.data import SplitLocked, load_splits, note_reuse
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation import candidates
from ridgeline.evaluation.baseline import propose_baselines, regularizers, without_regularization
from ridgeline.evaluation.candidates import Candidate, Trainer
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.confirmation import LEDGER
from ridgeline.evaluation.fits import start_workers
from ridgeline.evaluation.measuring import Measured
from ridgeline.evaluation.opened import Opened, keep, read
from ridgeline.evaluation.stored import StoredStudy, open_study
from ridgeline.evaluation.verdict import verdict
from ridgeline.search.space import Dimension
from ridgeline.stack.prediction import logits_KNC
from ridgeline.strengths import strengths_of
from ridgeline.tasks.data_loss import DataLoss
from ridgeline.tasks.losses import CrossEntropy
from ridgeline.tracking import TrackingError
from settings import small
from sweeping import Studies
from test_stacked_study import train

SETTINGS = ConfirmConfig(top=2, selection_seeds=2, seeds=3)
STUDY = (
    "search=bayes",
    "search.n_trials=6",
    "search.study_name=one",
    "network.hidden=[16],[12]",
    "data.standardize=feature,all",
    "optimizer=adamw",
    "trainer.max_epochs=6",
    "optimizer.lr=0.02",
    "hydra.launcher.stack_size=3",
)


GROUPS = {RegularizationConfig: "regularization", AugmentationConfig: "augmentation"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    runs = tmp_path_factory.mktemp("runs")
    Studies(runs, runs / "mlflow.db").run(*STUDY, task=train)
    return open_study(replace(small(), runs=str(runs)), "one")


@pytest.fixture(scope="module")
def record(stored: StoredStudy) -> dict[str, Any]:
    words = confirm(stored, 1)
    found: dict[str, Any] = json.loads((folder(stored) / "confirm.json").read_text())
    assert words.startswith(found["verdict"]["sentence"])
    assert "opened for the first time" in words
    return found


def confirm(stored: StoredStudy, number: int) -> str:
    said: list[str] = []
    with confirming():
        confirm_study(stored, replace(SETTINGS, summary=str(summary(stored, number))), open_test_split, said.append)
    return "\n".join(said)


def folder(stored: StoredStudy) -> Path:
    return stored.folder / "confirm"


def ledger(stored: StoredStudy) -> Path:
    return Path(stored.config.runs) / LEDGER


def summary(stored: StoredStudy, number: int) -> Path:
    return stored.folder.parent / f"summary{number}.json"


def test_the_best_is_chosen_by_new_seeds_on_validation_alone(record: dict[str, Any], stored: StoredStudy) -> None:
    listed = record["candidates"]["best"]
    studied = [c for c in listed if c["searched_value"] is not None]
    assert {c["trial"] for c in studied} == {c.trial for c in candidates.of_study(stored, 2)}
    assert [c["mean"] for c in listed] == sorted(c["mean"] for c in listed)
    lr, baseline = "optimizer.lr", record["candidates"]["baseline"]
    others = [c for c in listed if c["searched_value"] is None]  # the study searched no learning rate
    assert {c["params"][lr] for c in others} == {c["params"][lr] for c in baseline} - {0.02}
    assert listed[0]["mean"] == pytest.approx(np.mean(listed[0]["values"]))
    assert record["arms"]["best"]["trial"] == listed[0]["trial"]
    curves = json.loads((folder(stored) / "curves.json").read_text())
    best_epochs = [int(np.argmin([row["val/loss"] for row in history])) + 1 for history in curves["best"]]
    assert record["arms"]["best"]["epochs"] == sorted(best_epochs)[0]  # the lower median of two


def test_baseline_has_no_regularization_and_as_many_trials_as_the_study(
    record: dict[str, Any], stored: StoredStudy
) -> None:
    best = candidates.of_study(stored, 1)[0].config
    baseline = propose_baselines(best, stored.line.space, budget=6, lr_factor=10.0)
    assert len(baseline) == 6
    assert baseline[0].config.optimizer.lr == best.optimizer.lr
    for candidate in baseline:
        knobs = candidate.config.regularization
        assert (knobs.l1, knobs.l2, knobs.dropout, knobs.input_dropout) == (0.0, 0.0, 0.0, 0.0)
        assert best.optimizer.lr / 10 <= candidate.config.optimizer.lr <= best.optimizer.lr * 10
        assert candidate.config.optimizer.weight_decay == 0.0
        assert replace(candidate.config, optimizer=best.optimizer, regularization=best.regularization) == best


def test_baseline_is_the_winners_network_on_the_winners_data(record: dict[str, Any]) -> None:
    best, baseline = (parse({**record["arms"][name]["config"]}) for name in ("best", "baseline"))
    assert best.optimizer.weight_decay == 0.01
    assert without_regularization(best) == replace(
        baseline,
        optimizer=replace(baseline.optimizer, lr=best.optimizer.lr),
        trainer=replace(baseline.trainer, max_epochs=best.trainer.max_epochs),
    )
    assert record["off"]["optimizer.weight_decay"] == 0.01
    assert record["early_stopping"]


@pytest.mark.parametrize(
    "key",
    [
        "regularization.l1",
        "regularization.l2",
        "regularization.group_lasso",
        "regularization.max_norm",
        "regularization.dropout",
        "regularization.input_dropout",
        "regularization.dropconnect",
        "regularization.input_noise",
        "regularization.label_smoothing",
        "regularization.mixup",
        "regularization.weight_average",
        "augmentation.rotate",
        "augmentation.erase",
        "optimizer.weight_decay",
    ],
)
def test_whatever_regularizes_is_named_and_off_in_plain(key: str) -> None:
    on = small(**{"optimizer.name": "adamw", "data.standardize": "all", key: 0.1})
    assert regularizers(on) == {key: 0.1}
    assert regularizers(without_regularization(on)) == {}
    swept = [Dimension(key, "", "", FloatDistribution(0.0, 0.5))]
    for candidate in propose_baselines(on, swept, budget=3, lr_factor=10.0):
        assert regularizers(candidate.config) == {}


def test_each_field_of_regularization_and_augmentation_counts_as_one() -> None:
    """A new one of them is off in baseline without anybody thinking of it."""
    for group in (RegularizationConfig, AugmentationConfig):
        names = set(strengths_of(group))
        on = replace(small(), **{GROUPS[group]: group(**dict.fromkeys(names, 0.1))})
        assert set(regularizers(on)) == {f"{GROUPS[group]}.{name}" for name in names}
        off = group(dropout=0.0) if "dropout" in names else group()  # null is the dropout that a network has of its own
        assert getattr(without_regularization(on), GROUPS[group]) == off


def test_schedules_of_penalties_and_rates_are_off_in_the_baseline_and_early_stopping_is_not() -> None:
    schedule = {"name": "linear", "epochs": 2}
    on = small(regularization__l2=0.1, callbacks={"penalty_schedule": schedule, "early_stopping": {"patience": 3}})
    assert regularizers(on) == {"regularization.l2": 0.1, "callbacks.penalty_schedule": schedule}
    off = without_regularization(on).callbacks
    assert (off.penalty_schedule, off.early_stopping) == (None, on.callbacks.early_stopping)
    assert regularizers(replace(on, regularization=RegularizationConfig())) == {}  # it schedules nothing


@pytest.mark.parametrize(
    ("moved", "line"),
    [
        ("data.seed=0,1", "data.seed=0 and data.seed=1"),
        pytest.param("data=wine,breast_cancer", "data.name=wine and data.name=breast_cancer", marks=pytest.mark.verify),
        ("data.validation=0.2,0.3", "data.validation=0.2 and data.validation=0.3"),
        pytest.param("data.examples=60,80", "data.examples=60 and data.examples=80", marks=pytest.mark.verify),
        pytest.param(
            "data.permute_labels=false,true",
            "data.permute_labels=False and data.permute_labels=True",
            marks=pytest.mark.verify,
        ),
    ],
)
def test_a_study_that_moved_its_split_is_not_confirmed(
    moved: str, line: str, tmp_path: Path, stored: StoredStudy
) -> None:
    Studies(tmp_path, Path(stored.config.runs) / "mlflow.db").run("data=wine", moved, "search.study_name=moved")
    study = open_study(replace(small(), runs=str(tmp_path)), "moved")
    with pytest.raises(ConfigError, match=re.escape(line)) as refused, confirming():
        confirm_study(study, SETTINGS, open_test_split)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "test_openings.jsonl").exists()
    assert not (study.folder / "confirm").exists()


def test_a_winner_without_regularization_is_told_so() -> None:
    arm = {"test": {"error": {"mean": 0.1}}, "seeds": [1, 2]}
    error = {"mean": -0.1, "low": -0.2, "high": -0.05, "p_value": 1e-5}
    found = verdict(arm, arm, {"error": error}, {}, 100)
    assert found["word"] == "no regularization chosen"
    assert "helps" not in found["sentence"]


@pytest.mark.parametrize(
    ("error", "n", "borderline", "words"),
    [
        ((-0.0025, -0.005, -0.00001, 0.049), 359, True, "helps, but only just: 10.00% test error with it"),
        ((-0.0025, -0.005, -0.00001, 0.049), 359, True, "to -0.001, p = 0.049) over 2 seeds: -0.9 errors on 359 test"),
        ((-0.01, -0.02, -0.005, 0.0004), 359, False, "Regularization helps: 10.00%"),
        ((-0.002, -0.003, -0.001, 0.0004), 359, True, "helps, but only just"),  # less than one image
        ((0.01, 0.0001, 0.02, 0.03), 1000, True, "harms, but only just"),
        ((0.0, -0.1, 0.1, 1.0), 36, False, "No difference shown"),
    ],
)
def test_a_borderline_verdict_says_how_small_it_is_in_examples(
    error: tuple[float, ...], n: int, borderline: bool, words: str
) -> None:
    arm = {"test": {"error": {"mean": 0.1}}, "seeds": [1, 2]}
    found = verdict(arm, arm, {"error": dict(zip(("mean", "low", "high", "p_value"), error, strict=True))}, {"a": 1}, n)
    assert found["borderline"] == borderline
    assert words in found["sentence"]
    assert found["examples"]["mean"] == pytest.approx(error[0] * n)


def test_stored_json_is_json(record: dict[str, Any], stored: StoredStudy) -> None:
    for path in [*folder(stored).glob("*.json"), summary(stored, 1)]:
        assert not re.search(r"\b(NaN|Infinity)\b", path.read_text())
    assert json.loads(json_text({"a": math.inf, "b": [math.nan, 1.5], "c": (2, -math.inf)})) == {
        "a": None,
        "b": [None, 1.5],
        "c": [2, None],
    }


def test_fits_that_fail_on_the_way_to_a_verdict_are_said() -> None:
    candidate = Candidate(small(optimizer__name="sgd", optimizer__lr=0.05, data__name="wine"), 0, {}, 0.1)
    diverging = replace(candidate, config=replace(candidate.config, optimizer=OptimizerConfig("sgd", lr=1e30)))
    with start_workers(candidate.config) as workers:
        trainer = Trainer(workers, lambda: None)
        good, bad = trainer.evaluate([candidate, diverging], [1, 2], "baselines with new seeds")
    assert len(good.results) == 2
    assert bad.results == []
    (lost,) = trainer.lost
    assert lost.sentence.startswith("2 of 4 fits failed (baselines with new seeds); 1 of 2 candidates are out: ")


def test_both_are_retrained_on_train_and_validation_with_the_same_seeds(record: dict[str, Any]) -> None:
    best, baseline = record["arms"]["best"], record["arms"]["baseline"]
    assert best["seeds"] == baseline["seeds"]
    assert len(set(best["seeds"])) == 3
    used = parse(best["config"])
    assert used.data.fit_on == "train_validation"
    assert used.trainer.max_epochs == best["epochs"]
    assert used.callbacks.early_stopping is None
    both = load_splits(used.data)
    apart = load_splits(replace(used.data, fit_on="train"))
    assert len(both.train.y_N) == len(apart.train.y_N) + len(apart.validation.y_N)


def test_stored_numbers_follow_from_the_stored_predictions(record: dict[str, Any], stored: StoredStudy) -> None:
    predictions = load_file(folder(stored) / "predictions.safetensors")
    labels_N = predictions["targets_N"]
    for name in ("best", "baseline"):
        wrong_SN = predictions[f"{name}_SNC"].argmax(dim=2) != labels_N
        assert record["arms"][name]["test"]["error"]["mean"] == pytest.approx(wrong_SN.double().mean().item())
        own_SN = predictions[f"{name}_SNC"].double().gather(2, labels_N.expand(3, -1).unsqueeze(2))
        assert record["arms"][name]["test"]["loss"]["mean"] == pytest.approx(-own_SN.log().mean().item(), rel=1e-5)
    paired = record["difference"]["error"]["mean"]
    errors = [record["arms"][name]["test"]["error"]["mean"] for name in ("best", "baseline")]
    assert paired == pytest.approx(errors[0] - errors[1])


def test_stored_weights_give_the_stored_predictions(record: dict[str, Any], stored: StoredStudy) -> None:
    config = parse(record["arms"]["best"]["config"])
    with confirming():
        test, opening = open_test_split(config.data, stored.folder / "apart.jsonl", {})
    assert opening.number == 1
    logits_KNC_ = logits_KNC(config, [load_file(folder(stored) / "best.safetensors")], test.x_NI)
    known_NC = load_file(folder(stored) / "predictions.safetensors")["best_SNC"][0]
    assert torch.allclose(logits_KNC_.softmax(dim=2)[0], known_NC, atol=1e-6)
    assert math.isfinite(DataLoss(CrossEntropy()).mean_K(logits_KNC_, test.y_N.unsqueeze(0)).item())


def test_the_same_networks_open_the_test_split_once_and_the_numbers_are_the_same_bytes(
    record: dict[str, Any], stored: StoredStudy
) -> None:
    assert stored.run_id is not None
    before = {path.name: path.read_bytes() for path in folder(stored).glob("*.safetensors")}
    words = confirm(stored, 2)
    again = json.loads((folder(stored) / "confirm.json").read_text())
    assert "used again" in words
    assert "as the same confirm registered it before" in words
    assert again["opening"] == {**record["opening"], "reused": True}
    assert (again["opening"]["number"], again["opening"]["study"]) == (1, "one")
    assert {path.name: path.read_bytes() for path in folder(stored).glob("*.safetensors")} == before
    assert summary(stored, 1).read_bytes() == summary(stored, 2).read_bytes()
    opened, reused = [json.loads(line) for line in ledger(stored).read_text().splitlines()]
    assert reused["reused"] == opened["when"]
    assert reused["study"] == "one"


def test_what_the_test_split_showed_is_kept_as_it_was(tmp_path: Path) -> None:
    labels, p_SNC = torch.arange(5), np.random.default_rng(0).random((2, 5, 3)).astype(np.float32)
    measured = Measured(p_SNC, np.ones((2, 5)), np.zeros((2, 5)))
    boundary = {"labels_N": labels, "x_G": torch.arange(10.0)[::2]}  # shares memory, and has holes
    found = Opened(labels.numpy(), {"best": measured}, {"boundary": boundary}, {"number": 1})
    keep(found, tmp_path / "opened" / "a.safetensors")
    again = read(tmp_path / "opened" / "a.safetensors")
    assert again.opening == {"number": 1}
    assert np.array_equal(again.targets_N, found.targets_N)
    for name, array in vars(measured).items():
        np.testing.assert_array_equal(vars(again.measured["best"])[name], array, strict=True)
    assert torch.equal(again.pictures["boundary"]["x_G"], boundary["x_G"])
    assert [path.name for path in (tmp_path / "opened").iterdir()] == ["a.safetensors"]


def test_where_mlflow_fails_the_verdict_is_said_and_stored(
    record: dict[str, Any], stored: StoredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an outage: nothing is opened for it, and the next one brings it to MLflow."""

    def gone(*_: Any) -> None:
        raise TrackingError("the store is gone")

    n = len(ledger(stored).read_text().splitlines())
    (folder(stored) / "confirm.json").unlink()
    monkeypatch.setattr("ridgeline.evaluation.confirm.register_champion", gone)
    said: list[str] = []
    with pytest.raises(TrackingError), confirming():
        confirm_study(stored, SETTINGS, open_test_split, said.append)
    assert said[0].startswith(record["verdict"]["sentence"])
    assert json.loads((folder(stored) / "confirm.json").read_text())["verdict"] == record["verdict"]
    entries = [json.loads(line) for line in ledger(stored).read_text().splitlines()]
    assert all("reused" in entry for entry in entries[n:])


@pytest.mark.parametrize("cut", [10, -40, -1])
def test_the_ledger_survives_half_a_last_line(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with confirming():
        open_test_split(small().data, file, {"study": "a"})
        file.write_text(file.read_text()[:cut])
        _, second = open_test_split(small().data, file, {"study": "b"})
        _, third = open_test_split(small().data, file, {"study": "c"})
    known = 0 if cut == 10 else 1  # as far as the line says which test split
    assert (second.number, third.number) == (known + 1, known + 2)
    assert json.loads(file.read_text().splitlines()[-2])["study"] == "b"


def test_openings_at_the_same_time_are_all_in_the_ledger(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ridgeline.data.ledger import record\n"
        "for i in range(50): record(Path(sys.argv[1]), 'part', {'study': sys.argv[2]})"
    )
    file = str(tmp_path / "ledger.jsonl")
    processes = [subprocess.Popen([sys.executable, "-c", script, file, name]) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    entries = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert [entries.count({**entry}) >= 1 for entry in entries] == [True] * 150
    assert len(record_of(Path(file))) == 150


def record_of(file: Path) -> list[dict[str, Any]]:
    return note_reuse(file, "part", {}, "then")


@pytest.mark.parametrize("bad", ["/proc/1/x/confirm.json", "{folder}/file/confirm.json", "{folder}/here.json"])
def test_outputs_are_tried_before_any_work(bad: str, stored: StoredStudy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "here.json").mkdir()
    path = bad.format(folder=tmp_path)
    for key, options in (("report", {}), ("search.summary", {"csv": True}), ("claims.out", {"images": True})):
        with pytest.raises(ConfigError, match=re.escape(f"can be written` must hold, but got {key}={path}")) as refused:
            require_writable(path, key, **options)
        assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match=r"confirm\.summary"), confirming():
        confirm_study(stored, replace(SETTINGS, summary=path), open_test_split)
    require_writable(tmp_path / "a" / "b" / "new.json", "report", csv=True, images=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "here.json"]


def test_mlflow_has_the_verdict_the_numbers_and_the_files(record: dict[str, Any], stored: StoredStudy) -> None:
    client = MlflowClient(f"sqlite:///{Path(stored.config.runs) / 'mlflow.db'}")
    assert stored.run_id is not None
    run = client.get_run(stored.run_id)
    assert run.data.tags["verdict"] == record["verdict"]["word"]
    assert run.data.metrics["verdict/best/test_error"] == record["arms"]["best"]["test"]["error"]["mean"]
    names = {Path(item.path).name for item in client.list_artifacts(stored.run_id, "confirm")}
    assert {"confirm.json", "best.safetensors", "predictions.safetensors", "examples.safetensors"} <= names
    assert run.info.status == "FINISHED"


def test_outside_of_confirm_nobody_reads_a_test_label(tmp_path: Path) -> None:
    config = small()
    with pytest.raises(SplitLocked):
        open_test_split(config.data, tmp_path / "ledger.jsonl", {})
    assert not (tmp_path / "ledger.jsonl").exists()
    with pytest.raises(SplitLocked):
        _ = load_splits(config.data).test


def test_another_share_of_the_same_data_opens_the_same_test_split(tmp_path: Path) -> None:
    few = replace(small().data, examples=200)
    with confirming():
        _, first = open_test_split(small().data, tmp_path / "ledger.jsonl", {"study": "a"})
        _, second = open_test_split(few, tmp_path / "ledger.jsonl", {"study": "b"})
        _, other = open_test_split(replace(few, seed=1), tmp_path / "ledger.jsonl", {"study": "c"})
    assert (first.number, second.number, other.number) == (1, 2, 1)


def test_permuted_labels_keep_each_class_share_and_say_nothing_of_the_features() -> None:
    true, permuted = load_splits(small().data), load_splits(small(data__permute_labels=True).data)
    assert torch.equal(true.train.y_N.bincount(), permuted.train.y_N.bincount())
    assert true.description.hash != permuted.description.hash
    centers = torch.stack([permuted.train.x_NI[permuted.train.y_N == c].mean(dim=0) for c in range(10)])
    guessed = torch.cdist(permuted.validation.x_NI, centers).argmin(dim=1)
    assert (guessed == permuted.validation.y_N).double().mean() < 0.2
    kept = load_splits(small(data__permute_labels=True, data__seed=1).data)
    assert not torch.equal(kept.train.y_N, permuted.train.y_N)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.02, -0.001, "helps"),
        (-0.02, 0.0, "no difference shown"),
        (0.001, 0.02, "harms"),
        (-1, 1, "no difference shown"),
    ],
)
def test_verdict_is_what_the_interval_leaves_out(low: float, high: float, word: str) -> None:
    arm = {"test": {"error": {"mean": 0.1}}, "seeds": [1, 2]}
    error = {"mean": (low + high) / 2, "low": low, "high": high, "p_value": 0.01}
    assert verdict(arm, arm, {"error": error}, {"regularization.l2": 0.1}, 100)["word"] == word


def test_fit_on_both_splits_refuses_to_choose_by_what_it_trained_on() -> None:
    both: dict[str, Any] = {"data__fit_on": "train_validation", "metric": "train/loss"}
    free = {**both, "trainer__restore_best": False, "callbacks__early_stopping": None}
    assert isinstance(small(**free), Config)
    for broken in ({"trainer__restore_best": True}, {"metric": "val/loss"}, {"callbacks__early_stopping": {}}):
        with pytest.raises(ConfigError, match="fit_on=train_validation"):
            small(**{**free, **broken})
