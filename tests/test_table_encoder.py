"""Rows of a table become rows of numbers: learned of the train rows alone, stored as data, finite whatever comes."""

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import QuantileTransformer

from ridgeline.checking import ConfigError
from ridgeline.tables.columns import understand
from ridgeline.tables.dates import ISO, PARTS, as_dates, parts_of
from ridgeline.tables.encoding import Encoder
from ridgeline.tables.fitting import fit_encoder

WORDS = ["Late", "EARLY", "broken", "parcel", "thanks", "never", "again", "friendly", "quick", "delivery"]


def table(n=400, seed=0):
    """A column of each role, with missing values in some."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "height": draw.normal(170, 9, n),
            "income": np.round(np.exp(draw.normal(10, 1, n))),
            "children": draw.integers(0, 4, n),
            "member": draw.choice(["no", "yes"], n),
            "colour": draw.choice(["red", "green", "blue"], n),
            "town": draw.choice([f"town {i:02}" for i in range(50)], n),
            "since": pd.Timestamp("2019-12-30") + pd.to_timedelta(draw.integers(0, 90_000_000, n), "s"),
            "day": [f"{d}.{m}.{y}" for d, m, y in draw.integers((1, 1, 2001), (29, 13, 2004), (n, 3))],
            "size": pd.Categorical(draw.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
            "note": [" ".join(draw.choice(WORDS, 4)) for _ in range(n)],
        }
    )
    frame.loc[draw.random(n) < 0.1, ["income", "colour", "since", "note"]] = None
    return frame


def encoder_of(frame, standardize="feature", one_hot=32, **declared):
    return fit_encoder(frame, understand(frame, **declared), standardize=standardize, one_hot=one_hot)


STANDARDIZE = ("feature", "quantile", "squash", "all", "none")


@pytest.mark.parametrize("standardize", STANDARDIZE)
def test_statistics_are_of_the_train_rows_alone(standardize):
    frame, train = table(), np.arange(250)
    columns = understand(frame)
    changed = frame.copy()
    changed.loc[250:, ["height", "income"]] = 1e6
    changed.loc[250:, ["colour", "note"]] = "purple"
    changed.loc[250:, "since"] = pd.Timestamp("1999-01-01")
    one, other = (fit_encoder(f.iloc[train], columns, standardize=standardize, one_hot=8) for f in (frame, changed))
    assert json.dumps(one.stored()) == json.dumps(other.stored())
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name], err_msg=name)


@pytest.mark.parametrize("standardize", STANDARDIZE)
def test_a_restored_encoder_gives_the_same_bits(standardize):
    frame = table()
    encoder = encoder_of(frame[:250], standardize, one_hot=8)
    restored = Encoder.restore(json.loads(json.dumps(encoder.stored(), allow_nan=False)), encoder.arrays())
    assert encoder.apply(frame).tobytes() == restored.apply(frame).tobytes()
    assert (encoder.features, encoder.layout, encoder.columns) == (restored.features, restored.layout, restored.columns)
    pd.testing.assert_frame_equal(encoder.example, restored.example)
    alone = np.concatenate([restored.apply(frame.iloc[[row]]) for row in range(40)])
    assert alone.tobytes() == encoder.apply(frame)[:40].tobytes()


@pytest.mark.parametrize("standardize", STANDARDIZE)
def test_a_number_is_standardized_as_numpy_says(standardize):
    frame = pd.DataFrame({"a": np.random.default_rng(1).gamma(2, 3, 300), "b": np.arange(300.0) ** 2})
    train, values = frame[:200], frame.to_numpy()
    mean, std = values[:200].mean(0), values[:200].std(0)
    low, median, high = np.percentile(values[:200], (25, 50, 75), axis=0)
    z = (values - median) / (high - low)
    quantile = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=None).fit(values[:200])
    truth = {
        "feature": (values - mean) / std,
        "quantile": quantile.transform(values),
        "squash": z / np.sqrt(1 + (z / 3) ** 2),
        "all": (values - values[:200].mean()) / values[:200].std(),
        "none": values,
    }
    encoded = encoder_of(train, standardize).apply(frame)
    np.testing.assert_allclose(encoded, truth[standardize], rtol=1e-6, atol=1e-6)


def test_quantiles_of_a_column_with_many_equal_values_are_those_of_scikit_learn():
    draw = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"a": draw.poisson(1.0, 3000) * 1.0, "b": np.where(draw.random(3000) < 0.7, 0, draw.random(3000))}
    )
    truth = QuantileTransformer(n_quantiles=1000, output_distribution="normal", subsample=None).fit(
        frame[:2500].to_numpy()
    )
    encoded = encoder_of(frame[:2500], "quantile").apply(frame)
    np.testing.assert_allclose(encoded, truth.transform(frame.to_numpy()), atol=1e-6)
    assert abs(encoded).max() <= -norm.ppf(1e-7) + 0.01


@pytest.mark.parametrize("standardize", STANDARDIZE)
def test_a_missing_number_is_imputed_and_marked(standardize):
    frame = pd.DataFrame({"a": [1.0, None, 3.0, 8.0], "b": [1, 2, 3, 5]})
    encoder = encoder_of(frame, standardize)
    assert encoder.features == ("a", "b", "a missing")
    center = 3.0 if standardize in ("quantile", "squash") else 4.0
    same = encoder.apply(pd.DataFrame({"a": [None, center], "b": [1, 1]}))
    np.testing.assert_array_equal(same[0, :2], same[1, :2])
    assert same[:, 2].tolist() == [1, 0]


def test_a_category_of_few_is_one_hot_and_of_many_a_code():
    frame = pd.DataFrame({"few": list("aabbcz"), "many": ["x", "x", "y", "y", "w", "w"]})
    encoder = encoder_of(frame, one_hot=2, categorical=["few", "many"])
    assert encoder.features == ("few=a", "few=b", "few unknown", "many")
    x = encoder.apply(pd.DataFrame({"few": ["a", "b", "c", None, "new"], "many": ["w", "x", "y", None, "new"]}))
    assert x.tolist() == [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 1, 0], [0, 0, 1, 0]]
    assert encoder.layout.codes == ((3, 4),)


def test_an_unseen_category_is_none_of_the_others_where_training_has_no_unknown():
    encoder = encoder_of(pd.DataFrame({"a": ["x", "y", "x", "y"]}))
    assert encoder.features == ("a=x", "a=y")
    assert encoder.apply(pd.DataFrame({"a": ["z", None, "y"]})).tolist() == [[0, 0], [0, 0], [0, 1]]


def test_a_category_is_the_same_as_integer_float_and_text():
    encoder = encoder_of(pd.DataFrame({"zone": [1, 2, 1, 2, 30, 30]}), categorical=["zone"])
    assert encoder.features == ("zone=1", "zone=2", "zone=30")
    for values in ([1, 30], [1.0, 30.0], ["1", "30"], pd.Categorical([1, 30])):
        assert encoder.apply(pd.DataFrame({"zone": values})).tolist() == [[1, 0, 0], [0, 0, 1]]
    encoder = encoder_of(pd.DataFrame({"code": ["007", "8", "08", "007", "8", "08"]}))
    assert encoder.apply(pd.DataFrame({"code": [7, 8]})).tolist() == [[1, 0, 0], [0, 0, 1]]  # 007, 08, 8


def test_folds_have_the_same_inputs_with_statistics_of_their_own():
    frame = table()
    columns = understand(frame)
    folds = [fit_encoder(frame[start::2], columns, one_hot=40, vocabulary=frame) for start in (0, 1)]
    assert folds[0].features == folds[1].features
    assert folds[0].layout.codes == folds[1].layout.codes
    assert not np.array_equal(folds[0].numbers.center_C, folds[1].numbers.center_C)
    assert not np.array_equal(folds[0].texts["note"].idf_G, folds[1].texts["note"].idf_G)


def test_nothing_but_finite_numbers_leaves():
    frame = table()
    frame["gone"] = [5.0] * 10 + [None] * 390
    for name, size in (("small", 1e-100), ("tiny", 1e-300)):
        frame[name] = np.random.default_rng(0).random(400) * size
    frame.loc[0, ["height", "small", "tiny"]] = 3e38
    for standardize in STANDARDIZE:
        encoder = fit_encoder(frame[10:], understand(frame), standardize=standardize)  # "gone" has no value there
        missing = pd.DataFrame(None, index=range(3), columns=frame.columns)
        for rows in (frame, missing):
            assert np.isfinite(encoder.apply(rows)).all()


def test_other_columns_and_another_order_change_nothing_and_a_missing_one_is_named():
    frame = table()
    encoder = encoder_of(frame)
    shuffled = frame[frame.columns[::-1]].assign(remark="x")
    assert encoder.apply(shuffled).tobytes() == encoder.apply(frame).tobytes()
    with pytest.raises(ConfigError, match=r"`the table has the column height` must hold. Did you mean hight\?"):
        encoder.apply(frame.rename(columns={"height": "hight"}))


@pytest.mark.parametrize(
    ("value", "rule"), [("tall", "is a number"), (np.inf, "is finite in float32"), (-1e39, "is finite in float32")]
)
def test_a_value_that_is_no_number_of_ours_is_refused_with_its_row(value, rule):
    frame = table()
    encoder = encoder_of(frame)
    frame["height"] = frame["height"].astype(object)
    frame.loc[6, "height"] = value
    with pytest.raises(
        ConfigError, match=f"`height {rule}` must hold, but got height={value} in row 7.".replace("+", r"\+")
    ):
        encoder.apply(frame)


def test_encoding_goes_by_chunks_into_what_is_given():
    frame = pd.concat([table()[["height", "income", "colour", "town"]]] * 200, ignore_index=True)
    encoder = encoder_of(frame[:400])
    with pytest.raises(ConfigError, match="but got height=inf in row 70001"):
        encoder.apply(frame.assign(height=[1.0] * 70_000 + [np.inf] * 10_000))
    out = np.empty((len(frame), len(encoder.features)), np.float32)
    assert encoder.apply(frame, out=out) is out
    np.testing.assert_array_equal(out, np.tile(encoder.apply(frame[:400]), (200, 1)))


def test_the_layout_says_which_inputs_are_measured():
    encoder = encoder_of(table())
    layout = encoder.layout
    assert [encoder.features[position] for position in layout.numbers] == [
        *("height", "income", "children", "size"),
        *(f"since: {part}" for part in PARTS),
        *(f"day: {part}" for part in PARTS if "time" not in part),
    ]
    assert all(len(quantiles) == 65 and list(quantiles) == sorted(quantiles) for quantiles in layout.quantiles)
    x = encoder.apply(table())
    assert layout.quantiles[0][0] == x[:, 0].min()
    assert layout.quantiles[0][-1] == x[:, 0].max()
    assert layout.n_inputs == x.shape[1]


def test_the_bounds_of_a_column_of_mostly_one_value_are_those_of_its_different_ones():
    values = np.where(np.arange(2000) % 4, 0, np.arange(2000.0))
    encoder = encoder_of(pd.DataFrame({"a": values}), "none")
    np.testing.assert_allclose(encoder.layout.quantiles[0], np.quantile(np.unique(values), np.linspace(0, 1, 65)))


def test_a_date_becomes_its_parts():
    dates = ["2024-02-29 06:00", "2023-07-02 18:00", "2022-12-31 00:00", None]
    frame = pd.DataFrame({"when": pd.to_datetime(dates)})
    parts = parts_of(as_dates(frame["when"], ISO))
    season, time = 2 * np.pi * np.array([59, 182, 364]) / 366, 2 * np.pi * np.array([0.25, 0.75, 0])
    truth = [
        *([2024, 2023, 2022], [2, 7, 12], [29, 2, 31], [3, 6, 5]),
        *(np.sin(season), np.cos(season), np.sin(time), np.cos(time)),
        [1709186400, 1688320800, 1672444800],
    ]
    np.testing.assert_allclose(parts[:3], np.array(truth).T, atol=1e-15)
    assert np.isnan(parts[3]).all()
    encoder = encoder_of(frame)
    assert encoder.features == (*(f"when: {part}" for part in PARTS), "when missing")
    x = encoder.apply(frame)
    np.testing.assert_allclose(x[:3, :9].std(0), 1, rtol=1e-6)
    assert x[3].tolist() == [0] * 9 + [1]


def test_a_date_is_read_in_the_format_of_the_training_rows():
    encoder = encoder_of(pd.DataFrame({"day": ["31.1.2024", "1.2.2023", None]}))
    x = encoder.apply(pd.DataFrame({"day": ["31.1.2024", "01.02.2023"]}))
    same = encoder.apply(pd.DataFrame({"day": pd.to_datetime(["2024-01-31", "2023-02-01"])}))
    np.testing.assert_array_equal(x, same)
    with pytest.raises(ConfigError) as refusal:
        encoder.apply(pd.DataFrame({"day": ["2024-01-31"]}))
    assert str(refusal.value) == "`day is a date like 31.01.2024` must hold, but got day=2024-01-31 in row 1."


def test_an_ordered_category_becomes_its_standardized_rank():
    encoder = encoder_of(pd.DataFrame({"size": ["L", "S", "M", "S"]}), "none", ordered={"size": ["S", "M", "L"]})
    rank = np.array([2, 0, 1, 0])
    x = encoder.apply(pd.DataFrame({"size": ["L", "S", "M", "S", "XL", None]}))
    np.testing.assert_allclose(x[:4, 0], (rank - rank.mean()) / rank.std(), rtol=1e-6)
    assert x[4:].tolist() == [[0], [0]]


def test_a_text_becomes_the_components_of_scikit_learn():
    frame = table()
    encoder = encoder_of(frame[["note"]])
    texts = frame["note"].fillna("").tolist()
    weights = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(texts)
    components = TruncatedSVD(30, random_state=0).fit(weights).components_
    centred = weights @ components.T - (weights @ components.T).mean(0)
    x = encoder.apply(frame)
    np.testing.assert_allclose(x @ x.T, (truth := centred @ centred.T) * 30 / centred.var(0).sum(), atol=0.05)
    assert np.trace(truth) > 0
    near = encoder.apply(pd.DataFrame({"note": ["late parcel never", "parcel late Never", "quick friendly thanks"]}))
    assert np.linalg.norm(near[0] - near[1]) < 0.3 * np.linalg.norm(near[0] - near[2])


@pytest.mark.parametrize("values", [["", None, ""], ["a", None, "a"], ["a", "b", "c"]])
def test_a_text_of_next_to_nothing_is_encoded(values):
    frame = pd.DataFrame({"note": values, "x": [1.0, 2.0, 3.0]})
    encoder = encoder_of(frame, text=["note"])
    assert np.isfinite(encoder.apply(frame)).all()


KINDS = {
    "Int64": pd.array([1, 2, None, 4], dtype="Int64"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "string": pd.array(["a", None, "b", "a"], dtype="string"),
    "arrow": pd.array([1, 2, None, 4], dtype="int64[pyarrow]"),
    "zone": pd.to_datetime(["2024-01-01", "2024-02-03", None, "2024-01-01"]).tz_localize("Europe/Berlin"),
    "whole categories": pd.Categorical([1, 2, None, 1]),
    "true categories": pd.Categorical([True, False, None, True]),
    "decimals": [decimal.Decimal("1.1"), None, decimal.Decimal(2), decimal.Decimal("1.1")],
    "dates": [datetime.date(2024, 1, 1), None, datetime.datetime(2024, 1, 2, 5), datetime.date(2024, 1, 1)],
    "periods": pd.period_range("2024-01", periods=4, freq="M"),
    "mixed": [1, "a", None, 1],
    "bytes": [b"a", b"b", None, b"a"],
    "float32": np.array([0.1, np.nan, 0.2, 0.1], np.float32),
}


@pytest.mark.parametrize("declared", [None, "categorical", "text"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_pandas_goes_through_and_comes_back(kind, declared):
    frame = pd.concat([pd.DataFrame({"a": KINDS[kind], "b": [1.0, 2.0, 3.0, 4.0]})] * 2, ignore_index=True)
    encoder = encoder_of(frame, **({declared: ["a"]} if declared else {}))
    x = encoder.apply(frame)
    assert len(np.unique(np.delete(x, encoder.features.index("b"), axis=1), axis=0)) > 1
    restored = Encoder.restore(json.loads(json.dumps(encoder.stored(), allow_nan=False)), encoder.arrays())
    pd.testing.assert_frame_equal(encoder.example, restored.example)
    assert restored.apply(frame).tobytes() == x.tobytes()
    assert {row.tobytes() for row in restored.apply(restored.example)} <= {row.tobytes() for row in x}


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_list_in_a_cell_is_refused(value):
    with pytest.raises(ConfigError) as refusal:
        understand(pd.DataFrame({"a": [None, value, "x"]}))
    assert (
        str(refusal.value) == f"`a is a number, a text, a date, true or false` must hold, but got a={value} in row 2."
    )
