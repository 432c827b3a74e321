"""`ridgeline.search`: a study from Python is the one of the command line, from data to a champion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ridgeline
from ridgeline.api.asked import network_settings, space_settings
from ridgeline.api.given import data_settings
from ridgeline.api.recipe import recipe_settings
from ridgeline.api.studies import Study
from ridgeline.arrays.examples import Place, find_examples
from ridgeline.checking import ConfigError
from ridgeline.search import study as study_module
from ridgeline.search.endings import INTERRUPTED_CODE, StudyStopped
from sweeping import Studies

SHORT = ["trainer.max_epochs=2", "network.hidden=[8]", "trainer.enable_progress_bar=false"]


def shop(n: int = 120) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    size, town = draw.normal(3, 2, n), draw.choice(["Aby", "Bex", "Cam"], n)
    frame = pd.DataFrame({"size": size.round(2), "town": pd.Categorical(town)})
    frame.loc[::13, "size"] = np.nan
    frame["bought"] = size + (town == "Bex") > 3
    return frame


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def study(runs: Path) -> Study:
    return ridgeline.search(shop(600), target="bought", n_trials=3, overrides=SHORT, runs=runs)


@pytest.mark.verify
def test_a_study_of_a_frame_gives_table_verdict_and_champion(study: Study, tmp_path: Path) -> None:
    table = study.table()
    assert len(table) == 3
    assert table["value"].is_monotonic_increasing
    assert study.best.value == table["value"][0]
    recipe = {f"regularization.{name}" for name in ("l2", "dropout", "mixup", "weight_average")}
    assert set(study.best.params) == {"optimizer.lr", *recipe}
    assert [study.table().set_index("number").loc[n, "optimizer.lr"] for n in range(3)] == [6e-3, 6e-3, 1.2e-2]
    assert "history" in study.figures
    with pytest.raises(ConfigError, match=r"`the study has a champion` must hold, but got none of .*study.confirm\(\)"):
        study.champion  # noqa: B018
    verdict = study.confirm(seeds=2, top=1, selection_seeds=2)
    assert verdict.word in ("helps", "no difference shown", "harms", "no regularization chosen")
    assert str(verdict).startswith(verdict.sentence)
    if verdict.word == "harms":
        return
    new = shop().drop(columns="bought")[["town", "size"]]
    probabilities = study.champion.predict_proba(new)
    assert study.champion.classes.tolist() == [False, True]
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (study.champion.predict(new) == (probabilities[:, 1] > 0.5)).all()
    page = study.report(tmp_path / "page.html")
    assert "<html" in page.read_text()[:200]


@pytest.mark.verify
def test_the_command_line_would_go_on_with_the_same_study(study: Study, runs: Path) -> None:
    (file,) = (runs / "data").iterdir()
    given = ["experiment=table", "search=bayes", "data=table", f"data.path={file}", "data.target=bought"]
    given += ["search.n_trials=5"]
    plan = Studies(runs, runs / "mlflow.db").plan(*given, *SHORT)
    assert plan.name == study.name
    assert Study.open(study.name, [f"runs={runs}"]).table().equals(study.table())


@pytest.mark.parametrize(
    ("asked", "sweep"),
    [
        ((0.0, 0.7), "interval(0.0, 0.7)"),
        ((1e-6, 1e-1, "log"), "tag(log, interval(1e-06, 0.1))"),
        ((1, 8), "int(interval(1, 8))"),
        ([0, 0.5], "choice(0, 0.5)"),
        (["adam", "sgd"], "choice(adam, sgd)"),
        ("tag(log, interval(1e-4, 1))", "tag(log, interval(1e-4, 1))"),
        (np.float64(0.5), "0.5"),
        (None, "null"),
    ],
)
def test_a_space_is_written_in_hydras_grammar(asked: Any, sweep: str) -> None:
    assert space_settings({"regularization.l2": asked}) == ["~search.params", f"regularization.l2={sweep}"]


def test_a_network_is_a_name_a_target_or_a_class_in_a_file() -> None:
    assert network_settings("tabular") == ["network=tabular"]
    assert network_settings("mine.Net") == ["network._target_=mine.Net"]
    assert network_settings({"_target_": "mine.Net", "width": 64})[1] == "network.width=64"
    local = type("Net", (), {"__module__": "__main__"})
    with pytest.raises(ConfigError, match=r"`network is a class in a file .*, but got network=__main__.Net: put it"):
        network_settings(local)


TABLE = ["data=table", "data.path=x.csv", "data.target=y"]
RECIPE = ["experiment=table"]


@pytest.mark.parametrize(
    ("ours", "overrides", "n_trials", "settings"),
    [
        (TABLE, [], None, RECIPE),
        ([*TABLE, "data.split_column=split"], [], 8, [*RECIPE, "search.n_trials=8"]),
        (TABLE, ["optimizer.lr=0.01", "search=random", "optimizer=sgd", "network.hidden=[8]"], None, RECIPE),
        (["network=mlp", *TABLE], [], None, ["search.n_trials=64"]),
        (["~search.params", "regularization.l2=0,1e-3", *TABLE], [], None, ["search.n_trials=64"]),
        (["data=images", "data.path=pets"], [], None, ["search.n_trials=64"]),
        ([], ["data=table"], 16, ["search.n_trials=16"]),
        *(
            (TABLE, [override], None, ["search.n_trials=64"])
            for override in ("experiment=mine", "network=mlp", "+network._target_=mine.Net", "model._target_=mine.Lit")
        ),
        *((TABLE, [override], None, ["search.n_trials=64"]) for override in ("search=grid", "~search.params")),
    ],
)
def test_a_table_is_searched_by_the_recipe_unless_the_caller_chooses_network_space_or_experiment(
    ours: list[str], overrides: list[str], n_trials: int | None, settings: list[str]
) -> None:
    assert recipe_settings(ours, overrides, n_trials) == settings


@pytest.mark.parametrize(("rows", "settings"), [(499, ["search.n_trials=64"]), (500, RECIPE)])
def test_a_small_table_is_searched_without_the_recipe(rows: int, settings: list[str], tmp_path: Path) -> None:
    ours = data_settings(shop(rows), "bought", tmp_path)
    assert recipe_settings(ours, [], None) == settings
    path = tmp_path / "shop.csv"
    shop(rows).to_csv(path, index=False)
    assert recipe_settings(data_settings(path, "bought", tmp_path), [], None) == settings


def written(data: Any, target: str | None, runs: Path) -> tuple[pd.DataFrame, list[str]]:
    """The file that was written, and the settings without its path and its name."""
    settings = data_settings(data, target, runs)
    path = next(s.partition("=")[2] for s in settings if s.startswith("data.path="))
    return pd.read_parquet(path), [s for s in settings if not s.startswith(("data.path", "data=table"))]


def test_arrays_tensors_datasets_and_modules_become_one_table(tmp_path: Path) -> None:
    import torch
    from pytorch_lightning import LightningDataModule
    from torch.utils.data import DataLoader, TensorDataset

    x, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
    tensors = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    expected = pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "target": y})
    for data in ((x, y), (torch.from_numpy(x), torch.from_numpy(y)), tensors, [(x[i], y[i]) for i in range(6)]):
        frame, settings = written(data, None, tmp_path)
        assert frame.equals(expected)
        assert settings == ["data.target=target"]
    assert len(list((tmp_path / "data").iterdir())) == 1

    class Module(LightningDataModule):
        def train_dataloader(self) -> DataLoader[Any]:
            return DataLoader(TensorDataset(*tensors[:4]), shuffle=True)

        def val_dataloader(self) -> DataLoader[Any]:
            return DataLoader(TensorDataset(*tensors[4:]))

    frame, settings = written(Module(), None, tmp_path)
    assert frame["split"].tolist() == ["train"] * 4 + ["validation"] * 2
    assert frame.drop(columns="split").equals(expected)
    assert settings == ["data.target=target", "data.split_column=split"]


def test_intervals_are_texts_and_what_is_sparse_has_its_zeros(tmp_path: Path) -> None:
    size = pd.Series([1.0, np.nan, 9.0])
    cut = pd.cut(size, [0, 5, 10])
    sparse = pd.arrays.SparseArray([0.0, 2.0, 0.0])
    given = pd.DataFrame({"cut": cut, "own": cut.astype("interval"), "sparse": sparse, "bought": [True, False, True]})
    frame, _ = written(given, "bought", tmp_path)
    assert frame["cut"].tolist()[::2] == ["(0, 5]", "(5, 10]"]
    assert frame["own"].tolist()[::2] == ["(0.0, 5.0]", "(5.0, 10.0]"]
    assert frame[["cut", "own"]].isna().to_numpy().tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert frame["sparse"].tolist() == [0, 2, 0]


def test_images_keep_their_height_and_width(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((5, 1, 4, 3)).astype(np.float32), np.array(list("ababa"), object)
    settings = data_settings((x, y), None, tmp_path)
    assert settings == data_settings((x, y), None, tmp_path)
    found = find_examples(Place(settings[1].partition("=")[2]))
    assert (settings[0], found.image_shape, found.targets_N.tolist()) == ("data=arrays", (1, 4, 3), list("ababa"))
    assert (found.parts["train"].x.read() == x).all()
    colours = (255 * np.random.default_rng(0).random((5, 6, 5, 3))).astype(np.uint8)
    (_, path) = data_settings((colours, y), None, tmp_path)
    found = find_examples(Place(path.partition("=")[2]))
    assert (found.image_shape, found.parts["train"].x.dtype) == ((3, 6, 5), np.uint8)


class Lazy:
    """What a LazyFrame of polars has."""

    columns, dtypes = ("size",), (int,)

    def collect(self) -> pd.DataFrame:
        return shop()


@pytest.mark.parametrize(
    ("given", "named", "line"),
    [
        (shop(), {}, "`target is the name of a column with a DataFrame` must hold, but got target=None."),
        (shop(), {"target": "bougth"}, "`data.target is a column` must hold, but got data.target=bougth. Did you mean"),
        (shop().groupby("town", observed=True), {}, "`data is a DataFrame, a path, (X, y), a Dataset or"),
        (
            {"size": [1, 2]},
            {},
            "`data is a DataFrame, a path, (X, y), a Dataset or a LightningDataModule` must hold, but",
        ),
        ((shop(), shop()["bought"][::-1]), {}, "`X and y have one index, in one order` must hold, but got y=the same"),
        (shop(), {"target": "bought", "overrides": "seed=1"}, '`overrides is a list of arguments, ["KEY=VALUE"],`'),
        (shop()[["bought"]], {"target": "bought"}, "`the table has features beside data.target` must hold, but got"),
        (
            Lazy(),
            {"target": "bought"},
            "`data is a DataFrame, a path, (X, y), a Dataset or a LightningDataModule` must",
        ),
        (3, {}, "`data is a DataFrame, a path, (X, y), a Dataset or a LightningDataModule` must hold, but got"),
        (shop(), {"target": "bought", "overrides": ["trainer.max_epoch=3"]}, "There is no key `trainer.max_epoch`."),
        (shop(), {"target": "bought", "overrides": ["loss=hing"]}, "There is no choice `loss=hing`. Did you mean"),
        (
            shop(),
            {"target": "bought", "space": {"dropout": (0, 0.5)}},
            "There is no key `dropout`. Did you mean reg",
        ),
        (shop(), {"target": "bought", "space": {"regularization.l2": (0, 1, 2)}}, '`space["regularization.l2"] as a'),
        ((np.zeros((3, 2)), [1, 2]), {}, "`y has a target for each of 3 rows` must hold, but got y=shape (2,)."),
    ],
)
def test_a_mistake_is_an_error_of_one_line_and_nothing_is_recorded(
    given: Any, named: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        ridgeline.search(given, runs=tmp_path, **named)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"data"}


def test_ctrl_c_is_a_keyboard_interrupt_that_says_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any) -> None:
        raise StudyStopped("Interrupted: 3 of 9 trials are saved; the same command goes on.", INTERRUPTED_CODE)

    monkeypatch.setattr(study_module, "run", stop)
    with pytest.raises(KeyboardInterrupt, match="3 of 9 trials are saved"):
        ridgeline.search(overrides=["data=wine"], runs=tmp_path)


@pytest.mark.verify
def test_a_plain_script_without_a_guard_searches_once(tmp_path: Path) -> None:
    """multiprocessing would run it again in each worker."""
    script = tmp_path / "mine.py"
    script.write_text(
        "import ridgeline\nprint('begun')\n"
        "given = ['data=wine', 'trainer.max_epochs=2']\n"
        f"study = ridgeline.search(overrides=given, n_trials=2, runs={str(tmp_path)!r})\n"
        "print(len(study.table()), 'trials')\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("begun") == 1
    assert ended.stdout.endswith("2 trials\n")


def test_targets_in_a_column_are_those_of_a_row_and_one_hot_ones_are_told(tmp_path: Path) -> None:
    y_N = np.arange(12) % 3
    for x in (np.zeros((12, 4)), np.zeros((12, 4, 4), np.uint8)):
        assert data_settings((x, y_N[:, None]), None, tmp_path) == data_settings((x, y_N), None, tmp_path)
        with pytest.raises(ConfigError, match=r"by y\.argmax\(1\)\)` must hold, but got y=shape \(12, 3\)"):
            data_settings((x, np.eye(3)[y_N]), None, tmp_path)


def test_a_file_of_arrays_needs_no_name_of_a_target(tmp_path: Path) -> None:
    place = tmp_path / "x.npz"
    assert data_settings(place, None, tmp_path) == ["data=arrays", f"data.path={place}"]
