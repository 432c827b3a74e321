"""The splits are disjoint, fair, reproducible, and standardized by the train split alone."""

import dataclasses

import numpy as np
import pytest
import sklearn.datasets
import torch
from sklearn.model_selection import train_test_split

from opening import opened
from ridgeline.config import ConfigError, DataConfig
from ridgeline.data import arrays, load_splits, sources, splits
from ridgeline.data.bundled import read_bundled
from ridgeline.data.random_split import draw
from ridgeline.data.rows import split_rows
from ridgeline.data.scaler import Scaler, fit_scaler
from ridgeline.data.sources import Source, read_source

DIGITS = DataConfig("digits")
MOONS = DataConfig("moons", examples=200, noise=0.3)
BUNDLED = [DIGITS, DataConfig("breast_cancer"), DataConfig("wine"), MOONS]


@pytest.fixture
def fresh_cache():
    """Forgets what this process has loaded, now and after the test."""
    forget()
    yield forget
    forget()


def forget():
    splits._load.cache_clear()
    arrays.load_arrays.cache_clear()


def change(config, **values):
    return dataclasses.replace(config, **values)


@pytest.mark.parametrize("config", BUNDLED, ids=lambda config: config.name)
def test_every_example_is_in_exactly_one_part(config):
    source = read_source(config)
    rows = split_rows(source, config)
    together = np.concatenate([rows.train, rows.validation, rows.test])
    assert sorted(together) == list(range(len(source.y_N)))


@pytest.mark.parametrize("config", BUNDLED, ids=lambda config: config.name)
def test_tensors_are_what_the_description_says(config):
    loaded = load_splits(config)
    description = loaded.description
    for split, count in zip((loaded.train, loaded.validation), description.examples, strict=False):
        assert split.x_NI.shape == (count, description.features)
        assert split.x_NI.dtype == torch.float32
        assert split.x_NI.isfinite().all()
        assert split.y_N.dtype == torch.int64
        assert split.y_N.unique().tolist() == list(range(description.classes))
    assert len(opened(config).y_N) == description.examples.test
    assert (loaded.n_features, loaded.n_classes) == (description.features, description.classes)
    assert loaded.image_shape == ((1, 8, 8) if config.name == "digits" else None)


def test_splits_hold_the_source_rows_with_their_labels():
    config = change(DIGITS, standardize="none")
    source, loaded = read_source(config), load_splits(config)
    rows = split_rows(source, config)
    assert np.array_equal(loaded.train.x_NI, source.x_NI[rows.train])
    assert np.array_equal(loaded.validation.y_N, source.y_N[rows.validation])
    test = opened(config)
    assert np.array_equal(test.x_NI, source.x_NI[rows.test])
    assert np.array_equal(test.y_N, source.y_N[rows.test])


@pytest.mark.parametrize("examples", [None, 500])
def test_stratified_parts_keep_the_class_shares(examples):
    source = read_source(DIGITS)
    rows = split_rows(source, change(DIGITS, examples=examples))
    shares = np.bincount(source.y_N) / len(source.y_N)
    for split in (rows.train, rows.validation, rows.test):
        assert np.bincount(source.y_N[split]) == pytest.approx(shares * len(split), abs=1.5)


def test_sizes_follow_the_fractions():
    assert load_splits(DIGITS).description.examples == (1078, 360, 359)
    assert load_splits(change(DIGITS, train=0.5, validation=0.1)).description.examples == (898, 180, 719)


def test_the_split_follows_data_seed_alone():
    source = read_source(DIGITS)
    first, again, other = (split_rows(source, change(DIGITS, seed=seed)) for seed in (0, 0, 1))
    for split in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, split), getattr(again, split))
        assert not np.array_equal(getattr(first, split), getattr(other, split))


