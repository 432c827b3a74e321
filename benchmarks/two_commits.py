"""CPU time of the same training by two checkouts, in turns: what a redesign costs, or gains.

Each checkout trains the workloads of `training.py` with its own `benchmarks/rivals/stacked.py`, in a process of its own
with one thread; the first turn warms up. The figure is the ratio of the CPU times of turns in the same round, which
begin with the one and the other in turn, so that a busy machine slows both.

    git worktree add ../before 72d67f2
    python benchmarks/two_commits.py ../before --root FOLDER_OF_MNIST
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from rivals.workloads import WORKLOADS

HERE = Path(__file__).resolve().parents[1]

CHILD = """
import sys, tempfile
from pathlib import Path
import torch
from rivals.crew import Clock, Task
from rivals.files import write_splits
from rivals.stacked import prepare
from rivals.workloads import WORKLOADS

class Nobody:
    def wait(self, timeout):
        pass

torch.set_num_threads(1)
workload = next(each for each in WORKLOADS if each.name == sys.argv[1])
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    write_splits(workload, sys.argv[2], folder)
    train = prepare(Task(workload, folder, 0, {}))
    for line in sys.stdin:
        clock = Clock(Nobody())
        done = train(int(line), clock)
        print(1e3 * clock.cpu / done.work, done.val_loss, flush=True)
"""


class Checkout:
    """A process that trains a workload by the code of a checkout, a slice for each seed."""

    def __init__(self, root: Path, workload: str, mnist: str) -> None:
        paths = os.pathsep.join(str(root / name) for name in ("src", "benchmarks"))
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, workload, mnist],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
            cwd=root / "benchmarks",
        )

    def train(self, seed: int) -> tuple[float, float]:
        """Milliseconds of CPU a trial and step, and the mean validation loss."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seed, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline().split()
        if not answer:
            sys.exit("A checkout's process ended; its own traceback is above.")
        return float(answer[0]), float(answer[1])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("before", type=Path, help="the other checkout")
    names = [workload.name for workload in WORKLOADS]
    oldest = [workload.name for workload in WORKLOADS if workload.network == "mlp"]  # every checkout has these
    parser.add_argument("--workloads", nargs="+", choices=names, default=oldest, metavar="NAME")
    parser.add_argument("--root", default=os.environ.get("RIDGELINE_MNIST", "../shared/data/mnist"))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{'':<14}{'before':>10}{'now':>10}   ms of CPU a trial and step")
    for name in args.workloads:
        checkouts = [Checkout(root, name, str(Path(args.root).resolve())) for root in (args.before.resolve(), HERE)]
        for checkout in checkouts:
            checkout.train(0)
        rounds = []
        for seed in range(1, 1 + args.rounds):
            order = (0, 1) if seed % 2 else (1, 0)
            turns = {i: checkouts[i].train(seed) for i in order}
            rounds.append([turns[0], turns[1]])
        for checkout in checkouts:
            checkout.close()
        (before, now), losses = zip(*[[ms for ms, _ in row] for row in rounds], strict=True), rounds[-1]
        ratio = statistics.median(b / a for a, b in zip(before, now, strict=True))
        same = "the same" if losses[0][1] == losses[1][1] else "ANOTHER"
        medians = [statistics.median(values) for values in (before, now)]
        print(f"{name:<14}{medians[0]:>10.3f}{medians[1]:>10.3f}   now / before {ratio:.3f}; {same} validation loss")


if __name__ == "__main__":
    main()
