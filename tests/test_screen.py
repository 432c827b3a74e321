"""A reader of stdout that goes away ends nothing: `| head`, a terminal that was closed."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ridgeline.bars import bar_of
from ridgeline.command_line.places import ROOT
from ridgeline.command_line.screen import Screen, use_screen
from ridgeline.images import reading
from ridgeline.search.progress import timed


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


def test_process_without_a_stdout_has_one_that_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    use_screen()
    assert sys.stdout.write("not heard\n") == 10
    sys.stdout.flush()


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


def test_bar_in_a_log_file_is_made_of_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A carriage return glued a warning to the bar, and one stage of confirm to the next."""
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with bar_of(total=4, unit="fit") as bar:
        bar.set_description("learning rates")
        log.write("a warning\n")
        bar.update(4)
    *before, warning, last = log.getvalue().splitlines()
    assert "\r" not in log.getvalue()
    assert before[-1].startswith("learning rates:   0%|")
    assert warning == "a warning"
    assert last.startswith("learning rates: 100%|")
    assert log.getvalue().endswith("\n")


def test_bar_of_images_that_are_decoded_is_one_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log, file = io.StringIO(), tmp_path / "grey.png"
    Image.new("L", (3, 2), 255).save(file)
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(reading, "DELAY", 0)
    assert [found.shape for found in reading.pixels([file, file], 1, (2, 3))] == [(1, 2, 3)] * 2
    assert "\r" not in log.getvalue()
    assert log.getvalue().startswith("decoding:   0%|")
    assert log.getvalue().endswith("image/s]\n")


def test_what_took_how_long_is_a_whole_line_in_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    with timed("Writing"):
        print("a warning")
    assert re.fullmatch(r"a warning\nWriting: \d+\.\d s\n", capsys.readouterr().out)


@pytest.mark.verify
@pytest.mark.parametrize(("shell", "code"), [(">&-", 0), (">/dev/full", 1)])
def test_screen_that_takes_nothing_ends_without_a_traceback(shell: str, code: int) -> None:
    line = f"{sys.executable} {ROOT}/pipelines/train.py --cfg job {shell}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") == code, done.stderr
