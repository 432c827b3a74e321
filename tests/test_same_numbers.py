"""benchmarks/same_numbers.py finds a number that changed, and none that only has another name or place."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

from ridgeline.entry_points import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("same_numbers", ROOT / "benchmarks" / "same_numbers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_changed_number_is_found_and_a_renamed_one_is_the_same(script: ModuleType) -> None:
    before = {"a.csv: row 0, value": "0.25", "a.csv: row 0, plain loss": "1.5"}
    assert script.differences("stack", before, {"a.csv: row 0, value": "0.25", "b.csv: row 0, other loss": "1.5"}) == []
    changed = {"a.csv: row 0, value": "0.25000000000000006", "a.csv: row 0, plain loss": "1.5"}
    assert script.differences("stack", before, changed) == [
        "stack: a.csv: row 0, value: was 0.25, is 0.25000000000000006"
    ]
    assert len(script.differences("stack", before, {"a.csv: row 0, value": "0.25"})) == 1


def test_weights_are_the_same_under_other_names_and_transposed_and_other_in_the_last_bit(
    script: ModuleType, tmp_path: Path
) -> None:
    weight_IO = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    other_IO = weight_IO.copy()
    other_IO[2, 1] = np.nextafter(other_IO[2, 1], np.float32(9))
    found = []
    for i, tensors in enumerate(
        ({"w": weight_IO}, {"first.weight": np.ascontiguousarray(weight_IO.T)}, {"w": other_IO})
    ):
        save_file(tensors, tmp_path / f"{i}.safetensors")
        found.append(script.weights(tmp_path / f"{i}.safetensors"))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_what_a_run_leaves_is_collected_without_what_is_of_the_run_itself(script: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "studies" / "grid-digits-1a2b" / "jobs" / "0"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,val/loss,seconds\n1,0.5,3.25\n")
    (folder.parents[1] / "confirm.json").write_text('{"test": {"plain": 0.1}, "when": 2026, "config": {"claims": 10}}')
    assert script.collect(tmp_path) == {
        "study/jobs/0/history.csv: row 0, epoch": "1",
        "study/jobs/0/history.csv: row 0, val/loss": "0.5",
        "study/confirm.json: /test/baseline": "0.1",
    }
