"""What `search.enqueue` asks for is tried, or refused in one line (issue 12, A.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ridgeline.config import ConfigError, SearchConfig
from ridgeline.search import advice
from ridgeline.search.space import Dimension, dimension
from ridgeline.search.start import check_enqueue, enqueued, left_of_enqueue
from sweeping import Studies

SPACE = (
    "regularization.l2=tag(log,interval(1e-6,1e-1))",
    "regularization.dropout=interval(0.0,0.7)",
    "trainer.batch_size=null,64",
    "trainer.max_epochs=range(4,20,4)",
    "network.hidden=choice([16],[32,16])",
    "optimizer.nesterov=true,false",
    "+optimizer.momentum=0,0.9",
    "lr_schedule=constant,cosine",
)

OF_TABLES = [f"regularization.{name}" for name in ("l2", "dropout", "mixup", "weight_average")]


def parsed(text: str) -> Any:
    return OverridesParser.create().parse_override(f"a={text}").value()


@pytest.fixture(scope="module")
def space() -> list[Dimension]:
    parser = OverridesParser.create()
    return [dimension(parser.parse_override(text), grid=False, seed=0) for text in SPACE]


TRIED = {
    "{regularization.l2:0.1}": {"regularization.l2": 0.1},
    "{regularization.dropout:0,lr_schedule:cosine}": {"regularization.dropout": 0.0, "lr_schedule": "cosine"},
    "{network.hidden:[32,16],optimizer.nesterov:false}": {"network.hidden": "[32,16]", "optimizer.nesterov": False},
    "{trainer.batch_size:null,trainer.max_epochs:8.0}": {"trainer.batch_size": None, "trainer.max_epochs": 8},
    "{optimizer.momentum:0}": {"optimizer.momentum": 0},
}


@pytest.mark.parametrize(("entry", "params"), TRIED.items())
def test_enqueued_value_is_the_one_that_the_space_has(
    entry: str, params: dict[str, Any], space: list[Dimension]
) -> None:
    search = SearchConfig(enqueue=(parsed(entry),))
    check_enqueue(search, space)
    assert enqueued(search, space, 0) == params
    assert [type(value) for value in enqueued(search, space, 0).values()] == [type(value) for value in params.values()]
    assert enqueued(search, space, 1) == {}


REFUSED = {
    "{regularization.l2:7}": "`regularization.l2 in tag(log,interval(1e-6,1e-1))` must hold, but got ",
    "{regularization.l2:0}": "search.enqueue[0].regularization.l2=0.",
    "{regularization.l2:0.10000001}": "search.enqueue[0].regularization.l2=0.10000001.",
    "{regularization.l2:many}": "search.enqueue[0].regularization.l2=many.",
    "{regularization.dropout:true}": "search.enqueue[0].regularization.dropout=True.",
    "{regularization.dropout:[0.1]}": "search.enqueue[0].regularization.dropout=[0.1].",
    "{regularization.dropout:nan}": "search.enqueue[0].regularization.dropout=nan.",
    "{regularization.dropout:null}": "search.enqueue[0].regularization.dropout=None.",
    "{trainer.max_epochs:8.5}": "search.enqueue[0].trainer.max_epochs=8.5.",
    "{trainer.max_epochs:10}": "search.enqueue[0].trainer.max_epochs=10.",
    "{trainer.max_epochs:20}": "search.enqueue[0].trainer.max_epochs=20.",
    "{network.hidden:[16,32]}": "search.enqueue[0].network.hidden=[16, 32].",
    "{network.hidden:16}": "search.enqueue[0].network.hidden=16.",
    "{optimizer.nesterov:1}": "search.enqueue[0].optimizer.nesterov=1.",
    "{optimizer.momentum:false}": "search.enqueue[0].optimizer.momentum=False.",
    "{lr_schedule:step}": "search.enqueue[0].lr_schedule=step.",
    "{regularization.l3:1e-3}": "but got search.enqueue[0].regularization.l3=0.001. Did you mean regularization.l2",
    "{regularization:{l2:1e-3}}": "`regularization` is not searched",
    "{+optimizer.momentum:0}": "Did you mean optimizer.momentum",
    "{}": "`an entry of search.enqueue sets a searched key`",
}


@pytest.mark.parametrize(("entry", "words"), REFUSED.items())
def test_what_the_space_does_not_hold_is_refused_in_one_line(entry: str, words: str, space: list[Dimension]) -> None:
    with pytest.raises(ConfigError) as refused:
        check_enqueue(SearchConfig(enqueue=(parsed(entry),)), space)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_seed_of_an_entry_is_refused_for_every_seed_is_trained(space: list[Dimension]) -> None:
    with pytest.raises(ConfigError, match="`seed` is not searched"):
        check_enqueue(SearchConfig(enqueue=({"seed": 1},)), space)


def test_what_is_typed_takes_the_place_of_what_a_file_tries_first(space: list[Dimension]) -> None:
    """Otherwise a recipe with first trials would refuse whoever fixes one of its keys."""
    of_l2 = [{"regularization.l2": 1e-3, "regularization.dropout": each} for each in (0, 0.5)]
    search = SearchConfig(enqueue=(*of_l2, {"regularization.dropout": 0.7}))

    def left(*typed: str) -> Any:
        return left_of_enqueue(search, space, typed)

    assert left("network.hidden") is search.enqueue
    assert left("regularization.dropout") == [{"regularization.l2": 1e-3}]
    assert left("search.params.regularization.l2") == [{"regularization.dropout": each} for each in (0, 0.5, 0.7)]
    assert left("regularization.l2", "regularization.dropout") == []
    assert left_of_enqueue(search, space[:1], ["search.params"]) == [{"regularization.l2": 1e-3}]
    misspelled = SearchConfig(enqueue=({"regularization.l3": 1},))
    assert left_of_enqueue(misspelled, space, ["optimizer.lr"]) is misspelled.enqueue


def test_recipe_for_tables_takes_single_settings_and_few_trials_and_is_the_same_study_when_extended(
    tmp_path: Path,
) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("size,bought\n" + "".join(f"{i},{'yes' if i > 50 else 'no'}\n" for i in range(100)))
    studies = Studies(tmp_path, tmp_path / "mlflow.db")
    given = ["experiment=table", "search=bayes", f"data.path={file}", "data.target=bought"]
    plan = studies.plan(*given, "optimizer.lr=0.01", "search.n_trials=2")
    assert plan.name == studies.plan(*given, "optimizer.lr=0.01").name
    assert [sorted(entry) for entry in plan.config.search.enqueue] == [sorted(OF_TABLES)] * 4
    assert "search.enqueue" not in plan.line.again()


@pytest.mark.parametrize(("rows", "lines"), [(499, 1), pytest.param(500, 0, marks=pytest.mark.verify)])
def test_recipe_that_is_asked_for_on_a_small_table_says_what_it_was_measured_on(
    rows: int, lines: int, tmp_path: Path
) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("size,bought\n" + "".join(f"{i},{'yes' if i % 3 else 'no'}\n" for i in range(rows)))
    plan = Studies(tmp_path, tmp_path / "mlflow.db").plan(
        "experiment=table", "search=bayes", f"data.path={file}", "data.target=bought"
    )
    said = list(advice.on_start(plan))
    assert len(said) == lines
    assert all(
        line.startswith("experiment=table was measured on tables of 500 rows or more, and this one has 499: ")
        for line in said
    )


def test_fewer_trials_than_entries_try_the_first_ones_and_one_line_says_so(tmp_path: Path) -> None:
    """Whether file or command line has either: who asks for two trials wants two."""
    studies = Studies(tmp_path, tmp_path / "mlflow.db")
    given = ["search=bayes", "search.enqueue=[{regularization.l2:1e-3},{regularization.l2:1e-2}]"]

    def said(*more: str) -> list[str]:
        return list(advice.on_start(studies.plan(*given, *more)))

    (line,) = said("search.n_trials=1")
    assert line == "search.n_trials=1: of the 2 entries of search.enqueue the first is tried."
    (line,) = said("search.n_trials=3", "seed=1,2")
    assert line.endswith("of the 2 entries of search.enqueue the first is tried, with 2 seeds.")
    (line,) = said("search.n_trials=2")
    assert line.startswith("All 2 trials are of the quasi-random start")
    assert said("search.n_trials=20") == []
