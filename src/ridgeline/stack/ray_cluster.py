"""The Ray cluster that this process uses: one that runs, or one of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from typing import Any

from ridgeline.checking import ConfigError


def connect(address: str | None, cores: int | None = None) -> bool:
    """Connect to the cluster at HOST:PORT or `auto`, or start one on this machine. False if it was done before."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # One of our own serves this process alone: without a dashboard, and no object is ever put into its store.
    own: dict[str, Any] = {"num_cpus": cores, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    if address is None:  # Ray's ports are open to other machines, and it runs what it is sent
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    before = signal.getsignal(signal.SIGTERM)
    try:
        host, _, port = (address or "").rpartition(":")
        if host:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), timeout=5).close()
        import ray  # it reads the environment now, once for all

        if ray.is_initialized():
            return False
        ray.init(address or "local", log_to_driver=False, logging_level="error", **(own if address is None else {}))
    except Exception as error:
        reason, given = " ".join(str(error).split()), f"hydra.launcher.address={address}"
        raise ConfigError(f"`a Ray cluster answers` must hold, but got {given}: {reason}") from error
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)  # Ray has one that ends the process at once
    return True


def count_devices(*, gpu: bool) -> int:
    """Cores or GPUs of the cluster that `connect` found."""
    import ray

    return int(ray.cluster_resources().get("GPU" if gpu else "CPU", 0))
