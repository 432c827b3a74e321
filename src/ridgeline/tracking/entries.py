"""Entries that are handed to the writer: batches of metrics, params and tags, and calls for anything else.

`due`: monotonic seconds at which an entry is written at the latest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ridgeline.tracking.check import reason
from ridgeline.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, RunTag

ROOM = {"metrics": 800, "params": 100, "tags": 100}
"""MLflow's limits for one log_batch: 1000 entities, 100 of them params, 100 tags."""


class TrackingError(RuntimeError):
    """Something could not be written to the MLflow store: one line that says what, where and why."""


@dataclass(eq=False)
class Batch:
    """Metrics, params and tags of one run. The run's id comes from the entry that creates it."""

    run: Future[str]
    metrics: list[Metric] = field(default_factory=list)
    params: list[Param] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)
    due: float = 0.0

    def counts(self) -> Counter[str]:
        return Counter(metrics=len(self.metrics), params=len(self.params), tags=len(self.tags))

    def has_room(self, other: Batch) -> bool:
        return all(len(getattr(self, kind)) + len(getattr(other, kind)) <= room for kind, room in ROOM.items())

    def add(self, other: Batch) -> None:
        self.metrics += other.metrics
        self.params += other.params
        self.tags += other.tags

    def halves(self) -> list[Batch]:
        """Two batches, to find the one entity for which a store refuses all of them."""
        entities = [(kind, entity) for kind in ROOM for entity in getattr(self, kind)]
        halves = [Batch(self.run), Batch(self.run)]
        for i, (kind, entity) in enumerate(entities):
            getattr(halves[2 * i // len(entities)], kind).append(entity)
        return halves

    def write(self, store: Store) -> None:
        store.log_batch(self.run.result(0), self.metrics, self.params, self.tags)

    def fail(self, error: Exception) -> None:
        pass


@dataclass(eq=False)
class Call:
    """Anything else that is done to the store; `answer` gets what it returns."""

    what: str
    do: Callable[[Store], Any]
    answer: Future[Any] = field(default_factory=Future)
    due: float = 0.0

    def counts(self) -> Counter[str]:
        return Counter({self.what: 1})

    def write(self, store: Store) -> None:
        self.answer.set_result(self.do(store))

    def fail(self, error: Exception) -> None:
        self.answer.set_exception(TrackingError(f"{self.what}: {reason(error)}"))
