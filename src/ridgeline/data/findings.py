"""What looks wrong in a table and its splits."""

from __future__ import annotations

from ridgeline.config import TableConfig
from ridgeline.data.rows import RowNumbers
from ridgeline.data.source import Source
from ridgeline.finding import Finding
from ridgeline.tables.leaks import dates, giveaways, groups, identifiers, of_target, twins
from ridgeline.tables.values import SomeRows


def find(source: Source, rows: RowNumbers, config: TableConfig) -> tuple[Finding, ...]:
    """The worst first. `rows`: the splits, or those of the first fold."""
    assert source.frame is not None
    assert source.table is not None
    frame, columns, is_regression = source.frame, source.columns, source.task == "regression"
    found = giveaways(SomeRows(frame, rows.train), columns, source.y_N[rows.train], is_regression)
    used = [column.name for column in columns if column.role != "dropped"]
    found += twins(
        frame,
        used,
        rows.train,
        {"validation": rows.validation, "test": rows.test} if not config.folds else {"test": rows.test},
    )
    if config.group_on is None:
        found += groups(frame, columns, rows.train, rows.test)
    if config.time_on is None and config.split_column is None and config.test_path is None:
        found += dates(columns)
    return (*found, *identifiers(frame, columns), *of_target(source.table.column, is_regression))
