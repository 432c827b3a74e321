"""Is a regularizer of the user's own to each fit what it is to a fit alone? Two fits in a stack against each alone.

At each moment all have the same weights and gradients, so what differs after it is the effect's doing.
K = 2 fits, P parameters of one fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ridgeline.config import Config, ConfigError
from ridgeline.data import Split, Splits
from ridgeline.regularizers import Effect
from ridgeline.stack.module import Stack
from ridgeline.strengths import OwnEffect
from ridgeline.target import reason

EXAMPLES, BATCH = 16, 8
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}
"""Relative to the largest number of its kind. float64 where effect and network can compute in it."""

Seen = tuple[str, int, Tensor, Tensor]
"""A moment; which fit; what it has after that moment in the stack, and alone."""


def check_effects(config: Config, splits: Splits) -> None:
    """Raise ConfigError unless each effect of the user's own gives a fit in a stack what it gives it alone: whatever
    its neighbour is, and whatever fit was in its place before."""
    plain = replace(
        config,
        trainer=replace(config.trainer, batch_size=BATCH, precision="32-true"),
        loss=replace(config.loss, class_weight=None),  # a class may have no example among so few
        callbacks=replace(config.callbacks, own=()),
    )
    for name, target in config.regularization.own:
        only = replace(plain, regularization=replace(plain.regularization, own=((name, target),)))
        with torch.random.fork_rng():
            _check(only, f"regularization.{name}", target, _few(splits))


def _check(config: Config, key: str, target: OwnEffect, few: Splits) -> None:
    try:
        seen = list(_in_company(config, target, few.train.double(), few))
    except ConfigError:
        raise
    except Exception:  # some code has float32 in it; or it is wrong, which the second try shows too
        try:
            seen = list(_in_company(config, target, few.train, few))
        except Exception as error:
            rule = f"{key} acts on the two fits of a stack"
            raise ConfigError(f"`{rule}` must hold, but {target.path} has {reason(error)}.") from error
    for moment, _, ours, theirs in seen:
        if _difference(ours, theirs) > TOLERANCE[theirs.dtype]:
            rule = f"{key} gives a fit in a stack what it gives it alone"
            found = f"{target.path} has other numbers, by {_difference(ours, theirs):.0e}, after {moment}"
            why = "each row of fits.rows is a fit's own, and is a fresh fit's after begin(k)"
            if not _is_repeatable(config, target, few):
                why = "it draws random numbers, or is not made anew: fits.noise draws those of a fit"
            raise ConfigError(f"`{rule}` must hold, but {found}: {why}.")


def _in_company(config: Config, target: OwnEffect, train: Split, few: Splits) -> Iterator[Seen]:
    """An epoch of two fits, then one in which the second has made room for a fresh one."""
    splits = replace(few, train=train, validation=train)
    first, second, third = (replace(config, seed=(config.seed + i) % 2**31) for i in range(3))
    pair, alone = Stack([first, second], splits), [Stack([first], splits), Stack([second], splits)]
    yield from _epoch(pair, alone, target)
    pair.load(1, third)
    pair.set_epoch([1.0] * 2, pair.configs)
    yield from _epoch(pair, [alone[0], Stack([third], splits)], target)


def _epoch(pair: Stack, alone: Sequence[Stack], target: OwnEffect) -> Iterator[Seen]:
    """Each moment of the effect in an epoch, by hand: a Trainer would be in the way of giving all the same numbers."""
    stacks = [pair.train(), *(one.train() for one in alone)]
    effects = [_own(stack, target) for stack in stacks]
    for batches in zip(*(stack.train_dataloader() for stack in stacks), strict=True):
        losses = []
        for stack, positions_KB in zip(stacks, batches, strict=True):
            loss_K, _, _ = stack.losses(positions_KB)
            losses.append(loss_K.detach())
            stack.rows.differentiate(loss_K)
        yield from _seen("on_batch", losses)
        yield from _seen("on_batch", [stack.rows.grads_KP for stack in stacks])
        with torch.no_grad():
            _give(pair.rows.grads_KP, [one.rows.grads_KP for one in alone])
            for stack in stacks:
                stack.add_to_gradients_()
            yield from _seen("on_gradients", [stack.rows.grads_KP for stack in stacks])
            for stack in stacks:
                stack.optimizer.torch_optimizer.step()
                for record in stack.records:
                    record.step += 1
            _give(pair.rows.state_KS, [one.rows.state_KS for one in alone])
            for effect in effects:
                effect.after_step()
            yield from _seen("after_step", [stack.rows.state_KS for stack in stacks])
            yield from _seen(
                "values_K", [_values_K(stack, effect) for stack, effect in zip(stacks, effects, strict=True)]
            )
    with torch.no_grad():
        for moment in ("before_validation", "after_validation"):
            for effect in effects:
                getattr(effect, moment)()
            yield from _seen(moment, [stack.rows.state_KS for stack in stacks])
    for stack in stacks:
        for record in stack.records:
            record.epoch += 1


def _own(stack: Stack, target: OwnEffect) -> Effect:
    return next(effect for effect in stack.effects if type(effect) is target.find())


def _values_K(stack: Stack, effect: Effect) -> Tensor:
    values_K, k = effect.values_K(), len(stack.configs)
    if values_K is None:
        return torch.zeros(k)
    shape = tuple(values_K.shape) if isinstance(values_K, Tensor) else type(values_K).__name__
    if shape != (k,):
        raise ValueError(f"values_K gives {shape} for {k} fits, not a number a fit, ({k},)")
    return values_K


def _give(ours_KP: Tensor, alone: Sequence[Tensor]) -> None:
    for k, own_1P in enumerate(alone):
        ours_KP[k] = own_1P[0]


def _seen(moment: str, tensors: Sequence[Tensor]) -> Iterator[Seen]:
    ours, *alone = tensors
    for k, theirs in enumerate(alone):
        yield moment, k, ours[k].clone(), theirs[0].clone()


def _is_repeatable(config: Config, target: OwnEffect, few: Splits) -> bool:
    """Whether a fit alone gets the same numbers twice."""

    def of(_: int) -> list[Tensor]:
        return [theirs for *_, theirs in _in_company(config, target, few.train, few)]

    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(of(0), of(1), strict=True))


def _difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest, relative to the largest number; where both are NaN there is none."""
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    gap, largest = (ours - theirs).abs().masked_fill(same, 0.0), theirs.abs().nan_to_num(0.0, 0.0, 0.0).max()
    return float(gap.max().nan_to_num(torch.inf, torch.inf) / largest.clamp_min(torch.finfo(torch.float32).tiny))


def _few(splits: Splits) -> Splits:
    """The first examples, without folds."""
    few = Split(splits.train.features_MI(slice(EXAMPLES)), splits.train.y_N[:EXAMPLES])
    return replace(splits, train=few, validation=few, scalers=splits.scalers[:1])
