"""Promises 2 to 4 for fits that flow through the slots of worker processes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from modules import tell_gpu
from ridgeline.config import Config, ConfigError, parse
from ridgeline.data import Splits, load_splits
from ridgeline.lightning.alone import train_alone
from ridgeline.search.launching import StackSettings
from ridgeline.stack.device import is_lost, is_out_of_memory
from ridgeline.stack.fitting import fit
from ridgeline.stack.messages import Broken, Epoch, Gone, TooLarge
from ridgeline.stack.pool import Pool, gpus_of, visible_gpus
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.source import Fit, Pruned
from ridgeline.stack.stream import Stream
from settings import SMALL, small, tree


def knobs(number: int, **optimizer: Any) -> Config:
    """Fits of many lengths: patience 1 to 3, with dropout; every fourth uses each of the other knobs."""
    others = {"l1": 1e-4, "max_norm": 1.5, "input_noise": 0.1, "label_smoothing": 0.1, "weight_average": 0.9}
    return small(
        **{f"regularization__{name}": value for name, value in others.items() if number % 4 == 3},
        **{f"optimizer__{name}": value for name, value in optimizer.items()},
        seed=number,
        regularization__dropout=[0.1 * (number % 5), 0.2],
        regularization__l2=1e-3 * (number % 3),
        optimizer__lr=[3e-3, 3e-2, 0.3][number % 3],
        trainer__max_epochs=9,
        callbacks__early_stopping__patience=1 + number % 3,
    )


class Log:
    """Hands out the fits of a list and notes the order in which it is asked and told."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self._configs = configs
        self._numbers: Iterator[int] = iter(range(len(configs)))
        self.events: list[tuple[str, int, int]] = []
        self.results: dict[int, FitResult | Pruned | str | None] = {}
        self.rows: dict[int, list[Row]] = {}

    def next(self, slot: int, tick: int) -> Fit | None:
        number = next(self._numbers, None)
        if number is None:
            return None
        self.events.append(("asked", number, tick))
        return Fit(number, self._configs[number], tick)

    def epoch(self, fit: Fit, row: Row) -> bool:
        self.rows.setdefault(fit.number, []).append(row)
        return False

    def ended(self, fit: Fit) -> None:
        self.events.append(("told", fit.number, fit.start + fit.epochs))
        self.results[fit.number] = fit.outcome


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two workers for all tests: a stream leaves them as it found them."""
    with Pool(2, train_alone) as pool:
        yield pool


def stream(configs: Sequence[Config], pool: Pool, slots: int) -> Log:
    log = Log(configs)
    Stream(pool, log).run({}, dict.fromkeys(range(slots), 0))
    return log


@pytest.mark.parametrize("optimizer", [{"name": "adam"}, {"name": "sgd", "momentum": 0.9}], ids=["adam", "momentum"])
def test_refilled_fits_end_bitwise_as_alone(digits: Splits, pool: Pool, optimizer: dict[str, Any]) -> None:
    configs = [knobs(number, **optimizer) for number in range(13)]
    log = stream(configs, pool, slots=5)
    assert len({len(rows) for rows in log.rows.values()}) > 2  # fits of different lengths did flow
    for number, config in enumerate(configs):
        result, (alone,) = log.results[number], fit([config], digits)
        assert isinstance(result, FitResult)
        assert result.history == alone.history == log.rows[number]
        assert (result.value, result.best_epoch, result.end) == (alone.value, alone.best_epoch, alone.end)
        assert result.metrics == alone.metrics
        assert all(torch.equal(result.weights[name], alone.weights[name]) for name in alone.weights)


def test_asking_and_telling_follow_the_logical_clock(pool: Pool) -> None:
    """Twice the same order, with workers that are not equally fast; ends are told by tick."""
    configs = [knobs(number) for number in range(12)]
    once, again = stream(configs, pool, slots=4), stream(configs, pool, slots=4)
    assert once.events == again.events
    told = [tick for kind, _, tick in once.events if kind == "told"]
    assert told == sorted(told)
    assert len(told) == 12


class FakePool:
    """Workers of which a seeded coin decides who is heard next; a fit of number n trains 1 + n % 4 epochs."""

    def __init__(self, workers: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.slots: list[dict[int, list[int]]] = [{} for _ in range(workers)]
        self.sizes = [0] * workers
        self.drained = [True] * workers

    def __len__(self) -> int:
        return len(self.slots)

    def begin(self, worker: int, configs: dict[int, int]) -> None:
        assert not self.slots[worker]
        self.slots[worker] = {position: [number, 0] for position, number in enumerate(configs)}
        self.sizes[worker], self.drained[worker] = len(configs), False

    def load(self, worker: int, position: int, number: int, config: int) -> None:
        assert not self.drained[worker]
        self.slots[worker][position] = [number, 0]

    def stop(self, worker: int, position: int) -> None:
        self.slots[worker].pop(position, None)

    def drain(self, worker: int) -> None:
        assert not self.drained[worker]
        self.drained[worker] = True

    def receive(self) -> list[tuple[int, object]]:
        worker = self.random.choice([w for w, slots in enumerate(self.slots) if slots])
        slots, ended = self.slots[worker], {}
        rows = {number: {"epoch": float(done + 1)} for number, done in slots.values()}
        for position in list(slots):
            slots[position][1] += 1
            number, done = slots[position]
            if done == 1 + number % 4:
                ended[number] = f"result {slots.pop(position)[0]}"
        return [(worker, Epoch(rows, ended, 0.0))]  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_order_does_not_depend_on_which_worker_is_faster(seed: int) -> None:
    def events(seed: int) -> list[tuple[str, int, int]]:
        log = Log(list(range(40)))  # type: ignore[arg-type]
        Stream(FakePool(3, seed), log).run({}, dict.fromkeys(range(7), 0))  # type: ignore[arg-type]
        return log.events

    assert events(seed) == events(100)


class BreakingPool(FakePool):
    """Now and then a stack breaks."""

    def receive(self) -> list[tuple[int, object]]:
        busy = [worker for worker, slots in enumerate(self.slots) if slots]
        if self.random.random() < 0.1:
            worker = self.random.choice(busy)
            self.slots[worker] = {}
            return [(worker, Broken("broke"))]
        return super().receive()


@pytest.mark.parametrize("seed", range(20))
def test_every_fit_gets_an_outcome_whenever_stacks_break(seed: int) -> None:
    log = Log(list(range(40)))  # type: ignore[arg-type]
    Stream(BreakingPool(3, seed), log).run({}, dict.fromkeys(range(7), 0))  # type: ignore[arg-type]
    assert sorted(log.results) == list(range(40))
    told = [number for kind, number, _ in log.events if kind == "told"]
    assert len(told) == len(set(told)) == 40


class FullPool(FakePool):
    """A stack of more than three fits does not fit, which shows sooner or later; now and then, one of two neither."""

    def __init__(self, workers: int, seed: int) -> None:
        super().__init__(workers, seed)
        self.largest = [9] * workers

    def begin(self, worker: int, configs: dict[int, int]) -> None:
        assert len(configs) <= self.largest[worker]
        super().begin(worker, configs)

    def receive(self) -> list[tuple[int, object]]:
        worker = self.random.choice([worker for worker, slots in enumerate(self.slots) if slots])
        size = self.sizes[worker]
        if self.random.random() < (0.1 if size > 3 else 0.03 * (size - 1)):
            self.slots[worker], self.largest[worker] = {}, size // 2
            return [(worker, TooLarge("too large"))]
        return super().receive()


@pytest.mark.parametrize("seed", range(20))
def test_no_fit_is_lost_or_told_twice_whenever_stacks_do_not_fit(seed: int) -> None:
    log, pool = Log(list(range(40))), FullPool(3, seed)  # type: ignore[arg-type]
    Stream(pool, log).run({}, dict.fromkeys(range(25), 0))  # type: ignore[arg-type]
    assert {number: str(outcome) for number, outcome in log.results.items()} == {n: f"result {n}" for n in range(40)}
    assert len([number for kind, number, _ in log.events if kind == "told"]) == 40
    for number, rows in log.rows.items():
        assert [row["epoch"] for row in rows] == list(range(1, 2 + number % 4))
    assert all(pool.drained)


class PruningLog(Log):
    """Prunes by what all fits have told so far, as a pruner does."""

    def epoch(self, fit: Fit, row: Row) -> bool:
        super().epoch(fit, row)
        self.events.append(("epoch", fit.number, fit.start + fit.epochs))
        return len(self.events) % 7 == 0


@pytest.mark.parametrize("seed", range(8))
def test_what_is_pruned_does_not_depend_on_which_worker_is_faster(seed: int) -> None:
    def log(seed: int) -> Log:
        log = PruningLog(list(range(40)))  # type: ignore[arg-type]
        Stream(FakePool(3, seed), log).run({}, dict.fromkeys(range(7), 0))  # type: ignore[arg-type]
        return log

    once, again = log(seed), log(100)
    assert once.events == again.events
    assert once.results == again.results
    assert sum(isinstance(outcome, Pruned) for outcome in once.results.values()) > 3


class FailingPool(FakePool):
    """Every third fit fails within the epoch after its last: the result comes by itself, sooner or later."""

    def receive(self) -> list[tuple[int, object]]:
        ((worker, message),) = super().receive()
        assert isinstance(message, Epoch)
        failed = {number: result for number, result in message.ended.items() if number % 3 == 0}
        if not failed:
            return [(worker, message)]
        alone = [(worker, Epoch({}, {number: result}, 0.0)) for number, result in failed.items()]
        ended = {number: result for number, result in message.ended.items() if number not in failed}
        return [(worker, Epoch(message.rows, ended, 0.0)), *alone]


class SlowPool(FailingPool):
    """What would come at once comes one by one."""

    def __init__(self, workers: int, seed: int) -> None:
        super().__init__(workers, seed)
        self.waiting: list[tuple[int, object]] = []

    def receive(self) -> list[tuple[int, object]]:
        self.waiting = self.waiting or super().receive()
        return [self.waiting.pop(0)]


@pytest.mark.parametrize("seed", range(8))
def test_fit_that_fails_within_the_epoch_after_is_pruned_however_soon_that_is_known(seed: int) -> None:
    class Prune(PruningLog):
        def epoch(self, fit: Fit, row: Row) -> bool:
            return super().epoch(fit, row) or (fit.number % 6 == 0 and row["epoch"] == 1 + fit.number % 4)

    def log(pool: FakePool) -> Log:
        log = Prune(list(range(40)))  # type: ignore[arg-type]
        Stream(pool, log).run({}, dict.fromkeys(range(7), 0))  # type: ignore[arg-type]
        return log

    at_once, later = log(FailingPool(3, seed)), log(SlowPool(3, 100))
    assert at_once.events == later.events
    assert at_once.results == later.results
    assert all(isinstance(later.results[number], Pruned) for number in range(0, 40, 6))
    assert later.results[3] == "result 3"


def test_pruned_fit_frees_its_slot_and_leaves_neighbours_unchanged(pool: Pool, digits: Splits) -> None:
    class Prune(Log):
        def epoch(self, fit: Fit, row: Row) -> bool:
            super().epoch(fit, row)
            return fit.number % 3 == 1 and row["epoch"] == 1

    log = Prune([knobs(number) for number in range(10)])
    Stream(pool, log).run({}, dict.fromkeys(range(4), 0))
    assert [n for n, outcome in sorted(log.results.items()) if isinstance(outcome, Pruned)] == [1, 4, 7]
    assert all(len(log.rows[number]) == 1 for number in (1, 4, 7))
    for number in (0, 2, 3, 5, 6, 8, 9):
        result, (alone,) = log.results[number], fit([knobs(number)], digits)
        assert isinstance(result, FitResult)
        assert result.history == alone.history
        assert all(torch.equal(result.weights[name], alone.weights[name]) for name in alone.weights)


class LeavingPool(FakePool):
    """Now and then a worker is gone."""

    def receive(self) -> list[tuple[int, object]]:
        busy = [worker for worker, slots in enumerate(self.slots) if slots]
        if self.random.random() < 0.05:
            worker = self.random.choice(busy)
            self.slots[worker] = {}
            return [(worker, Gone("gone"))]
        return super().receive()


@pytest.mark.parametrize("seed", range(20))
def test_no_epoch_is_told_twice_and_no_fit_is_lost_whenever_workers_leave(seed: int) -> None:
    log = Log(list(range(40)))  # type: ignore[arg-type]
    Stream(LeavingPool(3, seed), log).run({}, dict.fromkeys(range(7), 0))  # type: ignore[arg-type]
    told = [number for kind, number, _ in log.events if kind == "told"]
    assert sorted(told) == list(range(40))
    for number, outcome in log.results.items():
        assert str(outcome) in (f"result {number}", "gone")
        assert [row["epoch"] for row in log.rows.get(number, [])] == list(range(1, 1 + len(log.rows.get(number, []))))


def test_killed_worker_costs_time_and_nothing_else(pool: Pool) -> None:
    class Kill(Log):
        def epoch(self, fit: Fit, row: Row) -> bool:
            super().epoch(fit, row)
            if fit.number == 1 and row["epoch"] == 2:
                pool._processes[1].kill()
            return False

    configs = [knobs(number) for number in range(8)]
    killed, undisturbed = Kill(configs), stream(configs, pool, slots=4)
    Stream(pool, killed).run({}, dict.fromkeys(range(4), 0))
    assert killed.events == undisturbed.events
    assert killed.rows == undisturbed.rows
    for number, result in killed.results.items():
        other = undisturbed.results[number]
        assert isinstance(result, FitResult)
        assert isinstance(other, FitResult)
        assert all(torch.equal(result.weights[name], other.weights[name]) for name in other.weights)


def test_stacks_that_cannot_begin_say_why_to_the_last_fit_and_the_next_stream_trains(pool: Pool) -> None:
    log = stream([small(seed=number, data__name="mnist", data__root="nowhere") for number in range(7)], pool, slots=4)
    assert all("nowhere" in str(log.results[number]) for number in range(7))
    assert isinstance(stream([small()], pool, slots=1).results[0], FitResult)


def failing(number: int, says: str, at: int) -> Config:
    """Once its stack takes so many examples at a time: those of its fits together."""
    ours = {key: value for key, value in SMALL.items() if not key.startswith("network.")}
    network = {"network._target_": "modules.Failing", "network.says": says, "network.at": at}
    return parse(tree({**ours, **network, "seed": number, "trainer.max_epochs": 2}))


@pytest.mark.verify
def test_lost_device_ends_the_worker_whose_fits_fail_and_another_trains_on() -> None:
    """Every later fit would fail in a process whose device does not answer."""
    said = "CUDA error: device-side assert triggered"
    with Pool(1, train_alone) as pool:
        (before,) = pool._processes.values()
        log = stream([failing(number, f"{said}\nCUDA kernel errors might be", 100) for number in range(3)], pool, 2)
        assert not before.is_alive()  # by itself, or killed when another took its place
        assert isinstance(stream([small()], pool, slots=1).results[0], FitResult)
        assert before not in pool._processes.values()
    assert [log.results[number] for number in range(3)] == [f"AcceleratorError: {said}"] * 3


def test_errors_after_which_a_device_answers_no_more_are_told_from_a_lack_of_memory() -> None:
    lost = [
        torch.AcceleratorError("CUDA error: an illegal memory access"),
        RuntimeError("CUDA error: unspecified launch"),
    ]
    wrapped = ConfigError("network takes examples")
    wrapped.__cause__ = lost[0]
    assert all(is_lost(error) for error in (*lost, wrapped))
    full = [torch.OutOfMemoryError("CUDA out of memory."), torch.AcceleratorError("CUDA error: out of memory")]
    full.append(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"))
    assert not any(is_lost(error) for error in (*full, RuntimeError("shapes differ"), ValueError("CUDA error: no")))
    assert all(is_out_of_memory(error) for error in full)


@pytest.mark.verify
def test_memory_that_cuda_lacks_halves_the_stack_in_the_same_process(caplog: pytest.LogCaptureFixture) -> None:
    with Pool(1, train_alone) as pool:
        (before,) = pool._processes.values()
        log = stream([failing(number, "CUDA error: out of memory", 250) for number in range(4)], pool, slots=4)
        assert list(pool._processes.values()) == [before]
    assert "A stack of 4 goes on as one of 2" in caplog.text
    assert all(isinstance(result, FitResult) for result in log.results.values())


@pytest.mark.verify
def test_each_worker_sees_one_gpu_of_those_that_the_study_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    alone = {**SMALL, "callbacks.mine._target_": "pytorch_lightning.callbacks.LambdaCallback"}
    with Pool(3, tell_gpu, gpus=2) as pool:  # type: ignore[arg-type]
        log = stream([parse(tree({**alone, "seed": number})) for number in range(3)], pool, slots=3)
    assert [log.results[number] for number in range(3)] == [f"RuntimeError: sees {gpu}" for gpu in (5, 7, 5)]


def test_gpus_are_named_as_cuda_was_told_and_a_cpu_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible_gpus(2, None) == ["0", "1"]
    assert visible_gpus(2, "GPU-1f, MIG-2e,7") == ["GPU-1f", "MIG-2e"]
    assert visible_gpus(0, "3") == []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert StackSettings().count_workers(parse(tree(SMALL)), gpu=True) == 2
    assert [gpus_of(worker, "012345", 2) for worker in range(4)] == ["0,1", "2,3", "4,5", "0,1"]
    assert (gpus_of(1, "012", 4), gpus_of(1, "", 2)) == ("0,1,2", None)


@contextmanager
def room(pool: Pool, mib: int) -> Iterator[None]:
    """Memory that the worker may take beyond what it has."""
    resource = pytest.importorskip("resource")
    pid = pool._processes[0].pid
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmData")]
    limits = resource.prlimit(pid, resource.RLIMIT_DATA)
    resource.prlimit(pid, resource.RLIMIT_DATA, (int(line.split()[1]) * 2**10 + mib * 2**20, limits[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_DATA, limits)


def large(number: int) -> Config:
    """Some 60 MiB a fit: weights, gradients twice, moments, best weights, and what an initialization draws."""
    return small(seed=number, network__hidden=[1024, 2048], trainer__max_epochs=2, data__examples=100)


@pytest.mark.verify
def test_stack_too_large_for_the_memory_is_halved_and_a_fit_alone_fails(caplog: pytest.LogCaptureFixture) -> None:
    configs = [large(number) for number in range(10)]
    with Pool(1, train_alone) as pool:
        process = pool._processes[0]
        stream([small()], pool, slots=1)
        with room(pool, 8):
            refused = stream(configs[:3], pool, slots=2)
        with room(pool, 300):
            halved = stream(configs, pool, slots=8)
        assert pool._processes[0] is process
        assert process.is_alive()
    assert all("memory" in str(refused.results[number]) for number in range(3))
    assert "A stack of 8 goes on as one of 4" in caplog.text
    splits = load_splits(configs[0].data)
    for number, config in enumerate(configs):
        result, (alone,) = halved.results[number], fit([config], splits)
        assert isinstance(result, FitResult), result
        assert result.history == halved.rows[number]
        assert result.value == pytest.approx(alone.value, rel=1e-5)
