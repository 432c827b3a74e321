"""What a stacked step is spent on: milliseconds by kind of operation, one thread, torch's profiler.

python benchmarks/step_profile.py --root FOLDER_OF_MNIST
python benchmarks/step_profile.py --precision bf16-mixed --workloads mnist-5x500
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from machine import describe_machine
from ridgeline.data import load_splits
from ridgeline.stack.device import keep_freed_memory
from ridgeline.stack.fitting import fit
from rivals.crew import EXACT, ROUNDED
from rivals.workloads import BATCH, WORKLOADS, Workload

KINDS = {
    "products, biases included": ("bmm", "baddbmm", "mm", "addmm", "mkldnn_convolution", "convolution_backward"),
    "pooling": ("max_pool2d_with_indices", "max_pool2d_with_indices_backward"),
    "BatchNorm": ("native_batch_norm", "native_batch_norm_backward"),
    "copies: rounding, widening, reordering": ("copy_",),
    "optimizer": ("_fused_adam_", "Optimizer.step#Adam.step", "_foreach_add_"),
    "gathering the batch": ("index_select", "index", "embedding"),
    "ReLU and dropout": ("le", "mul", "mul_", "clamp_min_", "threshold_backward", "relu_", "clamp_min"),
    "l2 that is not in the optimizer": ("addcmul_",),
}
"""By the names of operations; validation's are among them, the random bits, which NumPy draws, are in the rest."""
REST = "random bits, loss, Python, Lightning"


def measure(workload: Workload, root: str, precision: str) -> dict[str, float]:
    """Milliseconds of a stacked step, in all and by kind; the shares are the profiler's, the sum is a clock's."""
    trials = [workload.config(root=root, seed=k, threads=1, precision=precision) for k in range(workload.k)]
    splits = load_splits(trials[0].data)
    steps = workload.epochs * -(-len(splits.train.y_N) // BATCH)
    fit(trials, splits)
    started = time.perf_counter()
    fit(trials, splits)
    whole = 1e3 * (time.perf_counter() - started) / steps
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        fit(trials, splits)
    by_name = {event.key.removeprefix("aten::"): event.self_cpu_time_total for event in profiled.key_averages()}
    kinds = {kind: sum(by_name.get(name, 0.0) for name in names) / steps / 1e3 for kind, names in KINDS.items()}
    return {"the whole step": whole, **kinds, REST: max(0.0, whole - sum(kinds.values()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"))
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--precision", choices=(EXACT, ROUNDED), default=EXACT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    report: dict[str, object] = {"machine": {**describe_machine(), "threads": 1}, "precision": args.precision}
    for workload in WORKLOADS:
        if workload.name not in args.workloads:
            continue
        found = measure(workload, args.root, args.precision)
        report[workload.name] = {"k": workload.k, **found}
        print(f"{workload.name}, K = {workload.k}")
        for kind, ms in found.items():
            print(f"  {kind:<46}{ms:>8.2f} ms{ms / found['the whole step']:>8.0%}")
    if args.workloads == names and args.precision == EXACT:
        path = Path(__file__).parent / "results" / "step_profile.json"
        path.write_text(json.dumps(report, indent=2) + "\n")
        print(f"written to {path.name}")


if __name__ == "__main__":
    main()
