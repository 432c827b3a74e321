"""A table is encoded once: its train and validation split lie in files, which every process maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import TableConfig, parse
from ridgeline.data import arrays, encoded, load_splits, splits
from ridgeline.data.rows import split_rows
from ridgeline.data.scaler import scaler_of
from ridgeline.data.sources import read_source
from ridgeline.tables import files, frames, notes, reading

N = 120


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of numbers, all different, and of categories; a cache of its own."""
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(notes, "SETTLED", -60)  # as if the file had lain there for a while
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"size": draw.normal(3, 2, N), "town": draw.choice(["Aby", "Bex"], N), "weight": 1.5})
    frame.assign(bought=np.where(frame["size"] > 3, "yes", "no")).to_csv(tmp_path / "shop.csv", index=False)
    forget()
    return tmp_path / "shop.csv"


def forget() -> None:
    """As a process that starts."""
    frames.forget_tables()
    for cached in (splits._load, arrays.load_arrays):
        cached.cache_clear()


def table(path: Path, **data: Any) -> TableConfig:
    tree = {"name": "table", "path": str(path), "target": "bought", **data}
    network, optimizer = {"name": "mlp", "hidden": [4]}, {"name": "adam", "lr": 0.01}
    config = parse({"data": tree, "network": network, "optimizer": optimizer}).data
    assert isinstance(config, TableConfig)
    return config


def folders(file: Path) -> list[Path]:
    return sorted(path for path in (file.parent / "cache/tables").iterdir() if path.is_dir())


@pytest.mark.parametrize("data", [{}, {"weight": "weight"}, {"folds": 7}])
def test_what_is_kept_is_what_the_encoder_gives_to_the_last_bit(data: dict[str, Any], file: Path) -> None:
    config = table(file, **data)
    loaded = load_splits(config)
    source = read_source(config)
    folds = encoded.fold_rows(source, config)
    known = np.unique(np.concatenate([rows.train for rows in folds] + [rows.validation for rows in folds]))
    longest = max(len(rows.validation) for rows in folds)
    assert loaded.validation.sizes == (tuple(len(rows.validation) for rows in folds) if len(folds) > 1 else ())
    for i, rows in enumerate(folds):
        scaler = scaler_of(source, rows.train, config, known if len(folds) > 1 else None)
        own, place = np.resize(rows.validation, longest), slice(i * longest, (i + 1) * longest)
        assert np.array_equal(loaded.validation.x_NI[place], scaler.apply(source.features(own)))
        assert np.array_equal(loaded.validation.y_N[place], source.y_N[own])
        assert loaded.scalers[i].encoder.stored() == scaler.encoder.stored()
        frame = source.features(np.arange(N))
        assert loaded.scalers[i].apply(frame).tobytes() == scaler.apply(frame).tobytes()
    assert (loaded.train.w_N is not None) == ("weight" in data)


def test_a_second_start_reads_nothing_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_splits(table(file))
    forget()

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the file is read")

    for module, name in ((frames, "read_table"), (notes, "content_of"), (files, "kind_of")):
        monkeypatch.setattr(module, name, read)
    again = load_splits(table(file))
    assert np.array_equal(first.train.x_NI, again.train.x_NI)
    assert (first.description, first.layout) == (again.description, again.layout)
    assert encoded.load_findings(table(file)) == ()
    file.rename(file.with_name("other.csv"))
    with pytest.raises(AssertionError, match="the file is read"):
        table(file.with_name("other.csv"))


def test_what_is_asked_of_a_table_again_is_read_from_its_columns(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As confirm and prepare ask, which need all rows."""
    first = read_source(table(file))
    forget()

    def parse_it(*_: Any) -> None:
        raise AssertionError("the file is parsed")

    monkeypatch.setattr(reading, "understood", parse_it)
    again = read_source(table(file))
    rows = np.array([7, 2, 119])
    pd.testing.assert_frame_equal(again.features(rows), first.features(rows))
    pd.testing.assert_frame_equal(again.features(rows), pd.read_csv(file).iloc[rows, :3].reset_index(drop=True))
    assert (again.content, again.columns) == (first.content, first.columns)
    with pytest.raises(AssertionError, match="the file is parsed"):
        read_source(table(file, missing=["Aby"]))


def test_another_file_or_setting_is_encoded_anew(file: Path) -> None:
    first = load_splits(table(file))
    forget()
    file.write_text(file.read_text().replace("Aby", "Abi"))
    other = load_splits(table(file))
    assert len(folders(file)) == 2
    assert first.description.hash != other.description.hash
    load_splits(table(file, one_hot=1))
    assert len(folders(file)) == 3
    load_splits(table(file, leaks="refuse"))
    assert len(folders(file)) == 3


def test_a_file_that_changes_while_it_is_read_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(config: TableConfig) -> Any:
        source = read_source(config)
        file.write_text(file.read_text().replace("Aby", "Abi"))
        return source

    monkeypatch.setattr(encoded, "read_source", read)
    with pytest.raises(ConfigError, match="stays as it is while it is read` must hold"):
        load_splits(table(file))
    assert folders(file) == []


def test_no_test_row_is_kept(file: Path) -> None:
    config = table(file)
    loaded = load_splits(config)
    source = read_source(config)
    rows = split_rows(source, config)
    tested = loaded.scaler.apply(source.features(rows.test))[:, 0]
    (folder,) = folders(file)
    kept = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    assert sum(map(len, kept)) == 2 * (len(rows.train) + len(rows.validation))
    assert not any(np.isin(tested, array).any() for array in kept)
    first = scaler_of(source, rows.train, config).encoder.example
    assert not np.isin(source.frame["size"].to_numpy()[rows.test], first["size"]).any()


def test_the_splits_are_maps_of_the_files(file: Path) -> None:
    loaded = load_splits(table(file))
    (folder,) = folders(file)
    mapped = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(".npy"):
            begin, _, end = line.split()[0].partition("-")
            mapped[Path(line.split()[-1])] = range(int(begin, 16), int(end, 16))
    for name, split in (("train", loaded.train), ("validation", loaded.validation)):
        assert split.x_NI.data_ptr() in mapped[folder / f"{name}_x.npy"]
        assert split.y_N.data_ptr() in mapped[folder / f"{name}_y.npy"]
