"""Who may win: the best configurations of a study, and plain networks with an equal budget."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.distributions import FloatDistribution

from ridgeline.config import Config, RegularizationConfig, TrialConfig, as_tree, parse
from ridgeline.evidence.fits import FitsFailed, train_all
from ridgeline.evidence.stored import StoredStudy
from ridgeline.knobs import is_knob
from ridgeline.search.design import design_point
from ridgeline.search.ranking import best_first, ran
from ridgeline.search.space import Dimension
from ridgeline.search.trees import set_value
from ridgeline.stack.records import FitResult
from ridgeline.stack.workers import Workers

LR = "optimizer.lr"


@dataclass(frozen=True)
class Candidate:
    """A configuration: its trial in the study (None: it is of none), what was searched of it, the metric found there
    (None: it was not tried there).

    `results`: of the same configuration with new seeds; empty where one of them failed.
    """

    config: Config
    trial: int | None
    params: dict[str, Any]
    searched: float | None
    results: list[FitResult] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Of the metric over the new seeds; infinite where one of them failed."""
        return statistics.fmean(r.value for r in self.results) if self.results else math.inf

    @property
    def standard_error(self) -> float:
        return statistics.stdev(r.value for r in self.results) / math.sqrt(len(self.results))

    @property
    def epochs(self) -> int:
        """The median of those after which the metric was best."""
        return statistics.median_low(r.best_epoch + 1 for r in self.results)

    def with_seed(self, seed: int) -> Config:
        return replace(self.config, seed=seed)


def of_study(stored: StoredStudy, top: int) -> list[Candidate]:
    """The best trials of different configurations. Raises FitsFailed where none is complete."""
    found: dict[Config, Candidate] = {}
    for trial in best_first(ran(stored.study)):
        config = alone(stored.config_of(trial.number))
        if len(found) < top and config not in found:  # trials may differ in their seeds alone
            found[config] = Candidate(config, trial.number, trial.params, trial.value or 0.0)
    if not found:
        raise FitsFailed(f"The study {stored.name} has no complete trial, so there is nothing to confirm.")
    return list(found.values())


def alone(config: Config) -> Config:
    """Without what ties it to a trial."""
    trainer = replace(config.trainer, ckpt_path=None, enable_progress_bar=False)
    return replace(config, trainer=trainer, trial=TrialConfig(), seed=0)


def plain(stored: StoredStudy, best: Config, lr_factor: float) -> list[Candidate]:
    """The network of `best` with `regularization.*` off, as many of them as the study has trials.

    They differ in the learning rate, a quasi-random point each within `lr_factor` of that of `best` or within what the
    study searched, and in all else that the study searched, regularization and what shapes the network apart.
    """
    start = replace(best, regularization=RegularizationConfig())
    space = [d for d in stored.line.space if _is_plain(d)]
    if LR not in [d.key for d in space]:
        lr = best.optimizer.lr
        space.append(Dimension(LR, "", "", FloatDistribution(lr / lr_factor, lr * lr_factor, log=True)))
    tree = as_tree(start)
    held = {d.key: _get(tree, d.key) for d in space}
    points = [held, *(design_point(space, 0, place) for place in range(len(ran(stored.study)) - 1))]
    candidates = []
    for point in points:
        own = as_tree(start)
        for d in space:
            set_value(own, d, point[d.key])
        candidates.append(Candidate(parse(own), None, point, None))
    return candidates


def with_rates_of(plain: Sequence[Candidate], best: Candidate, stored: StoredStudy) -> list[Candidate]:
    """`best` with the learning rates that suit the plain network, where the study searched none: else a verdict on
    regularization would be one on the learning rate."""
    if LR in [d.key for d in stored.line.space]:
        return []
    rates = [c.config.optimizer.lr for c in plain if c.config.optimizer.lr != best.config.optimizer.lr]
    configs = [replace(best.config, optimizer=replace(best.config.optimizer, lr=lr)) for lr in rates]
    return [
        Candidate(config, best.trial, {**best.params, LR: lr}, None) for config, lr in zip(configs, rates, strict=True)
    ]


def _is_plain(d: Dimension) -> bool:
    return is_knob(d.key) and d.key != "seed" and not d.key.startswith("regularization.")


def _get(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree[name]
    return tree


def search(
    candidates: Sequence[Candidate], seed: int, top: int, workers: Workers, progress: Callable[[], None]
) -> list[Candidate]:
    """The best of them by one fit each."""
    outcomes = train_all([c.with_seed(seed) for c in candidates], workers, progress)
    pairs = [(c, r.value) for c, r in zip(candidates, outcomes, strict=True) if isinstance(r, FitResult)]
    if not pairs:
        raise FitsFailed(f"No plain network could be trained: {outcomes[-1]}.")
    return [replace(c, searched=value) for c, value in sorted(pairs, key=lambda pair: pair[1])[:top]]


def evaluate(
    candidates: Iterable[Candidate], seeds: Sequence[int], workers: Workers, progress: Callable[[], None]
) -> list[Candidate]:
    """Each trained with all of the seeds."""
    candidates = list(candidates)
    outcomes = train_all([c.with_seed(seed) for c in candidates for seed in seeds], workers, progress)
    evaluated = []
    for i, candidate in enumerate(candidates):
        own = outcomes[i * len(seeds) : (i + 1) * len(seeds)]
        results = [r for r in own if isinstance(r, FitResult)]
        evaluated.append(replace(candidate, results=results if len(results) == len(seeds) else []))
    return evaluated


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By their means over the new seeds; the first one is chosen. Raises FitsFailed if every one failed."""
    best_first_ = sorted(candidates, key=lambda c: c.mean)
    if not best_first_[0].results:
        raise FitsFailed("Every candidate fails with one of the new seeds, so there is none to confirm.")
    return best_first_
