"""Which files a path means, what is in them, and what is wrong with them as files."""

from __future__ import annotations

import difflib
import glob
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ridgeline.checking import ConfigError

BLOCK = 1 << 22
GZIP = b"\x1f\x8b"
TABLES = (".csv", ".tsv", ".txt", ".data", ".gz", ".parquet", ".feather", ".arrow", ".jsonl", ".ndjson", ".json")
SIGNATURES = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather",
    b"FEA1": "Feather",
}
FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"BZh": "compressed by bzip2: unpack it, or use gzip",
    b"\xfd7zXZ": "compressed by xz: unpack it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it, or use gzip",
    b"7z\xbc\xaf": "a 7-Zip archive: unpack it",
    b"SQLite format 3": "an SQLite database: write the table to a CSV",
    b"\x89HDF": "an HDF5 file: write the table with DataFrame.to_parquet",
    b"\x93NUMPY": "a NumPy array: write it with DataFrame.to_csv(index=False)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: run `git lfs pull`",
}
BY_WORD = {
    b"<!doctype": "a web page: the download went wrong",
    b"<html": "a web page: the download went wrong",
    b"<?xml": "XML: write the table to a CSV",
    b"@relation": "an ARFF file: write it with scipy.io.arff and DataFrame.to_csv",
}
PICKLES = tuple(bytes((0x80, version)) for version in range(2, 6))


class BadTable(ValueError):
    """What is wrong with a file, before it is known which key named it: the rule it breaks, and how."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail = rule, detail


@contextmanager
def naming(key: str, path: Path) -> Iterator[None]:
    """Give a bad file's error the key and the file that it is about."""
    try:
        yield
    except BadTable as bad:
        raise ConfigError(f"`{bad.rule}` must hold, but got {key}={path}: {one_line(bad.detail)}") from bad
    except PermissionError as error:
        raise ConfigError(f"`the file may be read` must hold, but got {key}={path}: {error.strerror}.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        detail = f"cut off or damaged ({one_line(str(error))}); copy or download it again."
        raise ConfigError(f"`the gzip file is whole` must hold, but got {key}={path}: {detail}") from error
    except OSError as error:
        raise ConfigError(f"`the file can be read` must hold, but got {key}={path}: {one_line(str(error))}") from error


def one_line(text: str, most: int = 300) -> str:
    """Text of a file, fit for one line on a screen."""
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def find_files(path: str, key: str) -> tuple[Path, ...]:
    """The file of this path, or in order of their names those that a pattern with * or ? matches."""
    file = Path(path).expanduser()
    if file.is_dir():
        there = _some(_tables(file))
        raise ConfigError(f"`{key} is a file` must hold, but got {key}={path}, a folder. {there}")
    if file.exists():
        return (file,)
    if glob.has_magic(path):
        found = tuple(Path(name) for name in sorted(glob.glob(str(file), recursive=True)) if Path(name).is_file())
        if not found:
            raise ConfigError(f"`a file matches` must hold, but got {key}={path}. {_nearest(file)}")
        return found
    raise ConfigError(f"`the file exists` must hold, but got {key}={path}. {_nearest(file)}")


def _nearest(file: Path) -> str:
    """The files of the nearest folder that there is which are called most like this one."""
    folder = next((parent for parent in file.parents if parent.is_dir()), Path())
    if folder != file.parent:
        return f"There is no folder {file.parent}; the nearest is {folder}."
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return ""
    close = difflib.get_close_matches(file.name, names, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(close)}?" if close else _some(_tables(folder))


def _tables(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in folder.iterdir() if file.suffix.lower() in TABLES)
    except OSError:
        return []


def _some(names: list[str], most: int = 8) -> str:
    if not names:
        return "There is no table in that folder."
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"There is: {', '.join(names[:most])}{more}."


def content_of(files: Iterable[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def is_gzip(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == GZIP


def opened(file: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it is gzipped, whatever it is called."""
    return gzip.open(file, "rb") if is_gzip(file) else file.open("rb")  # type: ignore[return-value]


def unpacked_size(file: Path) -> int:
    """Bytes of the file when unpacked, estimated from its start."""
    size = file.stat().st_size
    if not is_gzip(file):
        return size
    with file.open("rb") as stream:
        packed = stream.read(BLOCK)
    return int(size * len(zlib.decompressobj(31).decompress(packed)) / max(len(packed), 1))


def kind_of(file: Path) -> str:
    """`CSV`, `Parquet`, `Feather` or `JSON lines`, told by what is in the file. Raises BadTable for anything else."""
    with opened(file) as stream:
        head = stream.read(4096)
    if not head:
        raise BadTable("the file is not empty", "it has no byte.")
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    rule = "the file is a CSV, TSV, Parquet, Feather or JSON lines"
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"PK\x03\x04"):
        is_excel = b"[Content_Types].xml" in head or b"xl/" in head
        raise BadTable(
            rule, f"it is {'an Excel workbook: save the sheet as CSV' if is_excel else 'a zip file: unzip it'}."
        )
    for signature, what in FOREIGN.items():
        if head.startswith(signature):
            raise BadTable(rule, f"it is {what}.")
    for word, what in BY_WORD.items():
        if first[: len(word)].lower() == word:
            raise BadTable(rule, f"it is {what}.")
    if head.startswith(PICKLES):
        raise BadTable(rule, "it is a pickle, which may run code when it is opened: write DataFrame.to_parquet.")
    if file.suffix.lower() in (".parquet", ".feather", ".arrow"):
        raise BadTable(f"a {file.suffix} file starts as one", "its first bytes are another kind's, or it was cut off.")
    if first.startswith(b"{"):
        return "JSON lines"
    if file.name.lower().removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson")):
        detail = "it starts with [, so it is one list" if first.startswith(b"[") else "it starts otherwise"
        raise BadTable(
            "a JSON file has one object {...} a line", f"{detail}: write to_json(orient='records', lines=True)."
        )
    return "CSV"


def text_of(file: Path, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    """The file's text with its line ends as they are."""
    return io.TextIOWrapper(opened(file), encoding=encoding, errors=errors, newline="")
