"""(c) Ours: `ridgeline.stack.fit`, K trials as one model in each process, with K seeds: orders and masks of their own.

The listener's calls give the time, so what comes before the first epoch's end and after the last's is not counted, as
for the others.
"""

from __future__ import annotations

from ridgeline.stack.fitting import fit
from ridgeline.stack.records import Row
from ridgeline.stack.worker import keep_freed_memory
from rivals.crew import Clock, Done, Slice, Task
from rivals.files import read_splits
from rivals.workloads import BATCH


def prepare(task: Task) -> Slice:
    keep_freed_memory()  # as the launcher's workers do
    splits, k = read_splits(task.workload, task.folder, task.device), task.k
    workload, kind = task.workload, {"precision": task.precision, "device": task.device}
    steps = -(-len(splits.train.y_N) // BATCH)

    def run(seed: int, clock: Clock) -> Done:
        first = 1000 * seed + k * task.index
        trials = [workload.config(root=None, seed=first + i, threads=1, **kind) for i in range(k)]

        def listen(slot: int, row: Row) -> None:
            if slot != k - 1:
                return
            if row["epoch"] == 1:
                clock.start()
            elif row["epoch"] == workload.epochs:
                clock.stop()

        results = fit(trials, splits, listener=listen)
        val_loss = sum(result.history[-1]["val/loss"] for result in results) / k
        return Done(k * (workload.epochs - 1) * steps, val_loss)

    return run
