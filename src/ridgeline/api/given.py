"""Data as they are given in Python, and the settings of `data` that mean them.

What lies in memory is written into the runs folder once, as a file that is named by a hash of its contents: so the
study is one of a file, which the command line goes on with, and worker processes and later readers find the same rows.

N examples, I features.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.api.frames import as_pandas, is_frame, require_one_order
from ridgeline.arrays.examples import SPLITS as ARRAYS
from ridgeline.checking import ConfigError, require
from ridgeline.command_line.outputs import draft_of, require_folder
from ridgeline.data.loaders import read_module
from ridgeline.quoting import setting

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "data"
"""Of the runs folder."""
SPLIT = "split"
"""The column that has the splits of a LightningDataModule."""
SPLITS = ("train", "validation", "test")
TARGET = "target"
"""The column of a target that has no name."""
HOLDS_ARRAYS = (".npz", ".pt")
"""What the names of files end in that have examples and targets."""


def data_settings(data: Any, target: str | None, runs: Path) -> list[str]:
    """The settings of `data` that mean what is given: a DataFrame and its target, the path of a table or of arrays, a
    folder of images, (X, y), a Dataset, a LightningDataModule; None: what the overrides say. Raises ConfigError for
    anything else."""
    if data is None:
        require(target is None, "target is given with data", "target", target)
        return []
    if isinstance(data, (str, os.PathLike)) and os.path.isdir(os.path.expanduser(data)) and target is None:
        return ["data=images", setting("data.path", os.path.abspath(os.path.expanduser(data)))]
    if isinstance(data, (str, os.PathLike)) and str(data).lower().endswith(HOLDS_ARRAYS) and target is None:
        return ["data=arrays", setting("data.path", os.path.abspath(os.path.expanduser(data)))]
    if isinstance(data, (str, os.PathLike)):
        require(target is not None, "target is the name of a column with the path of a table", "target", target)
        return _of_table(os.path.abspath(os.path.expanduser(data)), str(target))
    if is_frame(data):
        require(target is not None, "target is the name of a column with a DataFrame", "target", target)
        return _of_frame(as_pandas(data), str(target), runs)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return _of_pair(data[0], data[1], target, runs)
    if hasattr(data, "train_dataloader"):
        return _of_module(data, target, runs)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "shape"):
        return _of_pair(*_pair_of(data), target, runs)
    raise _unknown(data)


def _unknown(data: Any) -> ConfigError:
    rule = "data is a DataFrame, a path, (X, y), a Dataset or a LightningDataModule"
    return ConfigError(f"`{rule}` must hold, but got data={type(data).__name__}.")


def as_frame(x: Any) -> pd.DataFrame:
    """Features as a frame: a DataFrame as it is, rows of an array with the columns `x0`, `x1`, ..."""
    import pandas as pd

    if is_frame(x):
        return as_pandas(x)
    x_NI = as_array(x, "X")
    require(x_NI.ndim == 2, "X has rows and columns", "X", f"shape {x_NI.shape}")
    return pd.DataFrame(x_NI, columns=[f"x{i}" for i in range(x_NI.shape[1])])


def as_array(given: Any, what: str) -> np.ndarray:
    """As NumPy has it, of a tensor too."""
    given = given.detach().cpu() if hasattr(given, "detach") else given
    require(not hasattr(given, "toarray"), f"{what} is no sparse matrix", what, "one (its toarray() is not)")
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`{what} is an array` must hold, but got {' '.join(str(error).split())}.") from None


def write_frame(frame: pd.DataFrame, name: str, runs: Path) -> Path:
    """The Parquet file of these rows in the runs folder; it is written once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = io.BytesIO()
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, whole)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ConfigError(f"`each column has values of one kind` must hold, but got {_last(error)}.") from None
    return _write(whole.getvalue(), f"{_as_name(name)}-{{}}.parquet", runs)


def _of_table(path: str, target: str) -> list[str]:
    return ["data=table", setting("data.path", path), setting("data.target", target)]


def _of_frame(frame: pd.DataFrame, target: str, runs: Path) -> list[str]:
    return _of_table(str(write_frame(frame, target, runs)), target)