def test_first_split_takes_rows_in_their_order():
    rows = split_rows(read_source(DIGITS), change(DIGITS, split="first", train=0.7, validation=0.2))
    assert np.array_equal(rows.train, np.arange(1258))
    assert np.array_equal(rows.validation, np.arange(1258, 1617))
    assert np.array_equal(rows.test, np.arange(1617, 1797))


def test_limited_examples_leave_the_test_split_unchanged():
    source = read_source(DIGITS)
    everything, limited = split_rows(source, DIGITS), split_rows(source, change(DIGITS, examples=100))
    assert (len(limited.train), len(limited.validation)) == (75, 25)
    assert np.array_equal(limited.test, everything.test)
    assert set(limited.train) | set(limited.validation) <= set(everything.train) | set(everything.validation)


def test_moons_are_made_in_the_asked_number_with_noise_and_seed():
    assert sum(load_splits(MOONS).description.examples) == 200
    assert not np.array_equal(read_source(MOONS).x_NI, read_source(change(MOONS, seed=1)).x_NI)
    radius = np.linalg.norm(read_source(change(MOONS, noise=0.0)).x_NI[read_source(MOONS).y_N == 0], axis=1)
    assert radius == pytest.approx(np.ones(100), abs=1e-6)


@pytest.mark.parametrize("standardize", ["feature", "all", "zca"])
def test_statistics_come_from_the_train_split_alone(standardize):
    config = change(DIGITS, standardize=standardize)
    source = read_source(config)
    rows = split_rows(source, config)
    before = fit_scaler(source.x_NI[rows.train], config).apply(source.x_NI[rows.train])
    assert np.array_equal(load_splits(config).train.x_NI, before)

    spoiled_NI = source.x_NI.copy()
    spoiled_NI[np.concatenate([rows.validation, rows.test])] = 1e6
    assert not np.array_equal(fit_scaler(spoiled_NI, config).mean_I, fit_scaler(source.x_NI, config).mean_I)
    assert np.array_equal(fit_scaler(spoiled_NI[rows.train], config).apply(source.x_NI[rows.train]), before)


def test_changed_validation_values_leave_the_training_tensors_unchanged(monkeypatch, fresh_cache):
    clean = load_splits(DIGITS)
    source = read_source(DIGITS)
    rows = split_rows(source, DIGITS)
    source.x_NI[rows.validation] *= 100
    source.x_NI[rows.test] *= 100
    monkeypatch.setattr(arrays, "read_source", lambda config: source)
    fresh_cache()
    spoiled = load_splits(DIGITS)
    assert torch.equal(spoiled.train.x_NI, clean.train.x_NI)
    assert not torch.equal(spoiled.validation.x_NI, clean.validation.x_NI)


def test_standardized_train_split_has_mean_0_and_deviation_1():
    x_NI = load_splits(DataConfig("breast_cancer")).train.x_NI.double()
    assert x_NI.mean(0).abs().max() < 1e-5
    assert (x_NI.std(0, correction=0) - 1).abs().max() < 1e-5
    x_NI = load_splits(DataConfig("breast_cancer", standardize="all")).train.x_NI.double()
    assert abs(x_NI.mean()) < 1e-5
    assert abs(x_NI.std(correction=0) - 1) < 1e-5
    assert x_NI.std(0).min() < 0.5


def test_whitened_train_split_has_no_correlations_and_looks_as_before():
    """Covariance D / (D + epsilon) in the data's own directions: the identity where D is far above epsilon."""
    config = DataConfig("breast_cancer", standardize="zca", zca_epsilon=1e-9)
    x_NI = load_splits(config).train.x_NI.double()
    assert x_NI.mean(0).abs().max() < 1e-2  # of the float32 of values up to 2000
    assert np.cov(x_NI.T, bias=True) == pytest.approx(np.eye(30), abs=2e-2)
    smooth, raw = (load_splits(change(DIGITS, standardize=s, zca_epsilon=1.0)).train.x_NI for s in ("zca", "none"))
    variances = np.linalg.eigvalsh(np.cov(raw.double().T, bias=True))
    expected = np.sort(variances / (variances + 1.0))
    assert np.linalg.eigvalsh(np.cov(smooth.double().T, bias=True)) == pytest.approx(expected, abs=1e-4)
    varying = raw.std(0) > 0.5
    likeness = [np.corrcoef(smooth[:, i], raw[:, i])[0, 1] for i in np.flatnonzero(varying)]
    assert min(likeness) > 0.3  # each feature is still itself, unlike with PCA


