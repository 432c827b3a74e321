"""A confirm keeps the answer of an earlier one to a question that it does not ask, where it is of the same networks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ridgeline.evaluation.baseline import with_rate_of_winner
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.earlier import keep_answers, say_kept
from ridgeline.evaluation.ensemble_record import CHAMPION
from ridgeline.report.answers import answer_to
from settings import small

ENSEMBLE = {"sentences": ["The mean of 3 networks is better.", CHAMPION], "sides": {}}
ABLATION = {"sentence": "Of 2 regularizers dropout earns its place.", "regularizers": []}


def record(when: str = "2026-11-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    arm = {"config": {"seed": 0}, "seeds": [20000, 20001], "test": {"error": {"mean": 0.1 + 0.2}, "loss": math.inf}}
    opening = {"when": when, "commit": "a" * 40, "test_hash": "one"}
    return {"figure": "error", "arms": {"best": arm, "baseline": arm}, "opening": opening, "trials": 24, **more}


def stored(own: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from confirm.json."""
    arms = {name: {**arm, "test": {**arm["test"], "loss": None}} for name, arm in own["arms"].items()}
    return {**own, "arms": arms}


def test_the_answer_to_a_question_that_is_not_asked_again_stays_with_its_date() -> None:
    first = stored(record(ensemble=ENSEMBLE))
    second = keep_answers(record("2026-11-02T09:00:00Z", ablation=ABLATION, trials=32), first)
    assert second["ablation"] == ABLATION
    assert "ensemble" not in second  # what is registered and summed up follows from the latest answers alone
    answer, own = answer_to("ensemble", second), answer_to("ablation", second)
    assert answer is not None
    assert own is not None
    assert answer.found["sentences"] == ["The mean of 3 networks is better."]  # another may be the champion by now
    said = "Asked by an earlier confirm, which opened the test split on 2026-11-01 08:00 UTC, revision aaaaaaaaaa"
    assert answer.asked.startswith(f"{said}, when the study had 24 trials.")
    assert own.asked == ""
    third = keep_answers(record("2026-11-03T09:00:00Z"), stored(second))
    assert {question: kept["when"] for question, kept in third["earlier"].items()} == {
        "ensemble": "2026-11-01T08:00:00Z",
        "ablation": "2026-11-02T09:00:00Z",
    }
    again = keep_answers(record(ensemble=ENSEMBLE), stored(third))
    assert list(again["earlier"]) == ["ablation"]
    assert answer_to("ensemble", again) == answer_to("ensemble", first)
    assert say_kept(again, third) == [
        "The page still says which regularizers earn their place, as asked on 2026-11-02T09:00:00Z:"
        " of the same networks and test split."
    ]


@pytest.mark.parametrize("change", ["figure", "test_hash", "seeds", "config", "last bit"])
def test_an_answer_about_other_networks_or_another_test_split_goes(change: str) -> None:
    before, now = stored(record(ensemble=ENSEMBLE)), record("2026-11-02T09:00:00Z")
    best = dict(now["arms"]["best"])
    if change == "figure":
        now["figure"] = "mae"
    elif change == "test_hash":
        now["opening"]["test_hash"] = "two"
    elif change == "last bit":
        best["test"] = {**best["test"], "error": {"mean": 0.3}}
    else:
        best[change] = {"seed": 1} if change == "config" else [20000]
    now["arms"] = {**now["arms"], "best": best}
    kept = keep_answers(now, before)
    assert kept == now
    gone = "The page no longer says what averaging gains: that was asked of other networks. MLflow keeps it."
    assert say_kept(kept, before) == [gone]


def test_a_study_without_an_earlier_confirm_or_with_one_of_old_keeps_nothing() -> None:
    assert keep_answers(record(), None) == record()
    assert keep_answers(record(), {"arms": {}, "opening": {}, "ensemble": ENSEMBLE}) == record()
    assert answer_to("ensemble", record()) is None


def test_members_of_an_ensemble_have_the_winners_learning_rate_where_the_baseline_gave_it() -> None:
    """Else networks of the study's one rate are compared with a winner of another."""
    member = Candidate(small(**{"regularization.l2": 1e-3}), 3, {"regularization.l2": 1e-3}, 0.5, best_epoch=4)
    won = small(**{"regularization.l2": 1e-4, "optimizer.lr": 0.02})
    winner = Candidate(won, 5, {"regularization.l2": 1e-4, "optimizer.lr": 0.02}, None, best_epoch=7)
    (found,) = with_rate_of_winner([member], winner, ())
    assert (found.config.optimizer.lr, found.config.regularization.l2, found.trial) == (0.02, 1e-3, 3)
    assert found.params == {"regularization.l2": 1e-3, "optimizer.lr": 0.02}
    assert found.epochs == 7
    itself = Candidate(won, 5, {"regularization.l2": 1e-4}, None)
    assert with_rate_of_winner([member], itself, ()) == [member]
