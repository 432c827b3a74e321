"""What one GPU makes of a stack, in 15 minutes: equality with the CPU, launches, graphs, time, memory, several workers.

Needs torch and Lightning alone: the data are made here. What cannot be run is named with its reason, and the rest is
run all the same. `--device cpu` shows that the script is sound, not what a GPU does.

    python benchmarks/gpu.py --out gpu.json
    python benchmarks/gpu.py --device cpu --quick
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ridgeline.config import Config, parse  # noqa: E402
from ridgeline.data import DataDescription, Examples, Scaler, Splits  # noqa: E402
from ridgeline.data.splits import Split  # noqa: E402
from ridgeline.stack.device import describe_machine, give_back_memory, is_out_of_memory  # noqa: E402
from ridgeline.stack.fitting import fit, quiet_lightning  # noqa: E402
from ridgeline.stack.module import Stack  # noqa: E402
from ridgeline.stack.precision import float32_products  # noqa: E402

BATCH = 128
LAST_START = 12 * 60
"""Seconds after which no part begins any more."""
NETWORKS = {
    "64-128-128-10": [64, 128, 128, 10],
    "784-128-256-64-10": [784, 128, 256, 64, 10],
    "784-5x500-10": [784, *[500] * 5, 10],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="a minute, to see whether all runs")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    device = torch.device(args.device)
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    if args.worker:
        widths, k, precision, steps = args.worker
        work(json.loads(widths), int(k), precision, device, int(steps))
        return
    parts: dict[str, Callable[[], Any]] = {
        "tests": lambda: run_tests(device),
        "equal": lambda: compare_with_cpu(device, quick=args.quick),
        "launches": lambda: count_launches(device),
        "graphs": lambda: compare_with_graphs(device),
        "steps": lambda: time_steps(device, quick=args.quick),
        "epochs": lambda: time_epochs(device, quick=args.quick),
        "lightning": lambda: time_lightning(device, quick=args.quick),
        "memory": lambda: halve_when_full(device),
        "workers": lambda: time_workers(device, quick=args.quick),
    }
    report: dict[str, Any] = {"machine": describe_machine(), "device": str(device), "quick": args.quick, "not_run": {}}
    locked = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch==")]
    report["torch_of_the_lock"] = locked[0].split(";")[0].strip() if locked else "unknown"
    started = time.perf_counter()
    for name, part in parts.items():
        began = time.perf_counter()
        try:
            if began - started > LAST_START:
                raise NotHere("no time is left")
            report[name] = part()
        except Exception as error:  # whatever a device says: the other parts are run all the same
            report["not_run"][name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
        shown = report.get(name, f"not run: {report['not_run'].get(name)}")
        print(f"{name} ({time.perf_counter() - began:.0f} s): {json.dumps(shown)}", flush=True)
        if args.out:
            args.out.write_text(json.dumps(report, indent=1) + "\n")


class NotHere(Exception):
    """A part that this machine cannot show."""


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


EFFECTS: dict[str, dict[str, Any]] = {
    "regularization": {
        "l1": 1e-4, "group_lasso": 1e-3, "max_norm": 1.0, "input_dropout": 0.2, "dropconnect": 0.3, "input_noise": 0.1,
        "gradient_noise": 0.1, "label_smoothing": 0.1, "mixup": 0.4, "weight_average": 0.9,
    },
    "augmentation": {
        "rotate": 15.0, "scale": 0.1, "shift": 0.1, "flip": 0.5, "crop": 0.2, "brightness": 0.2, "contrast": 0.2,
        "erase": 0.5,
    },
}  # fmt: skip
"""Every regularizer, beside l2 and dropout."""


def config_of(
    widths: Sequence[int], seed: int, precision: str = "32-true", *, effects: bool = False, **others: Any
) -> Config:
    """With an l2 and a rate of its own."""
    more = EFFECTS if effects else {"regularization": {}, "augmentation": {}}
    tree = {
        "data": {"name": "digits", "standardize": "all"},
        "augmentation": more["augmentation"],
        "network": {"name": "mlp", "hidden": list(widths[1:-1])},
        "optimizer": {"name": "adam", "lr": 1e-3 * (1 + seed / 100)},
        "regularization": {
            "l2": 1e-4 * (1 + seed / 100),
            "dropout": others.pop("dropout", 0.25),
            **more["regularization"],
        },
        "trainer": {"batch_size": BATCH, "precision": precision, "enable_progress_bar": False, **others},
        "seed": seed,
    }
    return parse(tree)


def splits_of(widths: Sequence[int], device: torch.device, n: int = 4096) -> Splits:
    """Classes about centres of their own, with noise enough that some examples are taken for another's."""
    numbers = np.random.default_rng(0)
    y_N = numbers.integers(widths[-1], size=2 * n)
    centres = numbers.standard_normal((widths[-1], widths[0])) * 0.2
    x_NI = (centres[y_N] + numbers.standard_normal((2 * n, widths[0]))).astype(np.float32)
    whole = Split(torch.from_numpy(x_NI), torch.from_numpy(y_N))
    train, validation = (Split(whole.x_NI[own], whole.y_N[own]).to(device) for own in (slice(n), slice(n, None)))
    scaler = Scaler(np.zeros(widths[0], np.float32), np.ones(widths[0], np.float32))
    description = DataDescription("made", Examples(n, n, 0), widths[0], widths[-1], "")
    side = round(widths[0] ** 0.5)
    return Splits(train, validation, (scaler,), widths[-1], (1, side, side), description)


