"""The configurations that may win: they train with new seeds and are ranked by their means on validation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ridgeline.config import Config, TrialConfig
from ridgeline.evaluation.fits import FitsFailed, train_all
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.search.ranking import best_settings, ran
from ridgeline.stack.records import FitResult
from ridgeline.stack.workers import Workers

MOST = 32
"""Of how many networks at most an ensemble is selected, the best ones."""


@dataclass(frozen=True)
class Candidate:
    """A configuration that may win.

    `trial`: its number in the study, None where the study has not tried it; of a configuration that was tried with
    several seeds, the trial nearest to their mean. `params`: its values of the keys that were searched. `searched`: the
    metric that the study found. `results`: fits with new seeds, empty if one of them failed. `best_epoch`: after how
    many epochs the metric was best when it was found.
    """

    config: Config
    trial: int | None
    params: dict[str, Any]
    searched: float | None
    results: list[FitResult] = field(default_factory=list)
    best_epoch: int | None = None

    @property
    def mean(self) -> float:
        """The mean of the metric over the new seeds; infinite if one of them failed."""
        return statistics.fmean(r.value for r in self.results) if self.results else math.inf

    @property
    def cost(self) -> float:
        """The mean, or its negative where larger is better: the lower the better."""
        return -self.mean if self.results and self.config.direction == "maximize" else self.mean

    @property
    def standard_error(self) -> float:
        return statistics.stdev(r.value for r in self.results) / math.sqrt(len(self.results))

    @property
    def epochs(self) -> int:
        """The median, over the new seeds, of the epoch after which the metric was best; without such, the one that was
        found."""
        if not self.results and self.best_epoch is not None:
            return self.best_epoch
        return statistics.median_low(r.best_epoch for r in self.results)

    def with_seed(self, seed: int) -> Config:
        return replace(self.config, seed=seed)


def of_study(stored: StoredStudy, top: int) -> list[Candidate]:
    """The `top` best configurations of the study; two that differ in their seed alone are one. Raises FitsFailed if no
    trial is complete."""
    found: dict[Config, Candidate] = {}
    for setting in best_settings(ran(stored.study), stored.study.direction):
        if len(found) == top:
            break
        number = setting.trial.number
        config = alone(stored.config_of(number))
        if config not in found:
            found[config] = Candidate(config, number, dict(setting.params), setting.value)
    if not found:
        raise FitsFailed(f"The study {stored.name} has no complete trial, so there is nothing to confirm.")
    return list(found.values())


def alone(config: Config) -> Config:
    """The configuration without what ties it to a trial of a study."""
    trainer = replace(config.trainer, ckpt_path=None, enable_progress_bar=False)
    return replace(config, trainer=trainer, trial=TrialConfig(), seed=0)


@dataclass(frozen=True)
class Lost:
    """Fits that failed on the way to a verdict. `dropped`: how many candidates could not be chosen because of it."""

    of: str
    failed: int
    fits: int
    dropped: int
    candidates: int
    reason: str

    @property
    def sentence(self) -> str:
        out = f"; {self.dropped} of {self.candidates} candidates are out" if self.dropped else ""
        return f"{self.failed} of {self.fits} fits failed ({self.of}){out}: {self.reason.rstrip('.')}."


class Trainer:
    """Trains candidates in worker processes, and remembers in `lost` which fits failed, and in `searched` what `search`
    has found, the best first."""

    def __init__(self, workers: Workers, progress: Callable[[], None]) -> None:
        self.workers, self.progress = workers, progress
        self.lost: list[Lost] = []
        self.searched: list[tuple[Candidate, FitResult]] = []

    def search(self, candidates: Sequence[Candidate], seed: int, top: int, of: str) -> list[Candidate]:
        """Train each candidate once and return the `top` best. Raises FitsFailed if all fail. `of`: what they are."""
        results = self._train(candidates, [seed], of)

        def cost(pair: tuple[Candidate, FitResult]) -> float:
            return -pair[1].value if pair[0].config.direction == "maximize" else pair[1].value

        pairs = [(c, own[0]) for c, own in zip(candidates, results, strict=True) if own]
        if not pairs:
            raise FitsFailed(f"No baseline could be trained: {self.lost[-1].reason}.")
        found = [(replace(c, searched=fit.value, best_epoch=fit.best_epoch), fit) for c, fit in sorted(pairs, key=cost)]
        self.searched = found[:MOST]
        return [candidate for candidate, _ in found[:top]]

    def evaluate(self, candidates: Sequence[Candidate], seeds: Sequence[int], of: str) -> list[Candidate]:
        """Train each candidate with all seeds. One of which a fit failed comes back without results."""
        results = self._train(candidates, seeds, of)
        return [replace(c, results=own) for c, own in zip(candidates, results, strict=True)]

    def _train(self, candidates: Sequence[Candidate], seeds: Sequence[int], of: str) -> list[list[FitResult]]:
        """The results of each candidate: one for each seed, or none at all if a fit failed."""
        outcomes = train_all([c.with_seed(seed) for c in candidates for seed in seeds], self.workers, self.progress)
        by_candidate = [outcomes[i * len(seeds) : (i + 1) * len(seeds)] for i in range(len(candidates))]
        whole = [[r for r in own if isinstance(r, FitResult)] for own in by_candidate]
        whole = [own if len(own) == len(seeds) else [] for own in whole]
        reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if reasons:
            dropped = sum(not own for own in whole)
            self.lost.append(Lost(of, len(reasons), len(outcomes), dropped, len(candidates), reasons[0]))
        return whole


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Sorted by their means over the new seeds; the first is the one that is chosen. Raises FitsFailed if all fail."""
    best_first_ = sorted(candidates, key=lambda c: c.cost)
    if not best_first_[0].results:
        raise FitsFailed("Every candidate fails with one of the new seeds, so there is none to confirm.")
    return best_first_
