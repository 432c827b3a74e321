"""A file that is no right table gets one line: the key, the rule, and what is wrong where."""

from __future__ import annotations

from pathlib import Path

import pytest

from bad_files import MAKERS, BadFile
from ridgeline.checking import ConfigError
from ridgeline.tables.finite import require_finite, require_numbers
from ridgeline.tables.reading import read_table


def read(made: BadFile) -> None:
    reading = read_table(made.path)
    assert made.shows == "checked"
    require_finite(reading.frame, list(reading.frame), reading.place)
    require_numbers(reading.frame, ["size"], reading.place)


@pytest.mark.parametrize("name", MAKERS)
def test_bad_file_gets_one_line_with_key_rule_and_place(name: str, tmp_path: Path) -> None:
    made = MAKERS[name](tmp_path / name)
    if made.shows == "used":
        assert len(read_table(made.path).frame) == 40
        return
    with pytest.raises(ConfigError) as caught:
        read(made)
    line = str(caught.value)
    assert "\n" not in line
    assert line.isprintable()
    assert len(line) < 600
    assert "must hold, but got " in line
    assert all(words in line for words in made.words), line
    if made.shows == "read":
        assert "data.path=" in line