def stack_of(widths: Sequence[int], k: int, precision: str, device: torch.device, *, effects: bool = False) -> Stack:
    configs = [config_of(widths, seed, precision, effects=effects) for seed in range(k)]
    stack = Stack(configs, splits_of(widths, device)).train()
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[method-assign,assignment]
    return stack


def seconds_a_step(stack: Stack, precision: str, steps: int) -> float:
    """The fastest of three rounds."""
    device, batches = stack.rows.state_KS.device, list(stack.train_dataloader())[:-1]
    rounds = []
    with float32_products(precision):  # type: ignore[arg-type]
        for n in (6, steps, steps, steps):  # the first is not counted; on CUDA a graph is captured in it
            synchronize(device)
            began = time.perf_counter()
            for i in range(n):
                stack.training_step(batches[i % len(batches)], i)
            synchronize(device)
            rounds.append((time.perf_counter() - began) / n)
    return min(rounds[1:])


def seconds_of_products(widths: Sequence[int], k: int, precision: str, device: torch.device, steps: int) -> float:
    """Forward and both gradients of each layer, but the gradient of the features."""
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    layers = [
        tuple(torch.randn(shape, device=device, dtype=dtype) for shape in ((k, BATCH, i), (k, i, o), (k, BATCH, o)))
        for i, o in pairwise(widths)
    ]
    rounds = []
    with float32_products(precision):  # type: ignore[arg-type]
        for n in (3, steps, steps, steps):
            synchronize(device)
            began = time.perf_counter()
            for _ in range(n):
                for place, (x, weight, grad) in enumerate(layers):
                    torch.bmm(x, weight)
                    torch.bmm(x.transpose(1, 2), grad)
                    if place:
                        torch.bmm(grad, weight.transpose(1, 2))
            synchronize(device)
            rounds.append((time.perf_counter() - began) / n)
    return min(rounds[1:])


def run_tests(device: torch.device) -> Any:
    if device.type != "cuda":
        raise NotHere("the tests of the CUDA path need CUDA")
    lacking = [name for name in ("pytest", "sklearn") if importlib.util.find_spec(name) is None]
    if lacking:
        raise NotHere(f"the tests need {', '.join(lacking)}")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not verify"]
    files = ["tests/test_cuda.py", "tests/test_cuda_path.py"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=240)
    return {"passed": done.returncode == 0, "last_lines": done.stdout.splitlines()[-8:]}


