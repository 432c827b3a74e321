"""Where a training runs."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from ridgeline.checking import require
from ridgeline.config import Config


def pick_device(config: Config) -> torch.device:
    """The device that `trainer.accelerator` names; auto takes CUDA where there is one. Refuses what it cannot do."""
    wanted, precision = config.trainer.accelerator, config.trainer.precision
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    rule = "trainer.precision is 32-true or bf16-mixed on a CPU"
    require(precision != "tf32" or wanted == "cuda", rule, "trainer.precision", precision)
    return torch.device(wanted)


def describe_machine() -> dict[str, str | int]:
    """Processor, cores, memory, device, versions: no host name, no path."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory / 2**30),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
