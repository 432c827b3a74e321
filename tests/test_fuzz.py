"""A slice of benchmarks/fuzz.py: drawn configurations train to the same bits in both launchers, or are refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ridgeline.entry_points import ROOT


@pytest.mark.verify
def test_drawn_configurations_end_alike_in_both_launchers_or_are_refused_in_one_line() -> None:
    # Without a limit of seconds: a test may share its machine.
    command = [sys.executable, "fuzz.py", "--count", "12", "--seed", "1", "--untimed"]
    done = subprocess.run(command, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 configurations, 0 with something wrong" in done.stdout
