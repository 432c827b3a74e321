"""Many fits at once without a study. Each ends as it would in one: in a stack, in one of the worker processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from ridgeline.config import Config
from ridgeline.config.batchable import structure
from ridgeline.config.deciding import deciding_keys
from ridgeline.data import load_splits
from ridgeline.search.identity import code_hash
from ridgeline.search.launching import StackSettings
from ridgeline.stack.device import pick_device
from ridgeline.stack.records import FitResult, Row
from ridgeline.stack.sizing import fitting_stack_size
from ridgeline.stack.source import Fit
from ridgeline.stack.stream import Stream
from ridgeline.stack.workers import Workers


class FitsFailed(RuntimeError):
    """Fits failed whose numbers are needed. The text is one line that says which and why."""


class Given:
    """A source of fits for the stream: configurations that are all known from the start."""

    def __init__(self, fits: Iterator[tuple[int, Config]], ended: Callable[[Fit], None]) -> None:
        self._fits, self._ended = fits, ended

    def next(self, slot: int, tick: int) -> Fit | None:
        number, config = next(self._fits, (0, None))
        return None if config is None else Fit(number, config, tick)

    def epoch(self, fit: Fit, row: Row) -> bool:
        return False

    def ended(self, fit: Fit) -> None:
        self._ended(fit)


def count_workers(config: Config) -> int:
    """How many worker processes a study on this machine has."""
    return StackSettings().count_workers(config, gpu=pick_device(config).type == "cuda")


def start_workers(config: Config) -> Workers:
    """The worker processes, as a context manager that ends them."""
    return StackSettings().start(count_workers(config), config, gpu=pick_device(config).type == "cuda")


def fingerprint(config: Config) -> str:
    """A hash of all that a fit's numbers follow from, its seed apart: settings, data, code, version of torch."""
    keys = deciding_keys(config, but=("seed", "data"))
    data = load_splits(config.data).description.hash  # whichever folder they came from
    content = json.dumps([keys, data, code_hash(), version("torch")], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def train_all(
    configs: Sequence[Config],
    workers: Workers,
    progress: Callable[[], None] = lambda: None,
    keep: Callable[[int, FitResult], None] = lambda number, result: None,
) -> list[FitResult | str]:
    """Train each configuration. What comes back is its result, or in words why it has none.

    `progress` is called at the end of each fit. `keep` is called with the position of a configuration and its result as
    soon as there is one, so that it can be stored before the others end.
    """
    outcomes: dict[int, FitResult | str] = {}

    def ended(fit: Fit) -> None:
        assert isinstance(fit.outcome, (FitResult, str))
        failure = fit.outcome.failure if isinstance(fit.outcome, FitResult) else None
        outcomes[fit.number] = failure or fit.outcome
        if isinstance(fit.outcome, FitResult) and failure is None:
            keep(fit.number, fit.outcome)
        progress()

    by_structure: dict[Config, list[tuple[int, Config]]] = {}
    for number, config in enumerate(configs):
        by_structure.setdefault(structure(config), []).append((number, config))
    for fits in by_structure.values():
        size = min(fitting_stack_size(fits[0][1], len(workers)), -(-len(fits) // len(workers)))
        slots = min(len(fits), len(workers) * size)
        Stream(workers, Given(iter(fits), ended)).run({}, dict.fromkeys(range(slots), 0))
    return [outcomes[number] for number in range(len(configs))]
