"""What was understood of a table or of images, before anything trains: columns, target, splits, what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ridgeline.config import ImagesConfig, TableConfig
from ridgeline.data.arrays import load_arrays
from ridgeline.data.cross_validation import fold_rows
from ridgeline.data.leak_check import what_looks_wrong
from ridgeline.data.source import Source, TableFacts
from ridgeline.data.sources import read_source
from ridgeline.finding import Overview
from ridgeline.tables.columns import Column

SHOWN = 60
"""Of how many columns at most there is a line. `prepare.summary` has all of them."""
HEAD = ("column", "role", "missing", "values", "becomes", "why")
WIDEST = 56


def look_at(config: TableConfig | ImagesConfig) -> Overview:
    """Of all that there is, but for the targets, which are those of the train and the validation split."""
    if isinstance(config, ImagesConfig):
        from ridgeline.data.image_overview import look_at_images

        return look_at_images(config)
    source = read_source(config)
    rows = fold_rows(source, config)[0]
    encoder = load_arrays(config).scalers[0].encoder
    assert encoder is not None
    assert source.frame is not None
    frame = source.frame
    described = tuple(_described(frame[column.name], column) for column in encoder.columns)
    seen = np.union1d(rows.train, rows.validation)
    return Overview(
        (*_of_target(source, config, source.y_N[seen]), *_table(described)), what_looks_wrong(config), described
    )


def _of_target(source: Source, config: TableConfig, seen_N: np.ndarray) -> Iterator[str]:
    """`seen_N`: the targets of the train and the validation split."""
    facts = source.table
    assert isinstance(facts, TableFacts)
    target, rows = facts.target, len(facts.column)
    yield f"file:   {facts.said}; {rows} rows, {len(source.columns)} columns of features"
    yield f"target: {config.target}, {target.task}, for {target.why}"
    if target.missing:
        yield f"        {target.missing} rows without it are left out"
    if target.rare:
        named = ", ".join(f"{name} ({count})" for name, count in target.rare)
        yield f"        classes of fewer than 5 rows are left out: {named}"
    if target.task == "classification":
        counts = np.bincount(seen_N, minlength=len(source.class_names))
        named = ", ".join(
            f"{name} {n} ({n / len(seen_N):.1%})" for name, n in zip(source.class_names, counts, strict=True)
        )
        yield f"        {named}"
    else:
        low, middle, high = np.quantile(seen_N, [0, 0.5, 1])
        yield f"        from {low:.6g} to {high:.6g}, median {middle:.6g}"


def _described(values: pd.Series, column: Column) -> dict[str, str | float | int]:
    return {
        "column": column.name,
        "role": column.role,
        "missing": float(values.isna().mean()),
        "values": int(values.nunique()),
        "becomes": column.becomes if column.role != "dropped" else "nothing",
        "why": column.why,
    }


def _table(described: tuple[dict[str, str | float | int], ...]) -> Iterator[str]:
    cells = [HEAD]
    for one in described[:SHOWN]:
        missing = "" if one["missing"] == 0 else "<0.1%" if float(one["missing"]) < 5e-4 else f"{one['missing']:.1%}"
        row = (one["column"], one["role"], missing, one["values"], one["becomes"], one["why"])
        cells.append(tuple(_cut(str(cell)) for cell in row))  # type: ignore[arg-type]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
    yield ""
    for row in cells:
        yield "  ".join(
            f"{cell:>{w}}" if i in (2, 3) else f"{cell:<{w}}"
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
    if len(described) > SHOWN:
        yield f"... and {len(described) - SHOWN} more: all of them with prepare.summary=FILE.json"
    yield ""


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
