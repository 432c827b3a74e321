"""Where a training runs: which device, what machine, and what its memory keeps and lacks."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
from pathlib import Path

import torch

from ridgeline.checking import require
from ridgeline.config import Config
from ridgeline.config.precision import OF_CUDA
from ridgeline.stack.limits import machine_memory


def pick_device(config: Config) -> torch.device:
    """The device that `trainer.accelerator` names; auto takes CUDA where there is one. Refuses what it cannot do."""
    wanted, precision = config.trainer.accelerator, config.trainer.precision
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    rule = "trainer.precision is 32-true or bf16-mixed on a CPU"
    require(precision not in OF_CUDA or wanted == "cuda", rule, "trainer.precision", precision)
    return torch.device(wanted)


def total_memory(device: torch.device) -> int:
    """Bytes: of the GPU, or of the machine, or what a container may take of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return machine_memory()


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


def keep_freed_memory() -> None:
    """Let glibc reuse large buffers instead of returning them: the page faults cost up to a quarter of a step."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD


def give_back_memory() -> None:
    """Free what nothing refers to any more, and return what the allocators keep."""
    gc.collect()
    torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def is_out_of_memory(error: Exception) -> bool:
    """Whether less at once might fit. torch raises plain RuntimeErrors on a CPU, and where a library allocates."""
    words = ("DefaultCPUAllocator", "std::bad_alloc", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")
    if isinstance(error, RuntimeError) and any(word in str(error) for word in words):
        return True
    return isinstance(error, (MemoryError, torch.OutOfMemoryError))


def is_lost(error: BaseException) -> bool:
    """Whether the device answers this process no more: after an assertion or an illegal access on it, every call fails.

    Other errors of CUDA count as such too, but for a lack of memory: a new process costs seconds, a broken one all fits
    that come. What an error was raised from is looked at as well.
    """
    if isinstance(error, Exception) and is_out_of_memory(error):
        return False
    is_cuda = isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and str(error).startswith(("CUDA error: ", "cuDNN error: "))
    )
    return is_cuda or (error.__cause__ is not None and is_lost(error.__cause__))
