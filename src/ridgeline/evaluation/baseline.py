"""The baseline: the winner's network and data with everything off that regularizes, its learning rate tuned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from optuna.distributions import FloatDistribution

from ridgeline.config import Config, as_tree, parse
from ridgeline.config.batchable import is_batchable
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.model_arguments import is_dropout, rates, strengths, with_numbers
from ridgeline.search.space import Dimension
from ridgeline.search.start import design_point
from ridgeline.search.trees import set_value
from ridgeline.strengths import strengths_of

LR = "optimizer.lr"
DECAY = "optimizer.weight_decay"
DROPOUT = "regularization.dropout"
SCHEDULES = ("dropout_schedule", "penalty_schedule")

OFF = ("regularization.", "augmentation.", DECAY, *(f"callbacks.{name}." for name in SCHEDULES))
"""Beginnings of keys that the baseline has off. Early stopping is not among them: if it is on, it is on for both."""


def without_regularization(config: Config) -> Config:
    """Of a module of the user's own also without the weight decays and dropout rates among its arguments."""
    return with_only(config, ())


def with_only(config: Config, kept: Collection[str], rest: Config | None = None) -> Config:
    """With these keys of what regularizes as `config` has them, and all others off.

    The dropout that a network has of its own, by no key (`regularization.dropout` is null), is off unless that key is
    kept. `rest`: from where all comes that does not regularize; None: from `config`.
    """
    rest = config if rest is None else rest
    names, pictures = (_names(kept, group) for group in ("regularization", "augmentation"))
    own = any(is_dropout(key) for key in kept)  # rates among a module's arguments act where no other is set
    known = strengths_of(config.regularization)
    multiplied = {known[name].schedule for name in names if name in known}
    schedules: dict[str, Any] = {
        name: getattr(config.callbacks, name) if name in multiplied else None for name in SCHEDULES
    }
    without_decay = rest.optimizer.without_decay()
    decayed = replace(without_decay, weight_decay=config.optimizer.weight_decay)
    return replace(
        with_numbers(rest, {key: value if key in kept else 0.0 for key, value in strengths(config).items()}),
        regularization=config.regularization.only(names, dropout=None if own else 0.0),
        augmentation=config.augmentation.only(pictures),
        optimizer=decayed if DECAY in kept else without_decay,
        callbacks=replace(rest.callbacks, **schedules),
    )


def has_own_dropout(config: Config) -> bool:
    """Whether dropout may be on that no key sets: rates that the network's author gave, which the baseline has off."""
    is_own = config.model is not None or config.network.n_hidden is None
    return is_own and config.regularization.dropout is None


def _names(keys: Collection[str], group: str) -> list[str]:
    return [key.removeprefix(f"{group}.") for key in keys if key.startswith(f"{group}.")]


def regularizers(config: Config) -> dict[str, Any]:
    """What is on and `without_regularization` takes off, by key; empty where nothing regularizes."""
    found: dict[str, Any] = {}
    for group, settings in (("regularization", config.regularization), ("augmentation", config.augmentation)):
        found |= {f"{group}.{name}": as_tree(value) for name, value in settings.strengths_on().items()}
    if config.model is None and config.optimizer.decay:
        found[DECAY] = config.optimizer.decay
    found |= strengths(config)
    schedules = {f"callbacks.{name}": getattr(config.callbacks, name) for name in SCHEDULES}
    return {**found, **{key: as_tree(s) for key, s in schedules.items() if s is not None}} if found else {}


def propose_baselines(winner: Config, space: Sequence[Dimension], budget: int, lr_factor: float) -> list[Candidate]:
    """`budget` candidates: `winner` without regularization.

    They differ in the learning rate, a quasi-random point each within `lr_factor` of the winner's or within what the
    study searched, and in all else that was searched, what regularizes and what shapes the network and its data apart:
    of those a candidate has what the winner has.
    """
    start, rate = without_regularization(winner), rate_of(winner, space)
    if rate is None:
        return [Candidate(start, None, {}, None)]
    key, lr = rate
    tree = as_tree(start)
    tuned = {key, *rates(winner)}  # a module may have several
    numbers = [d for d in space if (is_batchable(d.key) and d.key != "seed") or d.key in tuned]
    free = [d for d in numbers if not d.key.startswith(OFF) and _has(tree, d.key)]
    if key not in [d.key for d in free]:
        free.append(Dimension(key, "", "", FloatDistribution(lr / lr_factor, lr * lr_factor, log=True)))
    held = {d.key: lr if d.key == key else _get(tree, d.key) for d in free}
    points = [held, *(design_point(free, 0, place) for place in range(budget - 1))]
    candidates = []
    for point in points:
        own = as_tree(start)
        for d in free:
            set_value(own, d, point[d.key])
        candidates.append(Candidate(parse(own), None, point, None))
    return candidates


def with_rates_of(baseline: Sequence[Candidate], best: Candidate, space: Sequence[Dimension]) -> list[Candidate]:
    """`best` with the learning rates that suit the baseline, where the study searched none: else a verdict on
    regularization would be one on the learning rate."""
    known = rate_of(best.config, space)
    if known is None or known[0] in [d.key for d in space]:
        return []
    key, own = known
    found = [lr for c in baseline if (lr := c.params[key]) != own]
    configs = [_with_rate(best.config, key, lr) for lr in found]
    return [
        Candidate(config, best.trial, {**best.params, key: lr}, None) for config, lr in zip(configs, found, strict=True)
    ]


def with_rate_of_winner(members: Sequence[Candidate], winner: Candidate, space: Sequence[Dimension]) -> list[Candidate]:
    """Networks of a study with the winner's learning rate, and as long, where that is one of the baseline's and the
    study searched none: else an ensemble of them would be compared with a network of another rate."""
    known = rate_of(winner.config, space)
    if known is None or known[0] in [d.key for d in space] or known[0] not in winner.params:
        return list(members)
    key, lr = known
    return [
        replace(one, config=_with_rate(one.config, key, lr), params={**one.params, key: lr}, best_epoch=winner.epochs)
        for one in members
    ]


def rate_of(config: Config, space: Sequence[Dimension]) -> tuple[str, float] | None:
    """Key and value of the learning rate. A module's is the argument that is called so, of several the one that was
    searched; None: it has none."""
    if config.model is None:
        return LR, config.optimizer.lr
    known = rates(config)
    searched = [d.key for d in space if d.key in known]
    return next(((key, known[key]) for key in [*searched, *known]), None)


def _with_rate(config: Config, key: str, lr: float) -> Config:
    if config.model is None:
        return replace(config, optimizer=replace(config.optimizer, lr=lr))
    return with_numbers(config, {key: lr})


def _has(tree: Any, key: str) -> bool:
    """Not where the winner has no early stopping, say, whose patience was searched."""
    group = key.rpartition(".")[0]
    return isinstance(_get(tree, group) if group else tree, dict)


def _get(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree[name]
    return tree
