"""Settings of the group `search`: what a study tries, and when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ridgeline.checking import aside, require


@dataclass(frozen=True)
class SearchConfig:
    """A study: the space, the sampler, when to stop. Names and grammar are those of Hydra's Optuna plugin.

    `direction`: null is the metric's own; another one than that is refused.
    What is marked `aside` changes how far, how fast or where, not what is tried. So is the space, which a study's
    definition has by itself.
    """

    name: str = aside("grid")
    study_name: str | None = aside(None)
    storage: str | None = aside(None)
    summary: str | None = aside(None)
    direction: Literal["minimize", "maximize"] | None = None
    n_trials: int | None = aside(None)
    timeout: float | None = aside(None)
    n_jobs: int = aside(1)
    max_failure_rate: float = aside(0.5)
    seed: int = 0
    sampler: Mapping[str, Any] | None = field(default=None, hash=False)
    pruner: Mapping[str, Any] | None = field(default=None, hash=False)
    n_startup_trials: int = 0
    enqueue: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    params: Mapping[str, Any] = aside(default_factory=dict, hash=False)

    def check(self) -> None:
        require(self.n_trials is None or self.n_trials >= 1, "search.n_trials >= 1", "search.n_trials", self.n_trials)
        seconds = self.timeout
        require(seconds is None or 0 < seconds < float("inf"), "0 < search.timeout < inf", "search.timeout", seconds)
        require(self.n_jobs >= 1, "search.n_jobs >= 1", "search.n_jobs", self.n_jobs)
        n = self.n_startup_trials
        require(n >= 0, "search.n_startup_trials >= 0", "search.n_startup_trials", n)
        rate = self.max_failure_rate
        require(0 <= rate <= 1, "0 <= search.max_failure_rate <= 1", "search.max_failure_rate", rate)
        require(0 <= self.seed < 2**31, "0 <= search.seed < 2**31", "search.seed", self.seed)
