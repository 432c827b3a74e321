"""What a figure was measured on."""

from __future__ import annotations

from pathlib import Path

from ridgeline.stack.device import describe_machine

__all__ = ["BUSY", "describe_machine", "private_cache"]

BUSY = 0.5
"""A load average a core, of the minute before, from which figures are not to be trusted."""

CPU0 = Path("/sys/devices/system/cpu/cpu0")


def private_cache() -> int | None:
    """Bytes of the largest data cache that a core shares with no other core; None where the system does not tell."""
    siblings = CPU0 / "topology" / "thread_siblings_list"
    if not siblings.exists():
        return None
    sizes = [
        int((cache / "size").read_text().strip().removesuffix("K")) * 1024
        for cache in CPU0.glob("cache/index*")
        if (cache / "type").read_text().strip() != "Instruction"
        and (cache / "shared_cpu_list").read_text() == siblings.read_text()
    ]
    return max(sizes, default=None)
