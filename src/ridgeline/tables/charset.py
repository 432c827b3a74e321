"""How the characters of a text file are written: UTF-8, UTF-16, or one byte each."""

from __future__ import annotations

import codecs
from pathlib import Path

from ridgeline.tables.files import BLOCK, BadTable, opened

NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a BOM",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 without a BOM",
    "utf-16-be": "UTF-16 without a BOM",
    "cp1252": "Latin-1 (Windows-1252)",
}
CURE = "Save it as UTF-8, or convert it: `iconv -f ENCODING -t UTF-8`."
HEAD = 1 << 16
RULE = "the text is UTF-8, UTF-16 or Latin-1"


def likely_encoding(file: Path) -> str:
    """The encoding that the start of the file tells. Raises BadTable where that is no text."""
    with opened(file) as stream:
        head = stream.read(HEAD)
    marked = _marked(head)
    if marked is not None:
        return marked
    _require_text(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character may be cut at the end
        return "utf-8"
    except UnicodeDecodeError:
        return "cp1252"


def encoding_of(file: Path) -> str:
    """The encoding, after reading the whole file with it. Raises BadTable where none fits, or it is no text."""
    likely = likely_encoding(file)
    if likely not in ("utf-8", "cp1252"):
        _read_with(file, likely)
        return likely
    try:
        _read_with(file, "utf-8")
        return "utf-8"
    except BadTable as bad:
        if _is_mostly_utf8(file):
            raise
        as_utf8 = bad
    try:
        _read_with(file, "cp1252")
        return "cp1252"
    except BadTable:
        raise as_utf8 from None


def _marked(head: bytes) -> str | None:
    """The encoding that the first bytes, or the zeros among them, tell."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadTable(RULE, f"it is UTF-32. {CURE}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = max(len(head) // 2, 1)
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.5 and even < 0.05:
        return "utf-16-le"
    if even > 0.5 and odd < 0.05:
        return "utf-16-be"
    return None


def _require_text(head: bytes) -> None:
    strange = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1a")
    if strange > len(head) / 100:
        share = f"{strange} of its first {len(head)} bytes are control characters"
        raise BadTable("the file is text", f"it is binary: {share}.")


def _read_with(file: Path, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with opened(file) as stream:
        while True:
            block = stream.read(BLOCK)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                detail = f"line {line} has the byte 0x{byte:02x}, which is no character in {NAMES[encoding]}. {CURE}"
                raise BadTable(RULE, detail) from error
            if "\0" in text:
                line = lines + text[: text.index("\0")].count("\n")
                raise BadTable("the file is text", f"line {line} holds a NUL byte: it is binary, or was damaged.")
            if not block:
                return
            lines += text.count("\n")


def _is_mostly_utf8(file: Path) -> bool:
    """Whether most characters beyond ASCII are right as UTF-8, so that a few wrong ones are damage."""
    with opened(file) as stream:
        text = stream.read(BLOCK).decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", errors="ignore")) - wrong
    return right > wrong
