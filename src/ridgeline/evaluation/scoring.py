"""A registered model is applied to the rows of a file, or to images, however many these are.

N rows, S seeds, C classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from ridgeline.arrays.examples import find_new
from ridgeline.bars import bar_of
from ridgeline.checking import ConfigError, nearest, require
from ridgeline.command_line.commands import command
from ridgeline.command_line.outputs import draft_of
from ridgeline.config import ArraysConfig, ImagesConfig, TableConfig
from ridgeline.evaluation.new_arrays import array_rows
from ridgeline.evaluation.new_images import find_new_images, image_rows
from ridgeline.lightning.fitted import load_champion
from ridgeline.stack.fitted import Fitted
from ridgeline.tables.reading import read_chunks
from ridgeline.tracking.champion import ALIAS
from ridgeline.tracking.logged_model import KIND
from ridgeline.tracking.store import Keeping, open_store

ROWS = 20_000
"""How many rows are read, predicted and written at a time."""
LEVEL = 0.95
"""Of the predictions of so large a share of the seeds `low` and `high` are the ends."""
ALL = "all"
ARRAYS = (".npy", ".npz", ".pt")
ROW = "row"
"""The column with the numbers of an array's rows, from 0 on."""


def open_model(model: str, config: Keeping) -> Fitted:
    """The registered model that `model` names, in the store of `config`: `NAME@ALIAS`, `NAME/VERSION` or `NAME`, whose
    champion is meant.

    Raises ConfigError where there is none.
    """
    given = model.removeprefix("models:/")
    found = re.fullmatch(r"([^@/]+)(?:@([^@/]+)|/(\d+))?", given)
    rule = "model is NAME@ALIAS, NAME/VERSION or NAME"
    require(found is not None, rule, "model", model)
    assert found is not None
    name, alias, version = found[1], found[2] or ALIAS, found[3]
    store = open_store(config)
    try:
        client = store.client
        known: Any = (
            client.get_model_version(name, version) if version else client.get_model_version_by_alias(name, alias)
        )
    except MlflowException as error:
        models = [model.name for model in store.client.search_registered_models(max_results=1000)]
        near = nearest(name, models) if name not in models and models else str(error).splitlines()[0]
        near = near if models else f"There is none yet. To make one: {command('confirm', 'study=NAME')}."
        raise ConfigError(f"`model is registered` must hold, but got model={model}. {near}") from None
    uri = f"models:/{known.model_id}" if known.model_id else known.source
    folder = Path(download_artifacts(artifact_uri=uri, tracking_uri=store.client.tracking_uri)) / "artifacts" / KIND
    return load_champion(folder)


