"""The columns of files are written to the disk, one file each; no more than a few of them are in memory at a time.

Files come by rows. So the pieces in which they are read are written first, as they come, into a spool for each file;
then one column after the other is taken from the spools. Only then is it known what kind of values a column has: a
text may stand in the last row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ridgeline.tables.columnar import Columnar
from ridgeline.tables.delimited import Text
from ridgeline.tables.files import naming
from ridgeline.tables.json_lines import JsonLines
from ridgeline.tables.stored import write_column

Kind = Text | Columnar | JsonLines
AT_ONCE = 1 << 27
"""Bytes of a spool, about, that are mapped at a time: one column, or several small ones."""


def store(sources: Sequence[Kind], folder: Path, key: str, missing: Sequence[str], strings: Sequence[str]) -> list[int]:
    """Write the columns of these files, which have the same; returns how many rows each file has.

    A column that is text in one file, and something else in another, is text in all.
    """
    names = sources[0].names
    counts, mixed = _store(sources, names, names, folder, key, missing, strings)
    if mixed:
        _store(sources, names, mixed, folder, key, missing, [*strings, *mixed])
    return counts


def _store(
    sources: Sequence[Kind],
    names: Sequence[str],
    wanted: Sequence[str],
    folder: Path,
    key: str,
    missing: Sequence[str],
    strings: Sequence[str],
) -> tuple[list[int], list[str]]:
    """How many rows each file has; and those of the wanted columns that were not written, for their kinds differ."""
    spools = [folder / f"{i}.spool" for i in range(len(sources))]
    counts = [
        _spool(spool, _naming(source, key, missing, strings)) for spool, source in zip(spools, sources, strict=True)
    ]
    mixed = []
    for columns in zip(*(_columns(spool, wanted) for spool in spools), strict=True):
        name = columns[0][0]
        own = [
            source.finished(name, column, missing, strings)
            for source, (_, column) in zip(sources, columns, strict=True)
        ]
        if len({_kind(column) for column in own} - {"empty"}) > 1:
            mixed.append(name)
        else:
            write_column(folder, names.index(name), name, _joined(own))
    for spool in spools:
        spool.unlink()
    return counts, mixed


def _naming(source: Kind, key: str, missing: Sequence[str], strings: Sequence[str]) -> Iterator[pa.Table]:
    """The pieces of a file, whose errors name it: those of writing them are others."""
    with naming(key, source.file):
        yield from source.pieces(missing, strings)


def _spool(path: Path, pieces: Iterable[pa.Table]) -> int:
    count, writer = 0, None
    with pa.OSFile(str(path), "wb") as sink:
        for piece in pieces:
            writer = writer or pa.ipc.new_stream(sink, piece.schema)
            writer.write_table(piece)
            count += piece.num_rows
        assert writer is not None
        writer.close()
    return count


def _columns(spool: Path, names: Sequence[str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """The columns one after the other. What is mapped counts as memory until the map is closed: it is opened anew."""
    with pa.memory_map(str(spool)) as mapped:
        schema = pa.ipc.open_stream(mapped).schema
    step = max(1, AT_ONCE * len(schema) // spool.stat().st_size)
    for start in range(0, len(names), step):
        some = list(names[start : start + step])
        options = pa.ipc.IpcReadOptions(included_fields=sorted(map(schema.get_field_index, some)))
        with pa.memory_map(str(spool)) as mapped:
            table = pa.ipc.open_stream(mapped, options=options).read_all()
        for name in some:
            yield name, table[name]
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
