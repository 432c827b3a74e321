"""A reader of stdout that goes away ends nothing: `| head`, a terminal that was closed."""

from __future__ import annotations

import os
import pty

import pytest

from ridgeline.screen import Screen


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_what_nobody_reads_is_let_go(kind: str) -> None:
    reader, writer = os.pipe() if kind == "pipe" else pty.openpty()
    with os.fdopen(writer, "w") as stream:
        screen = Screen(stream)
        screen.write("heard\n")
        screen.flush()
        os.close(reader)
        for _ in range(3):
            assert screen.write("not heard\n" * 10_000) == 100_000
            screen.flush()


def test_full_disk_is_still_an_error() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    stream = open("/dev/full", "w")  # noqa: SIM115
    screen = Screen(stream)
    screen.write("lost")
    with pytest.raises(OSError, match="No space left"):
        screen.flush()
    with pytest.raises(OSError, match="No space left"):
        stream.close()
