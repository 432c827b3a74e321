"""No split knows what it could not know: a row of its own group, or the future; and given splits are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import DataConfig
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.given import TEST, TRAIN, VALIDATION, read_split_names
from ridgeline.data.rows import RowNumbers, split_rows
from ridgeline.data.source import Source
from ridgeline.stack.batches import Slices

CONFIG = DataConfig("digits")
N = 600


def source(n_groups: int = 60, **fields: Any) -> Source:
    """Three classes, of which a group has one or two; groups are of very different sizes."""
    draw = np.random.default_rng(0)
    groups_N = np.minimum(draw.geometric(2 / n_groups, N) - 1, n_groups - 1)
    y_N = (groups_N + draw.integers(0, 2, N)) % 3
    return Source(draw.standard_normal((N, 4)).astype(np.float32), y_N, "content", groups_N=groups_N, **fields)


def timed(n_times: int = 200, **fields: Any) -> Source:
    draw = np.random.default_rng(1)
    return replace(source(), groups_N=None, times_N=draw.integers(0, n_times, N).astype(float), **fields)


def of(rows: RowNumbers) -> list[np.ndarray]:
    return [rows.train, rows.validation, rows.test]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("split", ["stratified", "random"])
def test_a_group_is_in_one_split_and_each_class_keeps_its_share(seed: int, split: Any) -> None:
    own = source()
    rows = split_rows(own, replace(CONFIG, seed=seed, split=split))
    assert own.groups_N is not None
    groups = [set(own.groups_N[part].tolist()) for part in of(rows)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(np.unique(own.groups_N))
    assert np.array_equal(np.sort(np.concatenate(of(rows))), np.arange(N))
    for part, share in zip(of(rows), (0.6, 0.2, 0.2), strict=True):
        assert len(part) / N == pytest.approx(share, abs=0.05)
        if split == "stratified":
            assert np.bincount(own.y_N[part]) / len(part) == pytest.approx(np.bincount(own.y_N) / N, abs=0.08)


def test_large_groups_test_as_often_as_small_ones() -> None:
    own = source()
    assert own.groups_N is not None
    largest = np.bincount(own.groups_N).argsort()[-11:-1]  # the very largest is more than half of a test split
    tests = [own.groups_N[split_rows(own, replace(CONFIG, seed=seed)).test] for seed in range(60)]
    assert np.mean([np.isin(largest, groups_M).mean() for groups_M in tests]) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("folds", [3, 5])
def test_folds_keep_groups_whole_and_train_on_equally_many(folds: int) -> None:
    own = source()
    found = fold_rows(own, replace(CONFIG, folds=folds))
    assert own.groups_N is not None
    for rows in found:
        groups = [set(own.groups_N[split].tolist()) for split in of(rows)]
        assert not groups[0] & groups[1]
        assert not (groups[0] | groups[1]) & groups[2]
    assert len({len(rows.train) for rows in found}) == 1
    validated = np.concatenate([rows.validation for rows in found])
    assert np.array_equal(np.sort(np.concatenate([validated, found[0].test])), np.arange(N))


def test_slices_of_unequal_folds_are_of_examples_or_fill_up() -> None:
    class Folds:
        sizes, n = (300, 170, 171), 300

    slices = list(Slices(Folds(), 128))  # type: ignore[arg-type]
    assert [i for piece in slices for i in range(piece.start, piece.stop)] == list(range(300))
    assert all(piece.stop <= size or piece.start >= size for piece in slices for size in Folds.sizes)


@pytest.mark.parametrize("n_times", [7, 200])
def test_the_latest_rows_test_and_the_latest_of_the_others_validate(n_times: int) -> None:
    own = timed(n_times)
    rows = split_rows(own, CONFIG)
    times = [own.times_N[split] for split in of(rows)]  # type: ignore[index]
    assert times[0].max() < times[1].min()
    assert times[1].max() < times[2].min()
    assert [len(split) / N for split in of(rows)] == pytest.approx([0.6, 0.2, 0.2], abs=0.1)
    assert np.array_equal(rows.test, split_rows(own, replace(CONFIG, seed=9)).test)


def test_folds_of_time_validate_on_what_comes_later() -> None:
    own = timed()
    alone, found = split_rows(own, CONFIG), fold_rows(own, replace(CONFIG, folds=4))
    for rows in found:
        assert own.times_N is not None
        assert own.times_N[rows.train].max() < own.times_N[rows.validation].min()
        assert own.times_N[rows.validation].max() < own.times_N[rows.test].min()
        assert len(rows.train) == len(alone.train)
    together = np.sort(np.concatenate([rows.validation for rows in found]))
    assert np.array_equal(together, alone.validation)


def test_with_groups_and_times_a_group_goes_where_its_last_row_does() -> None:
    own = replace(source(), times_N=np.random.default_rng(2).random(N))
    assert own.groups_N is not None
    assert own.times_N is not None
    rows = split_rows(own, CONFIG)
    groups = [set(own.groups_N[split].tolist()) for split in of(rows)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    ends = [{group: own.times_N[own.groups_N == group].max() for group in one} for one in groups]
    assert max(ends[0].values()) < min(ends[1].values())
    assert max(ends[1].values()) < min(ends[2].values())


def test_named_splits_are_those_and_what_is_not_named_is_drawn() -> None:
    names = ["Training", "dev", "TEST"]
    given_N = read_split_names(pd.Series([names[i % 3] for i in range(N)]), "data.split_column")
    plain = replace(source(), groups_N=None)
    rows = split_rows(replace(plain, given_N=given_N), CONFIG)
    assert [set(given_N[split]) for split in of(rows)] == [{TRAIN}, {VALIDATION}, {TEST}]
    assert [len(split) for split in of(rows)] == [200, 200, 200]
    two_N = np.where(given_N == VALIDATION, TRAIN, given_N)
    rows = split_rows(replace(plain, given_N=two_N), CONFIG)
    assert [len(split) for split in of(rows)] == [300, 100, 200]
    assert np.array_equal(rows.test, np.flatnonzero(given_N == TEST))
    three_N = np.where(given_N == TEST, TRAIN, given_N)
    rows = split_rows(replace(plain, given_N=three_N), CONFIG)
    assert np.array_equal(rows.validation, np.flatnonzero(given_N == VALIDATION))
    assert len(rows.test) == 80


def test_limited_examples_leave_the_test_split_of_groups_and_of_times() -> None:
    for own in (source(), timed()):
        all_of, few = split_rows(own, CONFIG), split_rows(own, replace(CONFIG, examples=120))
        assert np.array_equal(all_of.test, few.test)
        assert len(few.train) + len(few.validation) == 120


@pytest.mark.parametrize(
    ("own", "config", "line"),
    [
        (source(3), CONFIG, "`data.group_on has four groups or more, of which two test,` must hold, but got 3"),
        (timed(2), CONFIG, "`data.time_on has three times or more` must hold, but got one for two splits"),
        (timed(1), CONFIG, "`data.time_on has three times or more` must hold, but got one for two splits"),
        (source(8), replace(CONFIG, folds=7), "as many groups of data.group_on as train and validate,` must hold"),
        (timed(6), replace(CONFIG, folds=4), "`data.time_on has a time or more for each of 4 folds` must hold"),
        (source(n_test=100), CONFIG, "`each group of data.group_on is in one split` must hold, but got groups in both"),
    ],
)
def test_too_few_groups_or_times_are_refused_in_one_line(own: Source, config: DataConfig, line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        fold_rows(own, config)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_no_split_is_refused_with_its_row() -> None:
    with pytest.raises(ConfigError) as raised:
        read_split_names(pd.Series(["train", "foo"], name="part"), "data.split_column")
    rule = "data.split_column holds train, validation or test in each row"
    assert str(raised.value) == f"`{rule}` must hold, but got part with foo in row 2."
