"""What the machine does while a study runs, for the tab "System metrics" of the study's run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

from ridgeline.tracking.run import StudyRun

SECONDS = 5.0
POINTS = 200
"""A long study is sampled less often: every 1/200 of the time that it has taken, once that is longer than SECONDS."""


@contextlib.contextmanager
def machine_metrics(run: StudyRun) -> Iterator[None]:
    """Log processors, memory, and GPUs where `nvidia-ml-py` is installed, to `run` until the block ends.

    Under MLflow's own names; the step is the time since the study began, in seconds.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(run, stop), name="ridgeline.machine", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(run: StudyRun, stop: threading.Event) -> None:
    monitors: list[BaseMetricsMonitor] = [CPUMonitor()]
    with contextlib.suppress(ImportError, RuntimeError):  # no nvidia-ml-py, or no GPU
        monitors.append(GPUMonitor())
    for monitor in monitors:  # what a processor does is measured from one call to the next
        monitor.collect_metrics()
        monitor.clear_metrics()
    began = time.monotonic()
    while True:
        stopped = stop.wait(max(SECONDS, (time.monotonic() - began) / POINTS))
        found: dict[str, float] = {}
        for monitor in monitors:
            monitor.collect_metrics()
            found |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        run.log_epoch(int(time.time() - run.started), found)
        if stopped:
            return
