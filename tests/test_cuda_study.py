"""A study's own process makes no CUDA context: it asks the driver's library, or a process that ends then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from ridgeline import processes
from ridgeline.checking import ConfigError
from ridgeline.config import precision
from ridgeline.processes import ask
from ridgeline.search import launching, plan
from ridgeline.stack import device, sizing
from settings import small
from sweeping import Studies, table
from test_stacked_study import train


def refuse(key: str) -> None:
    raise ConfigError(f"`{key}` must hold, but does not.")


@pytest.mark.verify
def test_what_is_asked_is_told_by_another_process_or_raised_as_there() -> None:
    assert ask(os.getpid) != os.getpid()
    with pytest.raises(ConfigError, match="`this` must hold"):
        ask(refuse, "this")
    with pytest.raises(RuntimeError, match="asked for _exit ended with exit code 3"):
        ask(os._exit, 3)


def test_torch_asks_the_drivers_library_whether_there_is_a_gpu() -> None:
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


@pytest.mark.verify
def test_a_study_on_a_gpu_makes_no_cuda_context_in_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which believes that there is one; the workers, other processes, train on the CPU that there is."""
    asked: list[str] = []

    def noted(function: Any, *given: Any) -> Any:
        asked.append(function.__name__)
        return 2**33 if function is device.total_memory else None

    def refused(*_: Any) -> None:
        raise AssertionError("a context of CUDA is being made")

    for module, name, value in (
        (torch.cuda, "is_available", lambda: True),
        (torch.cuda, "device_count", lambda: 1),
        (torch.cuda, "_lazy_init", refused),
        (torch._C, "_cuda_init", refused),
        (processes, "ask", noted),
        (sizing, "ask", noted),
    ):
        monkeypatch.setattr(module, name, value, raising=False)
    sizing._memory_of_gpu.cache_clear()
    assert launching.StackSettings().count_devices(gpu=True) == 1
    plan._check_device(small())  # of what only torch can tell
    given = ["optimizer.lr=0.001,0.01", "trainer.max_epochs=2"]
    folder = Studies(tmp_path / "runs", tmp_path / "mlflow.db").run(*given, task=train)
    assert len(table(folder)) == 2
    assert asked == ["check_device", "total_memory"]
    assert not torch.cuda.is_initialized()
    sizing._memory_of_gpu.cache_clear()


def test_products_in_bfloat16_are_measured_by_a_process_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(processes, "ask", lambda *given: asked.append(given) or 2.5)
    precision.choose.cache_clear()
    assert precision.choose("auto") == precision.Choice("bf16-mixed", 2.5)
    assert asked == [(precision.measured_ratio, torch.device("cuda"))]
    precision.choose.cache_clear()


@pytest.mark.verify
def test_a_process_that_is_asked_measures_products() -> None:
    assert 0 < ask(precision.measured_ratio, torch.device("cpu")) < 1000
