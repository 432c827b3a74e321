"""A process's memory: what its allocator keeps, and what an error says of it."""

from __future__ import annotations

import contextlib
import ctypes
import gc

import torch


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