def compare_with_cpu(device: torch.device, *, quick: bool) -> Any:
    """Without noise, which each device draws on its own: the largest relative difference of the best val/loss."""
    widths, found = NETWORKS["64-128-128-10"], {}
    for precision in precisions_of(device):
        configs = [
            config_of(widths, seed, precision, dropout=0.0, max_epochs=1 if quick else 5)
            for seed in range(2 if quick else 8)
        ]
        exact = [replace(config, trainer=replace(config.trainer, precision="32-true")) for config in configs]
        ours = fit(configs, splits_of(widths, device))
        theirs = fit(exact, splits_of(widths, torch.device("cpu")))
        gaps = [abs(a.value - b.value) / b.value for a, b in zip(ours, theirs, strict=True)]
        found[precision] = {"largest_difference": max(gaps), "as_promised": max(gaps) < 0.01}
    return found


def precisions_of(device: torch.device) -> tuple[str, ...]:
    return ("32-true", "tf32", "bf16-mixed") if device.type == "cuda" else ("32-true", "bf16-mixed")


class Launches(TorchDispatchMode):
    """Counts operations that are no views of what they get."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aliases = [each.alias_info for each in func._schema.returns]
        self.n += not (aliases and all(alias is not None and not alias.is_write for alias in aliases))
        return func(*args, **(kwargs or {}))


def count_launches(device: torch.device) -> Any:
    """Of a step with l2 and dropout, and with every regularizer; on CUDA one that waits for the device raises."""
    counts = {}
    for k, effects in ((2, False), (32, False), (2, True), (32, True)):
        stack = stack_of(NETWORKS["64-128-128-10"], k, "32-true", device, effects=effects)
        stack.graphs = None
        batch = next(iter(stack.train_dataloader()))
        stack.training_step(batch, 0)
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("error")
        try:
            with Launches() as seen:
                stack.training_step(batch, 1)
        finally:
            if device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        counts[f"K = {k}, {'all' if effects else 'two'} regularizers"] = seen.n
    return counts


def compare_with_graphs(device: torch.device) -> Any:
    """Whether 20 steps by graph end with the numbers of the same steps without: bits, and the largest difference."""
    if device.type != "cuda":
        raise NotHere("graphs are captured on CUDA alone: tests/test_graphs.py has what they do on a CPU")
    found = {}
    for precision in precisions_of(device):
        for effects in (False, True):
            stacks = [stack_of(NETWORKS["64-128-128-10"], 32, precision, device, effects=effects) for _ in range(2)]
            stacks[0].graphs = None
            with float32_products(precision):  # type: ignore[arg-type]
                for stack in stacks:
                    for i, batch in enumerate(list(stack.train_dataloader())[:20]):
                        stack.training_step(batch, i)
            without, by_graph = (stack.rows.state_KS for stack in stacks)
            known = stacks[1].graphs
            found[f"{precision}, {'all' if effects else 'two'} regularizers"] = {
                "why_not": "no graphs" if known is None else known.why_not,
                "replayed": 0 if known is None else known.n_replayed,
                "same_bits": torch.equal(without, by_graph),
                "largest_difference": float((without - by_graph).abs().max()),
            }
    return found


def time_steps(device: torch.device, *, quick: bool) -> Any:
    """Milliseconds a trial and step, and without graphs; of the products alone; and how many times these it takes."""
    networks = dict(list(NETWORKS.items())[:1]) if quick else NETWORKS
    found: dict[str, Any] = {}
    for name, widths in networks.items():
        for precision in precisions_of(device):
            for k in (4,) if quick else (32, 64, 128, 256):
                steps = 5 if quick else 50
                whole = seconds_a_step(stack_of(widths, k, precision, device), precision, steps)
                by_hand = stack_of(widths, k, precision, device)
                by_hand.graphs = None
                without = seconds_a_step(by_hand, precision, steps) if device.type == "cuda" else None
                del by_hand
                products = seconds_of_products(widths, k, precision, device, steps)
                found[f"{name}, {precision}, K = {k}"] = {
                    "ms": 1e3 * whole / k,
                    "ms_without_graphs": "none on a CPU" if without is None else 1e3 * without / k,
                    "products_ms": 1e3 * products / k,
                    "times_products": whole / products,
                }
                give_back_memory()
    return found


def time_epochs(device: torch.device, *, quick: bool) -> Any:
    """Milliseconds a trial and step of a whole training: with orders, evaluation and all else that is an epoch's."""
    widths, found = NETWORKS["64-128-128-10"], {}
    for k in (4,) if quick else (32, 256):
        splits, seconds = splits_of(widths, device), []
        epochs = (1, 2) if quick else (2, 12)
        for n in epochs:
            configs = [config_of(widths, seed, max_epochs=n) for seed in range(k)]
            began = time.perf_counter()
            fit(configs, splits)
            seconds.append(time.perf_counter() - began)
        steps = (epochs[1] - epochs[0]) * -(-splits.train.n // BATCH)
        found[f"K = {k}"] = {"ms": 1e3 * (seconds[1] - seconds[0]) / steps / k}
    return found


class Plain(pl.LightningModule):
    """The network as one would write it, alone."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        *hidden, last = [nn.Linear(i, o) for i, o in pairwise(widths)]
        self.layers = nn.Sequential(*(nn.Sequential(own, nn.ReLU(), nn.Dropout(0.25)) for own in hidden), last)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def time_lightning(device: torch.device, *, quick: bool) -> Any:
    """Milliseconds a step of an ordinary Trainer with a DataLoader, one trial at a time."""
    found = {}
    for name, widths in list(NETWORKS.items())[: 1 if quick else None]:
        train = splits_of(widths, torch.device("cpu")).train
        loader = DataLoader(TensorDataset(train.x_NI, train.y_N), batch_size=BATCH, shuffle=True)
        seconds = []
        for epochs in (1, 2 if quick else 6):
            trainer = pl.Trainer(
                max_epochs=epochs,
                accelerator="gpu" if device.type == "cuda" else "cpu",
                devices=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            began = time.perf_counter()
            with quiet_lightning():
                trainer.fit(Plain(widths), loader)
            synchronize(device)
            seconds.append(time.perf_counter() - began)
        found[name] = {"ms": 1e3 * (seconds[1] - seconds[0]) / ((epochs - 1) * len(loader))}
    return found


def halve_when_full(device: torch.device) -> Any:
    """With a share of the memory that 256 fits of the largest network do not find room in: how many do."""
    if device.type != "cuda":
        raise NotHere("a share of the memory can be set on CUDA alone")
    widths, k = NETWORKS["784-5x500-10"], 256
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(4 * 2**30 / total)
    tried = []
    try:
        while k >= 1:
            try:
                seconds_a_step(stack_of(widths, k, "32-true", device), "32-true", 1)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                tried.append(k)
            else:
                break
            k //= 2
            give_back_memory()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return {"too_many": tried, "fits": k}


def work(widths: Sequence[int], k: int, precision: str, device: torch.device, steps: int) -> None:
    """A worker: says when it is warm, begins when it is told to, and says how many seconds its steps took."""
    stack = stack_of(widths, k, precision, device)
    seconds_a_step(stack, precision, 3)
    print("warm", flush=True)
    sys.stdin.readline()
    batches = list(stack.train_dataloader())[:-1]
    began = time.perf_counter()
    with float32_products(precision):  # type: ignore[arg-type]
        for i in range(steps):
            stack.training_step(batches[i % len(batches)], i)
        synchronize(device)
    print(time.perf_counter() - began, flush=True)


def time_workers(device: torch.device, *, quick: bool) -> Any:
    """Milliseconds a trial and step of so many processes at once, which share as many fits; all begin together."""
    widths, found = NETWORKS["64-128-128-10"], {}
    total, steps = (8, 10) if quick else (256, 300)
    for n in (1, 2) if quick else (1, 2, 4):
        given = [json.dumps(widths), str(total // n), "32-true", str(steps)]
        command = [sys.executable, __file__, "--device", str(device), "--worker", *given]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        crew = [subprocess.Popen(command, **pipes) for _ in range(n)]  # type: ignore[call-overload]
        try:
            if any(process.stdout.readline() != "warm\n" for process in crew):
                raise RuntimeError("a worker failed")
            for process in crew:
                process.stdin.write("\n")
                process.stdin.flush()
            answers = [process.communicate(timeout=180)[0] for process in crew]
        finally:
            for process in crew:
                process.kill()
                process.wait()
        if not all(answers):
            raise RuntimeError("a worker failed")
        found[f"{n} of {total // n}"] = {"ms": 1e3 * max(map(float, answers)) / steps / total}
    return found


if __name__ == "__main__":
    main()
