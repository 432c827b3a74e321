"""Ensembles: members are selected on validation alone, predict as one, and are compared behind the same lock."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from opening import opened
from ridgeline.api.studies import Study
from ridgeline.checking import ConfigError
from ridgeline.config import ConfirmConfig
from ridgeline.data import load_splits
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.confirmation import LEDGER
from ridgeline.evaluation.ensemble import check_ensemble, choose, predicted
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.evaluation.measuring import Measuring, measuring_of
from ridgeline.evaluation.scoring import open_model
from ridgeline.evaluation.selection import select
from ridgeline.evaluation.stored import StoredStudy, open_study
from ridgeline.evaluation.story import write_report
from ridgeline.lightning.fitted import load_champion
from ridgeline.search.records import WEIGHTS
from ridgeline.stack.ensemble import FittedEnsemble
from ridgeline.stack.fitted import Fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of
from ridgeline.tracking.card import members_of
from settings import small
from sweeping import Studies
from test_stacked_study import train


def test_selection_with_replacement_finds_the_mean_with_the_least_loss() -> None:
    targets_N = np.zeros(50)
    too_high, too_low = np.full(50, 1.0), np.full(50, -3.0)
    found = select(np.stack([too_low, too_high]), targets_N, "squared")
    assert found.counts_M.tolist() == [1, 3]  # 3/4 * 1 - 1/4 * 3 = 0
    assert found.loss == pytest.approx(0, abs=1e-12)
    assert found.alone == 1.0


def test_selection_is_never_worse_than_the_best_alone_and_takes_no_copy_for_a_second_network() -> None:
    draw = np.random.default_rng(0)
    told_MN = draw.uniform(0.05, 0.95, (6, 40))
    told_MN[5] = told_MN[2]
    weights_N = draw.uniform(0.5, 1.5, 40)
    found = select(told_MN, np.zeros(40), "log", weights_N)
    alone = [np.average(-np.log(own_N), weights=weights_N) for own_N in told_MN]
    mean_N = found.shares_M @ told_MN
    assert found.loss == pytest.approx(np.average(-np.log(mean_N), weights=weights_N))
    assert found.loss <= found.alone == pytest.approx(min(alone))
    same = select(np.stack([told_MN[0]] * 3).astype(np.float32), np.zeros(40), "log")
    assert same.loss == same.alone
    assert same.counts_M.tolist() == [1, 0, 0]


@pytest.mark.parametrize("data", [{"data__name": "digits"}, {"data__name": "diabetes"}], ids=["classes", "numbers"])
@pytest.mark.parametrize("folds", [None, 3])
def test_what_selects_is_what_the_trials_were_measured_by(data: dict[str, Any], folds: int | None) -> None:
    config = small(**data, data__folds=folds)
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    measuring = measuring_of(config)
    own_NC, targets_N = predicted(config, result.weights, None, measuring)
    sizes = splits.validation.sizes or (splits.validation.n,)
    assert len(own_NC) == len(targets_N) == sum(sizes)
    parts = zip(*(np.split(values, np.cumsum(sizes)[:-1]) for values in (own_NC, targets_N)), strict=True)
    if measuring.task == "classification":
        losses = [-np.log(p_NC[np.arange(len(y_N)), y_N]).mean() for p_NC, y_N in parts]
        assert np.mean(losses) == pytest.approx(result.metrics["final/val_loss"], rel=1e-5)
    else:
        errors = [np.sqrt(((p_N1[:, 0] - y_N) ** 2).mean()) for p_N1, y_N in parts]
        assert np.mean(errors) == pytest.approx(result.metrics["final/val_rmse"], rel=1e-5)


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_an_ensemble_predicts_the_weighted_mean_and_comes_back_from_its_folder(name: str, tmp_path: Path) -> None:
    configs = [small(data__name=name, network__hidden=hidden) for hidden in ([8], [6, 4])]
    splits = load_splits(configs[0].data)
    results = [fit([config], splits)[0] for config in configs]
    members = [Fitted(r.config, r.weights, splits.scaler, shape_of(splits)) for r in results]
    ensemble = FittedEnsemble.of(members, [0.75, 0.25])
    x_NI = splits.own_units(splits.validation.x_NI[:20]).numpy()
    expected = 0.75 * members[0].predict(x_NI) + 0.25 * members[1].predict(x_NI)
    np.testing.assert_allclose(ensemble.predict(x_NI), expected, rtol=1e-5, atol=1e-7)
    ensemble.save(tmp_path)
    again = load_champion(tmp_path)
    assert isinstance(again, FittedEnsemble)
    np.testing.assert_array_equal(again.predict(x_NI), ensemble.predict(x_NI))
    np.testing.assert_array_equal(again.predict_with_each_seed(x_NI)[0], ensemble.predict(x_NI))


def test_selection_prefers_what_complements_and_reads_no_test_example() -> None:
    config = small(network__hidden=[8], trainer__max_epochs=2)
    splits = load_splits(config.data)
    results = fit([replace(config, seed=seed) for seed in range(4)], splits)
    trained = [
        (Candidate(r.config, i, {"seed": i}, r.value, best_epoch=r.best_epoch), r) for i, r in enumerate(results)
    ]
    chosen = choose([(c, r.weights) for c, r in trained], measuring_of(config))
    assert chosen is not None
    assert chosen.candidates == 4
    assert sum(chosen.shares) == pytest.approx(1)
    assert chosen.loss < chosen.alone == pytest.approx(min(r.value for r in results), rel=1e-5)
    assert [c.epochs for c in chosen.members] == [results[int(c.trial or 0)].best_epoch for c in chosen.members]


def test_a_module_without_predictions_has_no_ensemble() -> None:
    line = "`what the model gives is a prediction of each example, where networks are averaged,` must hold, but got"
    nowhere: Any = None  # it is not looked at
    with pytest.raises(ConfigError, match=f"{line} confirm.ensemble=True"):
        check_ensemble(nowhere, Measuring("test/acc", "classification", by_seeds=True))


def test_one_network_that_is_selected_alone_does_not_replace_the_winner_of_the_verdict() -> None:
    def confirmed(n_members: int) -> dict[str, Any]:
        sides = {"best": {"members": [{"trial": i} for i in range(n_members)]}}
        return {"ensemble": {"sides": sides, "words": {"best": "no difference"}}}

    assert len(members_of(confirmed(2))) == 2
    assert members_of(confirmed(1)) == []


SETTINGS = ConfirmConfig(top=2, selection_seeds=2, seeds=3, ensemble=True)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredStudy, dict[str, Any], str]:
    runs = tmp_path_factory.mktemp("runs")
    study = ["search=bayes", "search.n_trials=8", "search.study_name=one", "network.hidden=[16],[12]"]
    study += ["trainer.max_epochs=6", "optimizer.lr=0.02", "hydra.launcher.stack_size=4"]
    Studies(runs, runs / "mlflow.db").run(*study, task=train)
    stored, said = open_study(replace(small(), runs=str(runs)), "one"), list[str]()
    with confirming():
        confirm_study(stored, replace(SETTINGS, summary=str(runs / "confirm.json")), open_test_split, said.append)
    record = json.loads((stored.folder / "confirm" / "confirm.json").read_text())
    return stored, record, "\n".join(said)


@pytest.mark.verify
def test_the_champion_is_the_ensemble_that_was_measured(confirmed: tuple[StoredStudy, dict[str, Any], str]) -> None:
    stored, record, said = confirmed
    ensemble = record["ensemble"]
    members = ensemble["sides"]["best"]["members"]
    assert sum(member["share"] for member in members) == pytest.approx(1)
    assert len({member["seed"] for member in members}) == len(members)  # no two begin alike
    assert all(sentence in said for sentence in ensemble["sentences"])
    assert all(f"seed={member['seed']}" in member["command"] for member in members)
    held = load_file(stored.folder / "confirm" / "predictions.safetensors")
    predictions_SNC = held["best_ensemble_SNC"].numpy()
    errors_SN = predictions_SNC.argmax(axis=2) != held["targets_N"].numpy()
    assert ensemble["sides"]["best"]["test"]["error"]["mean"] == pytest.approx(errors_SN.mean())
    single_SN = held["best_SNC"].numpy().argmax(axis=2) != held["targets_N"].numpy()
    assert ensemble["gain"]["best"]["error"]["mean"] == pytest.approx(errors_SN.mean() - single_SN.mean())
    version = MlflowClient(f"sqlite:///{Path(stored.config.runs)}/mlflow.db").get_model_version("ridgeline-digits", "1")
    assert version.tags["ridgeline.ensemble"] == f"{len(members)} networks"
    assert f"The champion is the mean of {len(members)} networks" in version.description
    model = open_model("ridgeline-digits@champion", stored.config)
    assert len(model.networks) == len(members)
    splits = load_splits(model.config.data)
    x_NI = splits.own_units(opened(model.config.data).x_NI).numpy()
    np.testing.assert_allclose(model.predict(x_NI), predictions_SNC[0], rtol=1e-4, atol=1e-6)
    mlflow.set_tracking_uri(f"sqlite:///{Path(stored.config.runs)}/mlflow.db")
    served = mlflow.pyfunc.load_model("models:/ridgeline-digits@champion")
    np.testing.assert_allclose(served.predict(x_NI[:5]), predictions_SNC[0, :5], rtol=1e-4, atol=1e-6)


@pytest.mark.verify
def test_both_sides_have_an_ensemble_and_the_verdict_stays_of_one_network_each(
    confirmed: tuple[StoredStudy, dict[str, Any], str],
) -> None:
    stored, record, _ = confirmed
    assert set(record["arms"]) == {"best", "baseline"}
    summary = json.loads((Path(stored.config.runs) / "confirm.json").read_text())
    assert summary["ensemble"]["best"]["gain_error"] == record["ensemble"]["gain"]["best"]["error"]
    assert set(record["ensemble"]["sides"]) == set(record["ensemble"]["gain"]) == {"best", "baseline"}
    assert record["ensemble"]["sides"]["baseline"]["validation"]["candidates"] == 8  # as many trials as the study had
    for side in record["ensemble"]["sides"].values():
        assert side["validation"]["ensemble"] <= side["validation"]["alone"]
    lines = (Path(stored.config.runs) / LEDGER).read_text().splitlines()
    said: list[str] = []
    with confirming():
        confirm_study(stored, SETTINGS, open_test_split, said.append)
    again = json.loads((stored.folder / "confirm" / "confirm.json").read_text())
    assert again["opening"]["reused"]
    assert again["ensemble"]["sides"] == record["ensemble"]["sides"]
    assert len(lines) == 1  # one opening for all that was compared
    assert torch.get_num_threads() == 1


@pytest.mark.verify
def test_the_trials_as_they_are_predict_as_one_and_open_nothing(
    confirmed: tuple[StoredStudy, dict[str, Any], str],
) -> None:
    stored, _, _ = confirmed
    before = (Path(stored.config.runs) / LEDGER).read_text()
    ensemble = Study(stored).ensemble
    splits = load_splits(ensemble.fitted.config.data)
    x_NI, y_N = splits.own_units(splits.validation.x_NI).numpy(), splits.validation.y_N.numpy()
    own = [fitted_of(stored.config_of(m.trial), load_file(stored.job(m.trial) / WEIGHTS)) for m in ensemble.members]
    parts = [m.share * one[0].predict(x_NI) for m, one in zip(ensemble.members, own, strict=True) if one is not None]
    p_NC = ensemble.predict_proba(x_NI)
    np.testing.assert_allclose(p_NC, sum(parts), rtol=1e-5, atol=1e-7)
    assert -np.log(p_NC[np.arange(len(y_N)), y_N]).mean() == pytest.approx(ensemble.loss, rel=1e-4)
    assert ensemble.loss <= ensemble.alone == pytest.approx(Study(stored).best.value, rel=1e-4)
    assert (Path(stored.config.runs) / LEDGER).read_text() == before


@pytest.mark.verify
def test_the_page_shows_what_averaging_gains_and_the_members(
    confirmed: tuple[StoredStudy, dict[str, Any], str],
) -> None:
    stored, record, _ = confirmed
    page = write_report(replace(stored.config, study=stored.name))[-1].read_text()
    section = page[page.index('<section id="averaging">') : page.index('<section id="history">')]
    assert all(html.escape(sentence, quote=False) in section for sentence in record["ensemble"]["sentences"])
    assert "with 95% intervals" in section
    members = [one for side in record["ensemble"]["sides"].values() for one in side["members"]]
    assert section.count("<tr>") == 1 + len(members)


@pytest.mark.verify
def test_without_kept_weights_nothing_is_averaged_and_nothing_opened(
    confirmed: tuple[StoredStudy, dict[str, Any], str],
) -> None:
    stored, _, _ = confirmed
    before = (Path(stored.config.runs) / LEDGER).read_text()
    for path in stored.folder.glob(f"jobs/*/{WEIGHTS}"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"`the weights of a trial are kept` must hold .*tracking.keep_members"):
        Study(stored).confirm(ensemble=True)
    assert (Path(stored.config.runs) / LEDGER).read_text() == before
