"""A study of a thousand trials costs the process that runs it the same for the last trial as for the first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sweeping import results
from test_faults import Command

pytestmark = pytest.mark.alone

TRIALS = 1000
TINY = ["network.hidden=[4]", "data.examples=100", "trainer.max_epochs=1", "search=random", f"search.n_trials={TRIALS}"]


def spent(pid: int) -> tuple[float, float]:
    """Seconds of CPU, MiB of memory."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.verify
def test_thousand_trials_take_no_more_memory_than_three_hundred(tmp_path: Path) -> None:
    command = Command(tmp_path / "runs", *TINY, "hydra.launcher.stack_size=16")
    process = command.start()
    seen: dict[int, tuple[float, float]] = {}
    for goal in (100, 300, 500, 700, 900, 980):
        while command.told() < goal:
            assert process.poll() is None, command.end(process)
            time.sleep(0.2)
        seen[command.told()] = spent(process.pid)
    assert command.end(process) == 0, command.errors
    for (n, (cpu, _)), (m, (more, mib)) in zip(list(seen.items())[:-1], list(seen.items())[1:], strict=True):
        print(f"trials {n} to {m}: {(more - cpu) / (m - n) * 1e3:.1f} ms of CPU each; {mib:.0f} MiB")
    memory = [mib for _, mib in seen.values()]
    assert memory[-1] < 1.15 * memory[1]
    assert [row["number"] for row in results(command.folder)] == [str(number) for number in range(TRIALS)]
    assert {row["state"] for row in results(command.folder)} == {"COMPLETE"}