def _of_pair(x: Any, y: Any, target: str | None, runs: Path) -> list[str]:
    require_one_order(x, y)
    name = target or str(getattr(y, "name", None) or TARGET)
    y_N = np.asarray(y, object) if hasattr(y, "dtype") and str(y.dtype) == "category" else as_array(y, "y")
    y_N = y_N[:, 0] if y_N.ndim == 2 and y_N.shape[1] == 1 else y_N  # as Keras has those of CIFAR
    rule = "y is one target for each example (one-hot targets become classes by y.argmax(1))"
    require(y_N.ndim == 1, rule, "y", f"shape {y_N.shape}")
    if not is_frame(x) and (x_N := as_array(x, "X")).ndim > 2:
        return _of_images(x_N, y_N, runs)
    frame = as_frame(x)
    rule = f"y has a target for each of {len(frame)} rows"
    require(len(y_N) == len(frame), rule, "y", f"shape {y_N.shape}")
    require(name not in frame.columns, "the target has a name that no column of X has", "target", name)
    return _of_frame(frame.assign(**{name: y_N}), name, runs)


def _of_images(x: np.ndarray, y_N: np.ndarray, runs: Path, splits_N: np.ndarray | None = None) -> list[str]:
    """Examples with a height and a width, which no table has; `splits_N`: the names of the splits that they are in."""
    require(x.ndim in (3, 4), "X is rows, or images (N, H, W), (N, C, H, W) or (N, H, W, C)", "X", f"shape {x.shape}")
    require(y_N.shape == (len(x),), f"y has a target for each of {len(x)} images", "y", f"shape {y_N.shape}")
    y_N = np.asarray(y_N.tolist())  # texts, instead of objects
    arrays = {"x": x, "y": y_N}
    if splits_N is not None:
        rows = {split: splits_N == split for split in ARRAYS if split in splits_N}
        arrays = {ARRAYS[split][i]: (x, y_N)[i][own_N] for split, own_N in rows.items() for i in (0, 1)}
    whole = io.BytesIO()
    np.savez(whole, **arrays)  # type: ignore[arg-type]
    contents = str([(name, own.shape, own.dtype.str) for name, own in arrays.items()]).encode()
    contents += b"".join(own.tobytes() for own in arrays.values())  # a .npz has its time in it
    path = _write(whole.getvalue(), "images-{}.npz", runs, contents)
    return ["data=arrays", setting("data.path", str(path))]


def _of_module(module: Any, target: str | None, runs: Path) -> list[str]:
    """The examples of a LightningDataModule, in the splits that it has."""
    read = read_module(module, type(module).__name__, 0, with_test=True)
    x, y_N = (np.concatenate([split[i] for split in read.splits.values()]) for i in (0, 1))
    splits_N = np.array(SPLITS)[read.given_N]
    if x.ndim > 2:
        return _of_images(x, y_N, runs, splits_N)
    frame = as_frame(x).assign(**{target or TARGET: y_N, SPLIT: splits_N})
    return [*_of_frame(frame, target or TARGET, runs), setting("data.split_column", SPLIT)]


def _pair_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """All examples of a Dataset: features and targets."""
    tensors = getattr(dataset, "tensors", None)
    if tensors is not None:
        require(len(tensors) == 2, "a Dataset has features and a target", "data", f"{len(tensors)} tensors")
        return as_array(tensors[0], "X"), as_array(tensors[1], "y")
    items = list(_items(dataset))
    xs, ys = [as_array(x, "X") for x, _ in items], [as_array(y, "y") for _, y in items]
    shapes = sorted({x.shape for x in xs})
    require(len(shapes) == 1, "all examples have one shape", "data", f"shapes {shapes[:3]}")
    return np.stack(xs), np.stack(ys)


def _items(dataset: Any) -> Iterator[tuple[Any, Any]]:
    for i in range(len(dataset)):
        try:
            item = dataset[i]
        except KeyError as error:  # of a mapping, or of a frame's groups
            raise _unknown(dataset) from error
        rule = "an example of a Dataset is (features, target)"
        require(isinstance(item, (tuple, list)) and len(item) == 2, rule, "data", type(item).__name__)
        yield item[0], item[1]


def _write(content: bytes, name: str, runs: Path, hashed: bytes | None = None) -> Path:
    """`hashed`: what says what is in it, where that is not the file itself."""
    require_folder(runs / FOLDER, "runs")
    path = runs / FOLDER / name.format(hashlib.sha256(hashed or content).hexdigest()[:12])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(path) as draft:
            draft.write_bytes(content)
    return path


def _as_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:40] or "table"


def _last(error: Exception) -> str:
    """The words of Arrow's error that name the column."""
    return " ".join(str(part) for part in error.args[::-1]).strip().rstrip(".") or type(error).__name__
