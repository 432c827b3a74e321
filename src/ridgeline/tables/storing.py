"""The columns of files are written to the disk, one file each; no more than a few of them are in memory at a time.

Text comes by rows. So the pieces in which it is read are written first, as they come, into a spool for each file; then
one column after the other is taken from there. Only then is it known what kind of values a column has: a text may stand
in the last row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ridgeline.tables.columnar import Columnar
from ridgeline.tables.delimited import Text
from ridgeline.tables.files import naming
from ridgeline.tables.json_lines import JsonLines
from ridgeline.tables.stored import write_column

Kind = Text | Columnar | JsonLines
AT_ONCE = 1 << 26
"""Bytes of a spool, about, that are mapped at a time: one column, or several small ones."""


def store(sources: Sequence[Kind], folder: Path, key: str, missing: Sequence[str], strings: Sequence[str]) -> list[int]:
    """Write the columns of these files, which have the same; returns how many rows each file has.

    A column that is text in one file, and something else in another, is text in all.
    """
    names, counts, mixed = sources[0].names, [], []

    def columns(wanted: Sequence[str], strings: Sequence[str]) -> Iterator[tuple[str, list[pa.ChunkedArray]]]:
        readers = [
            _columns(source, folder / f"{i}.spool", wanted, key, missing, strings) for i, source in enumerate(sources)
        ]
        return zip(wanted, map(list, zip(*readers, strict=True)), strict=True)

    for name, own in columns(names, strings):
        counts = [len(column) for column in own]
        if len({_kind(column) for column in own} - {"empty"}) > 1:
            mixed.append(name)
        else:
            write_column(folder, names.index(name), name, _joined(own))
    if mixed:
        for name, own in columns(mixed, [*strings, *mixed]):
            write_column(folder, names.index(name), name, _joined(own))
    return counts


def _columns(
    source: Kind, spool: Path, names: Sequence[str], key: str, missing: Sequence[str], strings: Sequence[str]
) -> Iterator[pa.ChunkedArray]:
    """The columns of a file, one after the other. Errors of reading it name it; those of writing are others."""
    if isinstance(source, Columnar):
        with naming(key, source.file):
            yield from source.columns(names, missing, strings)
        return
    _write(spool, _pieces(source, key, missing, strings))
    for name, column in zip(names, _spooled(spool, names), strict=True):
        yield source.finished(name, column, missing, strings)
    spool.unlink()


def _pieces(source: Text | JsonLines, key: str, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
    with naming(key, source.file):
        yield from source.pieces(missing, strings)


def _write(spool: Path, pieces: Iterator[pa.Table]) -> None:
    first = next(pieces)
    with pa.OSFile(str(spool), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
        for piece in itertools.chain([first], pieces):
            writer.write_table(piece)


def _spooled(spool: Path, names: Sequence[str]) -> Iterator[pa.ChunkedArray]:
    """The columns one after the other. What is mapped counts as memory until the map is closed: it is opened anew."""
    with pa.memory_map(str(spool)) as mapped:
        schema = pa.ipc.open_stream(mapped).schema
    step = max(1, AT_ONCE * len(schema) // spool.stat().st_size)
    for start in range(0, len(names), step):
        some = names[start : start + step]
        options = pa.ipc.IpcReadOptions(included_fields=sorted(map(schema.get_field_index, some)))
        with pa.memory_map(str(spool)) as mapped:
            table = pa.ipc.open_stream(mapped, options=options).read_all()
        for name in some:
            yield table[name]
        del table


def _kind(column: pa.ChunkedArray) -> str:
    if column.null_count == len(column):
        return "empty"
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return "number" if is_number else str(column.type)


def _joined(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One below the other, whole numbers as others where some are; a column without values is of any kind."""
    kind = next((column.type for column in columns if _kind(column) != "empty"), columns[0].type)
    filled = [
        pa.chunked_array([pa.nulls(len(column), kind)]) if _kind(column) == "empty" else column for column in columns
    ]
    tables = [pa.table([column], ["column"]) for column in filled]
    return pa.concat_tables(tables, promote_options="permissive")["column"]
