"""Files and numbers as they are written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from ridgeline.command_line.numbers import number, short
from ridgeline.command_line.outputs import draft_of, write_whole


def test_a_file_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_whole(path, "before")
    with suppress(OSError), draft_of(path) as draft:
        draft.write_text("half of wh")
        assert path.read_text() == "before"
        raise OSError("the disk is full")
    assert path.read_text() == "before"
    write_whole(path, "after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "text", "in_a_name"),
    [
        (0.0123456, "0.01235", "0.012"),
        (1.8234e-5, "1.823e-05", "1.8e-5"),
        (128.0, "128", "128"),
        (2e6, "2000000", "2e6"),
        (28430.4, "28430", "2.8e4"),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart(value: float, text: str, in_a_name: str) -> None:
    assert (number(value), short(value)) == (text, in_a_name)
    assert (number(None), number(7), number("relu")) == ("-", "7", "relu")