@pytest.mark.parametrize("standardize", ["none", "feature", "all", "zca"])
def test_scaling_is_undone_and_made_again_from_its_arrays(standardize):
    config = change(DIGITS, standardize=standardize)
    source = read_source(config)
    rows = split_rows(source, config)
    scaler = fit_scaler(source.x_NI[rows.train], config)
    raw_NI = source.x_NI[rows.validation]
    assert scaler.undo(scaler.apply(raw_NI)) == pytest.approx(raw_NI, abs=1e-3)
    assert scaler.undo(scaler.apply(raw_NI)).dtype == np.float32
    assert np.array_equal(Scaler(**scaler.arrays()).apply(raw_NI), scaler.apply(raw_NI))


def test_whitening_is_kerass():
    """keras_preprocessing: sigma = X^T X / n of the centred X; U diag(1 / sqrt(s + epsilon)) U^T by an SVD."""
    config = change(DIGITS, standardize="zca", zca_epsilon=1e-6)
    source = read_source(config)
    x_NI = source.x_NI[split_rows(source, config).train].astype(np.float64) / 16
    centred_NI = x_NI - x_NI.mean(0)
    u, s, _ = np.linalg.svd(centred_NI.T @ centred_NI / len(x_NI))
    keras_NI = centred_NI @ (u * (1 / np.sqrt(s + 1e-6))) @ u.T
    ours_NI = fit_scaler(np.float32(x_NI), config).apply(np.float32(x_NI))
    assert ours_NI == pytest.approx(keras_NI, abs=5e-3)


@pytest.mark.parametrize("standardize", ["feature", "all"])
def test_constant_features_stay_finite(standardize):
    x_NI = np.full((1001, 2), 0.1, np.float32)
    if standardize == "feature":
        x_NI[:, 1] = np.arange(1001)
    scaler = fit_scaler(x_NI, DataConfig("digits", standardize=standardize))
    assert (scaler.apply(x_NI)[:, 0] == 0).all()
    elsewhere = scaler.apply(np.float32([[1.1, 0]]))  # another value in another split
    assert elsewhere[0, 0] == pytest.approx(1)
    assert elsewhere.dtype == np.float32


def test_the_test_split_is_standardized_by_the_train_split():
    source = read_source(DIGITS)
    rows = split_rows(source, DIGITS)
    expected = fit_scaler(source.x_NI[rows.train], DIGITS).apply(source.x_NI[rows.test])
    assert np.array_equal(opened(DIGITS).x_NI, expected)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (DataConfig("wine", split="first"), "`the train split holds all 3 classes`"),
        (change(DIGITS, train=0.99, validation=0.005), "data.train=0.99 data.validation=0.005"),
        (change(DIGITS, train=0.0001, validation=0.5), "data.train=0.0001"),
        (change(DIGITS, validation=1e-5), "`the validation split holds all 10 classes`"),
        (
            change(DIGITS, train=0.7999, validation=0.2),
            "`the test split holds all 10 classes` must hold, but got 0 in 0",
        ),
        (change(DIGITS, examples=20, train=0.7), "data.examples=20"),
        (change(DIGITS, examples=1500), "`data.examples <= 1438, as many as train and validate,` must hold"),
        (change(DIGITS, root="somewhere"), "`data.root only with data=mnist`"),
        (change(DIGITS, noise=0.1), "`data.noise only with data in {moons, friedman}`"),
        (DataConfig("moons", noise=0.1), "data.examples=None"),
    ],
)
def test_impossible_data_is_refused_in_one_line(config, words):
    with pytest.raises(ConfigError) as caught:
        load_splits(config)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equal_configurations_share_one_load_in_a_process():
    assert load_splits(DataConfig("wine")) is load_splits(DataConfig("wine"), torch.device("cpu"))
    assert load_splits(DataConfig("wine")) is not load_splits(DataConfig("wine", seed=1))


