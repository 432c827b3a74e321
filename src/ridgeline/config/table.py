"""Settings of data=table: a file with a row for each example, and which of its columns is to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ridgeline.checking import build, require
from ridgeline.config.data import DataConfig
from ridgeline.tasks.losses import Task

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Orders:
    """Columns whose categories have an order: each with its values from the least to the greatest."""

    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def read(cls, tree: Any, path: str) -> Orders:
        rule = f"{path} is {{COLUMN: [LEAST, ..., GREATEST]}}"
        require(isinstance(tree, Mapping), rule, path, tree)
        for name in tree:
            require(isinstance(tree[name], (list, tuple)), rule, f"{path}.{name}", tree[name])
        return cls(tuple((str(name), tuple(map(str, tree[name]))) for name in tree))

    def tree(self) -> dict[str, list[str]]:
        return {name: list(values) for name, values in self.columns}


@dataclass(frozen=True)
class TableConfig(DataConfig):
    """`path`: a file, or several of the same columns by a glob; `target`: the column that is predicted.

    `test_path`: a file whose rows are the test split. `split_column`: a column that says which split a row is in.
    `drop`: columns that are no features. `categorical`, `numeric`, `text`, `dates`, `ordered`: columns that are to be
    taken so, whatever they look like; `ordered` gives each its values from the least to the greatest, and `dates` may
    give a format, as in `day:%d/%m/%Y`. `missing`: texts that stand for a missing value, beside the usual ones.
    `positive`: the class that figures of two classes are about. `weight`: a column with how much an example counts.
    `group_on`: rows with the same value there are in one split. `time_on`: the latest rows are the test split; with
    `group_on`, the groups that end last. `one_hot`: a column of up to so many categories becomes a column for each; one
    of more becomes a learned embedding. `leaks`: what happens if a column gives the target away.
    """

    name: Literal["table"] = "table"
    target: str | None = None
    split_column: str | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    ordered: Orders = Orders()
    weight: str | None = None
    group_on: str | None = None
    time_on: str | None = None
    positive: str | None = None
    missing: tuple[str, ...] = ()
    standardize: Literal["none", "feature", "all", "quantile", "squash"] = "feature"  # type: ignore[assignment]
    one_hot: int = 32
    leaks: Literal["warn", "refuse"] = "warn"

    def check(self) -> None:
        super().check()
        require(self.path is not None, "data.path=FILE is given with data=table", "data.path", "null")
        require(self.target is not None, "data.target=COLUMN is given with data=table", "data.target", "null")
        named = self.test_path is None or self.split_column is None
        rule = "data.split_column=null where data.test_path has the test split"
        require(named, rule, "data.split_column", self.split_column)
        rule = "data.split=auto with data.time_on, which orders the rows"
        require(self.time_on is None or self.split == "auto", rule, "data.split", self.split)
        rule = "data.split is auto, stratified or random with data.group_on, whose groups are drawn"
        require(self.group_on is None or self.split != "first", rule, "data.split", self.split)
        require(self.one_hot >= 0, "data.one_hot >= 0", "data.one_hot", self.one_hot)

    @property
    def has_weights(self) -> bool:
        return self.weight is not None

    @property
    def has_test_split(self) -> bool:
        return self.test_path is not None or self.split_column is not None

    @property
    def strings(self) -> tuple[str, ...]:
        """The columns that are read as text, whatever they look like."""
        dates = (entry.partition(":%")[0] for entry in self.dates)
        named = (*self.categorical, *self.text, *dates, *(name for name, _ in self.ordered.columns))
        return tuple(dict.fromkeys(named))

    def columns_beside_features(self) -> dict[str, str]:
        """The columns that are no features, by the key that names them."""
        keys = ("target", "split_column", "weight", "group_on", "time_on")
        return {f"data.{key}": getattr(self, key) for key in keys if getattr(self, key) is not None}

    @property
    def title(self) -> str:
        """The name of the file, without its endings."""
        name = Path(str(self.path)).name
        for ending in COMPRESSED:
            name = name.removesuffix(ending)
        return name.partition(".")[0].replace("*", "_") or "table"


def table_task(data: Mapping[str, Any]) -> Task:
    """What is predicted, by the column of the target in the file that these settings name.

    Raises ConfigError for a file or a column that is not there.
    """
    config = build(DataConfig, data, "data")
    assert isinstance(config, TableConfig)
    return column_task(str(config.path), str(config.target), config.missing, config.strings)


def column_task(path: str, target: str, missing: tuple[str, ...] = (), strings: tuple[str, ...] = ()) -> Task:
    """What a column of a file asks for. Raises ConfigError for a file or a column that is not there."""
    from ridgeline.tables.files import find_files
    from ridgeline.tables.notes import TABLES, code_of, noted

    def read() -> str:
        from ridgeline.tables.frames import open_table  # pandas, which nobody else waits for
        from ridgeline.tables.target import column_of, task_of

        table = open_table(path, missing=missing, strings=strings).table
        return task_of(column_of(table, target, "data.target"))[0]

    question = ["task", target, missing, strings, code_of(TABLES)]
    found: Task = noted(question, find_files(path, "data.path"), read)
    return found