def predict_file(
    fitted: Fitted,
    path: str,
    out: Path,
    keep: Sequence[str] | str = (),
    *,
    image: str | None = None,
    on_error: str | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Write what the model predicts for each row of a table or an array, or each image of a folder, a glob or a CSV of
    paths, into a CSV file, in their order; returns how many rows.

    `keep`: columns of the table that are written too; `all`: each of them. `image`: the column with the paths of
    images. `on_error=skip`: files that are no images are left out, which `say` gets; None: as the study did. Nobody
    ever sees half of the file. Raises ConfigError for a bad table, or one that lacks a column, and for a file that is
    no image.
    """
    count = 0
    with (
        draft_of(out) as draft,
        draft.open("w", encoding="utf-8", newline="") as file,
        bar_of(unit="row", unit_scale=True, desc="predicted") as bar,
    ):
        data, names = fitted.config.data, list[str]()
        if isinstance(data, ImagesConfig):
            images, skip = find_new_images(fitted, path, image), (on_error or data.on_error) == "skip"
            read, names = image_rows(fitted, images, path, skip=skip, say=say), [str(images.frame.columns[0])]
            is_bare = images.frame.shape[1] == 1
        else:
            for key, given in (("image", image), ("on_error", on_error)):
                require(given is None, f"data.{key} only for a model of images", f"data.{key}", given)
            reader = _reader_of(fitted, path)
            read, is_bare = reader(fitted, path), reader is not _rows
        if is_bare:
            require(not keep, "keep=[] for images and arrays, whose names or rows are written", "keep", keep)
            keep = ALL
        for frame, x in read:
            kept = list(frame.columns) if keep == ALL else [keep] if isinstance(keep, str) else list(keep)
            kept = [*names, *(name for name in kept if name not in names)]
            lacking = [name for name in kept if name not in frame.columns]
            require(not lacking, "keep is of the table's columns", "keep", ", ".join(lacking))
            found = predictions(fitted, x, frame.index)
            taken = [name for name in kept if name in found]
            require(not taken, "keep has none of the columns that are written", "keep", ", ".join(taken))
            pd.concat([frame[kept], found], axis=1).to_csv(file, index=False, header=count == 0)
            count += len(frame)
            bar.update(len(frame))
    return count


def predictions(fitted: Fitted, x: Any, index: pd.Index) -> pd.DataFrame:
    """Of what `Fitted.predict` takes, the columns `prediction` and, of classes, `probability_CLASS` each; of numbers,
    `low` and `high`, between which the networks of 95% of the seeds predict, where the model has several of them."""
    if fitted.task == "classification":
        names = fitted.class_names or tuple(map(str, range(fitted.n_classes)))
        probabilities_NC = fitted.predict(x)
        columns: dict[str, np.ndarray] = {"prediction": np.array(names, object)[probabilities_NC.argmax(axis=1)]}
        columns |= {f"probability_{name}": probabilities_NC[:, c] for c, name in enumerate(names)}
        return pd.DataFrame(columns, index=index)
    values_SN = fitted.predict_with_each_seed(x)
    columns = {"prediction": values_SN[0]}
    if len(values_SN) > 1:
        low_N, high_N = np.quantile(values_SN, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        columns |= {"low": low_N, "high": high_N}
    return pd.DataFrame(columns, index=index)


def examples_in(fitted: Fitted, path: str) -> np.ndarray:
    """(N, I) All examples of a file, or images of a folder or a glob, of a model that is of no table."""
    if isinstance(fitted.config.data, ImagesConfig):
        read = image_rows(fitted, find_new_images(fitted, path), path)
    else:
        read = _reader_of(fitted, path)(fitted, path)
    return np.concatenate([x_NI for _, x_NI in read])


def _reader_of(fitted: Fitted, path: str) -> Callable[[Fitted, str], Iterator[tuple[pd.DataFrame, Any]]]:
    """Who learned from a source of the user's own, which says nothing of files, takes rows of a table or an array."""
    data = fitted.config.data
    is_array = fitted.scaler.encoder is None and Path(path).suffix.lower() in ARRAYS
    return _arrays if isinstance(data, ArraysConfig) or is_array else _rows


def _rows(fitted: Fitted, path: str) -> Iterator[tuple[pd.DataFrame, Any]]:
    """Rows of a table, and the same as the model takes them."""
    data = fitted.config.data
    known = (data.missing, data.strings) if isinstance(data, TableConfig) else ((), ())
    for frame in read_chunks(path, missing=known[0], strings=known[1], rows=ROWS):
        yield frame, frame if fitted.scaler.encoder is not None else _numbers(fitted, frame)


def _arrays(fitted: Fitted, path: str) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """The numbers of the rows as a column, and the examples of an array: images may lie as rows in it too."""
    rows_NI = array_rows(fitted, find_new(path, "data.path").read(), "data.path", f"{path}, ")
    for start in range(0, len(rows_NI), ROWS):
        some_NI = rows_NI[start : start + ROWS]
        numbers = range(start, start + len(some_NI))
        yield pd.DataFrame({ROW: numbers}, index=numbers), some_NI


def _numbers(fitted: Fitted, frame: pd.DataFrame) -> np.ndarray:
    """(N, I) The columns in their order, for a model of examples that have no columns."""
    kinds = [str(name) for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    require(not kinds, "all columns are numbers for a model without columns", "data.path", ", ".join(kinds))
    rule, n = f"{fitted.n_features} columns for this model", frame.shape[1]
    require(n == fitted.n_features, rule, "data.path", f"a table of {n} columns")
    return frame.to_numpy(np.float32)
