"""A network of ours trains on the examples of a LightningDataModule: `data._target_=mine.DataModule`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ridgeline.checking import ConfigError
from ridgeline.config import Config, as_tree, parse
from ridgeline.data import check_again, describe, load_arrays, load_splits, require_test_split
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.stack.fitting import fit
from ridgeline.trial.requirements import check_surroundings, warnings_of

SOURCE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, WeightedRandomSampler
from torch.utils.data import SubsetRandomSampler, random_split


class Shapes(Dataset):
    '''Images of three channels, whose class is the brightest channel; what is asked for is noted.'''

    asked = []

    def __init__(self, n, kind="", noise=0.0):
        draw = torch.Generator().manual_seed(n)
        self.y = torch.arange(n) % 3
        self.x = torch.rand(n, 3, 4, 5, generator=draw)
        self.x[torch.arange(n), self.y] += 1
        self.kind, self.noise = kind, noise

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        Shapes.asked.append((self.kind, i))
        return self.x[i] + self.noise * torch.rand(()), int(self.y[i])


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


class DataModule(pl.LightningDataModule):
    def __init__(self, n: int = 60, batch_size: int = 16, found: str = "", noise: float = 0.0):
        super().__init__()
        self.n, self.batch_size, self.found, self.noise = n, batch_size, found, noise
        self.prepared = False

    def prepare_data(self):
        self.prepared = True

    def setup(self, stage):
        assert self.prepared and stage in ("fit", "test")
        whole = Shapes(self.n, "seen", self.noise)
        self.train, self.val = random_split(whole, [self.n - 15, 15])
        self.test = Shapes(31, "test")
        if self.found == "a fault":
            raise KeyError("no such folder")
        if self.found == "a class of its own":
            self.test.y[0] = 7

    def train_dataloader(self):
        whole = self.train.dataset
        given = {
            "weighted": lambda: DataLoader(self.train, sampler=WeightedRandomSampler([1.0] * 45, 45)),
            "endless": lambda: DataLoader(Endless()),
            "two loaders": lambda: [DataLoader(self.train), DataLoader(self.train)],
            "a list": lambda: {"one": DataLoader(self.train)},
            "no batches": lambda: DataLoader(self.train, batch_size=None),
            "a dictionary": lambda: DataLoader([{"x": torch.zeros(2), "y": 0}] * 40),
            "three": lambda: DataLoader([(torch.zeros(2), 0, 1)] * 40),
            "two inputs": lambda: DataLoader([((torch.zeros(2), torch.zeros(2)), 0)] * 40),
            "subsets": lambda: DataLoader(whole, sampler=SubsetRandomSampler([4, 2, 0, 7, 9, 11])),
            "numbers": lambda: DataLoader(TensorDataset(whole.x.flatten(1), whole.x[:, :1, 0, 0])),
        }
        if self.found in given:
            return given[self.found]()
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self):
        if self.found == "subsets":
            return DataLoader(self.train.dataset, sampler=SubsetRandomSampler([1, 3, 5, 6, 8, 10]))
        if self.found == "numbers":
            return self.train_dataloader()
        return DataLoader(self.val, 100)

    def test_dataloader(self):
        return DataLoader(self.test, 100)


class Without(pl.LightningDataModule):
    '''No split but the one that trains.'''

    def train_dataloader(self):
        return DataLoader(Shapes(90), 8)
"""


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "data_module_of_a_test.py").write_text(SOURCE)
    return folder


@pytest.fixture
def tree(folder: Path) -> dict[str, Any]:
    data = {"_target_": "data_module_of_a_test.DataModule", "name": "own"}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    return {"data": data, "network": network, "optimizer": optimizer, "import_path": str(folder)}


def parsed(tree: Mapping[str, Any], **data: Any) -> Config:
    return parse({**tree, "data": {**tree["data"], **data}})


def module() -> Any:
    import data_module_of_a_test

    return data_module_of_a_test


def test_its_own_splits_train_validate_and_test(tree: dict[str, Any], tmp_path: Path) -> None:
    """Whole, whatever its loaders shuffle or drop."""
    config = parsed(tree, standardize="none", train=0.8)
    splits = load_splits(config.data)
    assert splits.description.examples == (45, 15, 31)
    assert splits.image_shape == (3, 4, 5)
    assert splits.description.class_names == ("0", "1", "2")
    whole, seen = module().Shapes(60).x.flatten(1), torch.cat([splits.train.x_NI, splits.validation.x_NI])
    assert sorted(whole.tolist()) == sorted(seen.tolist())
    with confirming():
        test, _ = open_test_split(config.data, tmp_path / "ledger", {})
    expected = module().Shapes(31, "test")
    torch.testing.assert_close(test.x_NI, expected.x.flatten(1))
    assert test.y_N.tolist() == expected.y.tolist()


def test_no_example_of_its_test_loader_is_read_before_the_lock_is_opened(tree: dict[str, Any], tmp_path: Path) -> None:
    config, asked = parsed(tree, n=61), module().Shapes.asked
    asked.clear()
    check_surroundings(config)
    load_splits(config.data)
    assert {kind for kind, _ in asked} == {"seen"}
    with confirming():
        open_test_split(config.data, tmp_path / "ledger", {})
    assert {kind for kind, _ in asked} == {"seen", "test"}


