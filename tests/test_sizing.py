"""How many fits a stack gets, from what the machine says of its caches and its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ridgeline.stack import limits, sizing
from ridgeline.stack.sizing import LEAST_CACHE, MOST_CACHE, core_cache, fitting_stack_size
from settings import small


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to describe a machine in, as Linux does."""
    monkeypatch.setattr(sizing, "CACHES", tmp_path)
    monkeypatch.setattr(limits, "CGROUP_LIMIT", tmp_path / "memory.max")
    return tmp_path


def describe(machine: Path, *caches: tuple[int, str, str]) -> None:
    for number, values in enumerate(caches):
        folder = machine / f"index{number}"
        folder.mkdir()
        for name, value in zip(("level", "size", "shared_cpu_list"), values, strict=True):
            (folder / name).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("caches", "expected"),
    [
        ([], LEAST_CACHE),
        ([(1, "48K", "0"), (2, "2048K", "0"), (3, "491520K", "0-1")], MOST_CACHE),  # a virtual machine's
        ([(1, "32K", "0"), (2, "1024K", "0"), (3, "98304K", "0-2,8")], 25 * 2**20),
        ([(2, "1280K", "0,8"), (3, "12288K", "0-15")], LEAST_CACHE),
    ],
)
def test_cache_of_a_core_is_its_share_within_bounds(
    caches: list[tuple[int, str, str]], expected: int, machine: Path
) -> None:
    describe(machine, *caches)
    assert core_cache() == expected


def test_small_networks_get_large_stacks_and_large_networks_small_ones(machine: Path) -> None:
    describe(machine, (2, "2048K", "0"), (3, "491520K", "0-1"))
    sizes = {hidden: fitting_stack_size(small(network__hidden=hidden), 2) for hidden in [(128, 128), (500,) * 5]}
    assert sizes == {(128, 128): 32, (500,) * 5: 2}


def test_all_stacks_together_leave_most_of_the_memory_free(machine: Path) -> None:
    (machine / "memory.max").write_text(f"{2**30}\n")  # of a container
    config = small(network__hidden=[1024, 1024])
    sizes = [fitting_stack_size(config, workers) for workers in (1, 8, 64)]
    assert sizes == [2, 1, 1]
    (machine / "memory.max").write_text("max\n")
    assert fitting_stack_size(config, 8) == 2