def test_tensors_are_on_the_asked_device():
    loaded = load_splits(DataConfig("wine"), "meta")
    assert {split.x_NI.device.type for split in (loaded.train, loaded.validation)} == {"meta"}
    assert loaded.train.y_N.device.type == "meta"
    assert loaded.description == load_splits(DataConfig("wine")).description


def test_hash_tells_every_change_of_data_or_split():
    changes = [
        {},
        {"seed": 1},
        {"split": "first"},
        {"train": 0.5},
        {"validation": 0.1},
        {"standardize": "none"},
        {"standardize": "all"},
        {"standardize": "zca"},
        {"standardize": "zca", "zca_epsilon": 0.1},
        {"examples": 100},
        {"noise": 0.2},
    ]
    configs = [change(MOONS, **values) for values in changes]
    hashes = [load_splits(config).description.hash for config in configs]
    assert len(set(hashes)) == len(changes)
    assert hashes[0] == load_splits(change(MOONS, noise=0.30)).description.hash


@pytest.mark.parametrize("content", [0, 1], ids=["data", "target"])
def test_hash_tells_a_single_changed_value(content, monkeypatch, fresh_cache):
    before = load_splits(DIGITS).description.hash
    bundled = read_bundled("digits")
    bundled[content][(-1,) * bundled[content].ndim] += 1
    monkeypatch.setattr(sources, "read_bundled", lambda name: bundled)
    fresh_cache()
    assert load_splits(DIGITS).description.hash != before


def test_official_test_rows_never_train():
    y_N = np.tile(np.arange(2), 50)
    source = Source(np.zeros((100, 1), np.float32), y_N, content="", n_test=20, class_names=("0", "1"))
    rows = split_rows(source, DataConfig("mnist", train=0.5, validation=0.25))
    assert np.array_equal(rows.test, np.arange(80, 100))
    assert (len(rows.train), len(rows.validation)) == (40, 20)
    assert max(rows.train.max(), rows.validation.max()) < 80


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "diabetes"])
def test_bundled_data_are_those_of_scikit_learn(name: str) -> None:
    load = getattr(sklearn.datasets, f"load_{name}")
    known = load(scaled=False) if name == "diabetes" else load()
    x_NI, y_N, class_names = read_bundled(name)
    assert np.array_equal(x_NI, known.data)
    assert np.array_equal(y_N, known.target)
    assert class_names == tuple(map(str, getattr(known, "target_names", ())))


def test_rows_are_drawn_as_scikit_learn_draws_them() -> None:
    """Each class in its share or without regard to classes; what is too little for that is refused by both."""
    rng, refused = np.random.default_rng(0), 0
    for seed in range(300):
        n, n_classes = int(rng.integers(2, 200)), int(rng.integers(1, 12))
        count = int(rng.integers(1, n))
        uneven_N = rng.choice(n_classes, n, p=rng.dirichlet(np.full(n_classes, 2.0)))
        classes_N = [None, uneven_N, np.arange(n) % n_classes][seed % 3]
        try:
            known = train_test_split(np.arange(n), train_size=count, stratify=classes_N, random_state=seed)
        except ValueError:
            refused += 1
            with pytest.raises(ValueError, match="class"):
                draw(n, count, classes_N, seed)
            continue
        for ours, theirs in zip(draw(n, count, classes_N, seed), known, strict=True):
            assert np.array_equal(ours, np.sort(theirs))
    assert 0 < refused < 100