def test_what_it_draws_is_the_same_in_each_process_and_disturbs_no_other_draw(tree: dict[str, Any]) -> None:
    """Its random_split has no generator."""
    before = torch.rand(1, generator=torch.default_generator.clone_state()), random.getstate()
    check_again(parsed(tree).data)
    assert random.getstate() == before[1]
    assert torch.rand(1) == before[0]
    hashes = [describe(parsed(tree, seed=seed).data).hash for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_random_transforms_are_drawn_once_and_it_is_said(tree: dict[str, Any]) -> None:
    config = parsed(tree, noise=0.5)
    assert warnings_of(config) == [
        "data_module_of_a_test.DataModule draws its examples anew each time they are read, and they are read once,"
        " drawn with data.seed=0."
    ]
    check_again(config.data)
    assert warnings_of(parsed(tree)) == []


def test_splits_that_it_lacks_are_drawn_from_those_that_train_and_it_is_said(tree: dict[str, Any]) -> None:
    path = "data_module_of_a_test.Without"
    config = parsed(tree, _target_=path)
    assert describe(config.data).examples == (54, 18, 18)
    assert load_arrays(config.data).notes == (
        f"{path} has no test_dataloader: 20% of its train examples test, drawn with data.seed=0.",
        f"{path} has no val_dataloader: 25% of the examples left to train validate, drawn with data.seed=0.",
    )


def test_a_module_without_a_test_split_cannot_be_confirmed_where_the_shares_leave_none(tree: dict[str, Any]) -> None:
    config = parsed(tree, _target_="data_module_of_a_test.Without", train=0.8)
    assert describe(config.data).examples == (72, 18, 0)
    with pytest.raises(ConfigError, match=r"have a test split, .* but got no row of data_module_of_a_test.Without"):
        require_test_split(config.data)


def test_examples_of_a_subset_sampler_are_those_of_the_subset(tree: dict[str, Any]) -> None:
    splits = load_splits(parsed(tree, found="subsets", standardize="none").data)
    whole = module().Shapes(60).x.flatten(1)
    torch.testing.assert_close(splits.train.x_NI, whole[[4, 2, 0, 7, 9, 11]])
    torch.testing.assert_close(splits.validation.x_NI, whole[[1, 3, 5, 6, 8, 10]])


def test_numbers_of_a_column_are_the_targets_of_regression(tree: dict[str, Any]) -> None:
    splits = load_splits(parsed(tree | {"task": "regression", "loss": {"name": "mse"}}, found="numbers").data)
    assert splits.task == "regression"
    assert splits.train.y_N.shape == (60,)


def test_a_network_learns_from_its_images(tree: dict[str, Any]) -> None:
    config = parse({**as_tree(parsed(tree)), "network": {"name": "cnn"}, "trainer": {"max_epochs": 12}})
    (result,) = fit([config], load_splits(config.data))
    assert result.metrics["final/val_error"] < 0.2


def test_its_arguments_stand_beside_our_keys(tree: dict[str, Any]) -> None:
    config = parsed(tree, n=80, batch_size=4)
    assert parse(as_tree(config)) == config
    assert describe(config.data).examples == (65, 15, 31)
    with pytest.raises(ConfigError, match=r"DataModule has no argument `data.batch_siz`. Did you mean batch_size"):
        parsed(tree, batch_siz=4)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ("weighted", "`{}.train_dataloader() takes each of its examples once in an epoch` must hold, but got Weighted"),
        ("endless", "`{}.train_dataloader() has a data set with a length and numbered examples` must hold, but got"),
        ("two loaders", "`{}.train_dataloader() gives one DataLoader` must hold, but got 2 of them."),
        ("a list", "`{}.train_dataloader() gives one DataLoader` must hold, but got dict."),
        ("no batches", "`{}.train_dataloader() makes batches of single examples` must hold, but got batch_size=None."),
        ("a dictionary", "`{}.train_dataloader() gives batches of (features, targets)` must hold, but got dict."),
        ("three", "`{}.train_dataloader() gives batches of (features, targets)` must hold, but got 3 values."),
        ("two inputs", "`{}.train_dataloader() gives batches of two arrays, features and targets` must hold, but got"),
        (
            "a fault",
            "`{} gives its examples` must hold, but got KeyError: 'no such folder' (data_module_of_a_test.py, ",
        ),
    ],
)
def test_what_gives_no_fixed_examples_is_refused_in_one_line(found: str, line: str, tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        describe(parsed(tree, found=found).data)
    assert str(refused.value).startswith(line.format("data_module_of_a_test.DataModule"))
    assert "\n" not in str(refused.value)


def test_a_class_that_is_in_the_test_split_alone_is_refused(tree: dict[str, Any], tmp_path: Path) -> None:
    config = parsed(tree, found="a class of its own")
    load_splits(config.data)
    with confirming(), pytest.raises(ConfigError, match=r"gives no class in its test split alone` must hold, .*=7"):
        open_test_split(config.data, tmp_path / "ledger", {})
    assert not (tmp_path / "ledger").exists()


def test_a_module_given_in_python_keeps_its_splits_as_images(tmp_path: Path, tree: dict[str, Any]) -> None:
    from ridgeline.api.given import data_settings

    settings = data_settings(module().DataModule(), None, tmp_path)
    path = settings[1].partition("=")[2]
    config = parsed({**tree, "data": {"name": "arrays"}}, path=path)
    assert settings == ["data=arrays", f"data.path={path}"]
    assert np.array(load_arrays(config.data).train.x_NI).shape == (45, 60)
    assert describe(config.data).examples == (45, 15, 31)
