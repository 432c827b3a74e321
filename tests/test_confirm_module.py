"""Promise 8 for a LightningModule of the user's own: by its outputs for test examples, or what its test_step logs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import FloatDistribution

import own_modules
from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import with_targets
from ridgeline.config import ConfirmConfig
from ridgeline.data import SplitLocked, require_fixed_splits
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.baseline import propose_baselines, rate_of, regularizers, without_regularization
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.evaluation.measuring import measure_module, measuring_of
from ridgeline.evaluation.model_arguments import _is_dropout, rates
from ridgeline.evaluation.scoring import predict_file
from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import write_report
from ridgeline.evaluation.verdict import verdict
from ridgeline.lightning.answers import kind_of, test_of, validation_of
from ridgeline.lightning.fitted import load_champion
from ridgeline.lightning.training import fit_module
from ridgeline.search.space import Dimension
from settings import small
from sweeping import Studies
from test_lightning_module import own
from test_stacked_study import train

test_of.__test__ = False  # type: ignore[attr-defined]


def divided(module: str = "Lit", **overrides: Any) -> Any:
    return own(module, **{"data___target_": "own_modules.Divided", **overrides})


@pytest.mark.parametrize(
    ("module", "settings", "expected"),
    [
        ("Lit", {}, ("classes", False)),
        ("TwoClasses", {"data___target_": "own_modules.Halves"}, ("two classes", False)),
        ("TwoClasses", {"data___target_": "own_modules.Halves", "model__sigmoid": True}, ("two classes", True)),
        ("TwoClasses", {}, ("numbers", False)),  # its targets are 0, 1 and 2
        ("Logging", {}, None),
    ],
)
def test_what_a_module_answers_is_found_out_before_it_is_trained(
    module: str, settings: dict[str, Any], expected: Any
) -> None:
    assert kind_of(divided(module, **settings)) == expected


def test_the_figure_is_of_examples_where_outputs_can_be_had_and_else_what_test_step_logs() -> None:
    assert measuring_of(divided()).figure == "error"
    by_seeds = measuring_of(divided("Logging"))
    assert (by_seeds.figure, by_seeds.by_seeds, by_seeds.larger_is_better) == ("test/acc", True, True)
    with pytest.raises(ConfigError, match=r"or its test_step logs what metric=val/acc is on test data` must hold"):
        measuring_of(divided("Silent"))


@pytest.mark.parametrize("sigmoid", [False, True])
def test_errors_of_examples_are_those_of_the_module_itself(sigmoid: bool, tmp_path: Path) -> None:
    config = divided("TwoClasses", data___target_="own_modules.Halves", metric="val/loss", model__sigmoid=sigmoid)
    weights = own_modules.TwoClasses(sigmoid).state_dict()
    result = replace(fit_module(divided()), config=config, weights=weights)
    with confirming():
        test, _ = open_test_split(config.data, tmp_path / "ledger", {})
    found, targets_N, _ = measure_module(config, [result], test_of(config, test), measuring_of(config))
    module = own_modules.TwoClasses(sigmoid).eval()
    module.load_state_dict(weights)
    x, y = (torch.cat(parts) for parts in zip(*test.loader, strict=True))
    outputs = module(x).detach().reshape(-1)
    probability_N = outputs if sigmoid else outputs.sigmoid()
    assert targets_N.tolist() == y.tolist()
    np.testing.assert_allclose(found.predictions_SNC[0, :, 1], probability_N.numpy(), atol=1e-6)
    np.testing.assert_array_equal(found.errors_SN[0], ((probability_N > 0.5) != (y > 0)).numpy())


def test_the_test_loader_is_opened_by_the_lock_alone_and_known_again(tmp_path: Path) -> None:
    data, ledger = divided().data, tmp_path / "ledger"
    with pytest.raises(SplitLocked):
        open_test_split(data, ledger, {})
    with confirming():
        first, again = (open_test_split(data, ledger, {"study": "one"})[1] for _ in range(2))
        other = open_test_split(divided(data__n=180).data, ledger, {})[1]
    assert again.test_hash == first.test_hash != other.test_hash
    assert (first.number, again.number, other.number) == (1, 2, 1)


def test_splits_that_each_seed_draws_anew_cannot_be_confirmed() -> None:
    """What tests one training would have trained another."""
    require_fixed_splits(divided().data)
    with pytest.raises(ConfigError, match=r"own_modules.Blobs divides its examples alike with each seed .* must hold"):
        require_fixed_splits(own().data)


def test_the_baseline_has_no_decay_and_no_dropout_and_its_learning_rate_is_tuned() -> None:
    optimizer = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.02, "weight_decay": 0.3}
    net = {"_target_": "own_modules.Net", "dropout": 0.4}
    config = divided(model={"_target_": "own_modules.Lit", "net": net, "optimizer": optimizer})
    assert regularizers(config) == {"model.net.dropout": 0.4, "model.optimizer.weight_decay": 0.3}
    baseline = without_regularization(config)
    assert regularizers(baseline) == {}
    assert baseline.regularization.dropout == 0
    assert rate_of(config, []) == ("model.optimizer.lr", 0.02) or rate_of(config, []) == ("model.lr", 0.01)
    key = rate_of(config, [])[0]
    proposed = propose_baselines(config, [], 4, 3.0)
    assert len({candidate.params[key] for candidate in proposed}) == 4
    assert {replace(c.config, model=None) for c in proposed} == {replace(baseline, model=None)}
    without = divided("TwoClasses")
    assert rate_of(without, []) is None
    assert len(propose_baselines(without, [], 4, 3.0)) == 1


def test_rates_are_told_by_the_words_of_their_names_and_each_that_was_searched_is_tuned() -> None:
    config = divided("Rates", model__lr=0.02, model__head_lr=0.2, model__min_lr=0.01)
    assert regularizers(config) == {"model.drop_prob": 0.1, "model.wd": 0.01}
    assert list(rates(config)) == ["model.lr", "model.head_lr"]
    space = [
        Dimension(f"model.{name}", "", "", FloatDistribution(1e-3, 1, log=True)) for name in ("head_lr", "lr", "min_lr")
    ]
    tuned = [c.params for c in propose_baselines(config, space, 4, 3.0)]
    assert [{name: len({params[name] for params in tuned}) for name in tuned[0]}] == [
        {"model.head_lr": 4, "model.lr": 4}
    ]


@pytest.mark.parametrize(
    ("name", "is_meant"),
    [
        ("attn_drop_rate", True),
        ("p_drop", True),
        ("drop", True),
        ("hidden_dropout_prob", True),
        ("dropout2", True),
        ("drop_columns", False),
        ("max_drop_count", False),
    ],
)
def test_a_dropout_rate_is_told_by_its_name(name: str, is_meant: bool) -> None:
    assert _is_dropout(name) == is_meant


def test_a_champion_of_a_module_predicts_the_rows_of_an_array_as_those_of_a_table(tmp_path: Path) -> None:
    made = fitted_of(divided(), own_modules.Lit().state_dict())
    assert made is not None
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    pd.DataFrame(x).to_csv(tmp_path / "x.csv", index=False)
    said = []
    for kind in ("npy", "csv"):
        assert predict_file(made[0], str(tmp_path / f"x.{kind}"), tmp_path / "out.csv") == 6
        said.append(pd.read_csv(tmp_path / "out.csv").drop(columns="row", errors="ignore"))
    pd.testing.assert_frame_equal(*said, rtol=1e-5)


def test_a_champion_answers_as_it_did_after_it_is_stored(tmp_path: Path) -> None:
    config = divided("TwoClasses", data___target_="own_modules.Halves", metric="val/loss")
    made = fitted_of(config, own_modules.TwoClasses().state_dict())
    assert made is not None
    fitted, example = made
    fitted.save(tmp_path)
    again = load_champion(tmp_path)
    assert again.predict(example).shape == (5, 2)
    np.testing.assert_array_equal(again.predict(example), fitted.predict(example))
    assert fitted_of(divided("Logging"), own_modules.Logging().state_dict()) is None


def test_a_verdict_over_seeds_alone_says_so() -> None:
    arms = [{"test": {"test/acc": {"mean": mean}}, "seeds": [1, 2, 3]} for mean in (0.93, 0.9)]
    error = {"mean": 0.03, "low": 0.01, "high": 0.05, "p_value": 0.002}
    found = verdict(*arms, {"test/acc": error}, {"regularization.l2": 0.1}, 0, "test/acc", by_seeds=1)
    assert found["word"] == "helps"
    assert found["sentence"] == (
        "Regularization helps: test/acc 0.93 with it, 0.9 without, a difference of +0.03 (95% interval +0.01 to +0.05,"
        " p = 0.002) over 3 seeds alone: it says nothing of other test examples, for no error of each could be had."
    )
    assert verdict(*arms, {"test/acc": error}, {"a": 1}, 0, "test/acc", by_seeds=-1)["word"] == "harms"


LOADS = """
import mlflow, numpy as np, sys
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/ridgeline-Divided/1")
print(model.predict(np.zeros((3, 4))).shape, "champion" in sys.modules["own_modules"].__file__)
"""


@pytest.mark.verify
@pytest.mark.parametrize(("module", "figure"), [("Lit", "error"), ("Logging", "test/acc")])
def test_a_study_of_a_module_is_confirmed_reported_and_served(module: str, figure: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    line = [f"model._target_=own_modules.{module}", "data._target_=own_modules.Divided", "metric=val/acc"]
    line += ["search.direction=maximize", "trainer.max_epochs=4", "search.study_name=one", "search.n_trials=3"]
    line += ["tracking.keep_weights=1", "~search.params", "regularization.l2=tag(log,interval(1e-4,1e-1))"]
    Studies(runs, runs / "mlflow.db").run("search=bayes", *with_targets(line), task=train)
    asked = replace(small(tracking__allowed_targets=["own_modules."]), runs=str(runs))
    stored, said = open_study(asked, "one"), list[str]()
    with confirming():
        settings = ConfirmConfig(top=1, selection_seeds=2, seeds=3, ensemble=module == "Lit")
        confirm_study(stored, settings, open_test_split, said.append)
    record = json.loads((stored.folder / "confirm" / "confirm.json").read_text())
    assert record["figure"] == figure
    assert record["arms"]["baseline"]["config"]["regularization"]["dropout"] == 0
    assert record["by_seeds"] == (module == "Logging")
    page = write_report(replace(asked, study="one"))[0].read_text()
    assert record["verdict"]["sentence"] in page
    assert "could not be drawn" not in page
    assert ("ensemble" in record) == (module == "Lit")
    if module == "Logging":
        assert "over 3 seeds alone" in record["verdict"]["sentence"]
        assert any(one.startswith(("No champion is registered", "No champion: ")) for one in said)
    elif record["verdict"]["word"] != "harms":
        uri = f"sqlite:///{runs / 'mlflow.db'}"
        ended = subprocess.run(
            [sys.executable, "-c", LOADS, uri], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=True
        )
        assert ended.stdout.strip().endswith("(3, 3) True")
    assert validation_of(stored.config) is not None
