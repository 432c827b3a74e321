"""Fitted networks that predict as one: the mean of their probabilities, or in regression of their numbers.

N examples, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ridgeline.stack.fitted import Fitted
from ridgeline.tasks.losses import Task

ENSEMBLE = "ensemble.json"
"""The file with the shares of the members. The first member lies beside it, the others in the folder `MEMBERS`."""
MEMBERS = "members"


@dataclass(frozen=True)
class FittedEnsemble(Fitted):
    """`members` take the same features, scaled alike; their `shares` add up to 1. All else is the first member's."""

    members: tuple[Fitted, ...] = ()
    shares: tuple[float, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Fitted], shares: Sequence[float]) -> FittedEnsemble:
        first = members[0]
        own = (first.config, first.weights, first.scaler, first.shape, first.class_names)
        return cls(*own, members=tuple(members), shares=tuple(shares))

    @property
    def task(self) -> Task:
        return self.members[0].task

    @property
    def networks(self) -> tuple[Fitted, ...]:
        return self.members

    def _network(self, x_NI: Tensor, k: int) -> Callable[[Tensor], Tensor]:  # type: ignore[override]
        networks = [member._network(x_NI, k) for member in self.members]
        return lambda x_KNI: averaged([network(x_KNI) for network in networks], self.shares, self.task)

    def save(self, folder: Path) -> None:
        first, *others = self.members
        first.save(folder)
        for i, member in enumerate(others, start=1):
            member.save(folder / MEMBERS / str(i))
        (folder / ENSEMBLE).write_text(json.dumps({"shares": self.shares}))


def averaged(outputs: Sequence[Tensor], shares: Sequence[float], task: Task) -> Tensor:
    """The outputs (..., C) that a mean of networks has: a softmax of them gives the mean of their probabilities; in
    regression the mean of their numbers. `shares` add up to 1."""
    if task == "regression":
        return torch.stack([share * own for share, own in zip(shares, outputs, strict=True)]).sum(dim=0)
    found = [share * own.softmax(dim=-1) for share, own in zip(shares, outputs, strict=True)]
    return torch.stack(found).sum(dim=0).log()


def shares_in(folder: Path) -> tuple[float, ...]:
    """The shares of an ensemble that was saved; none where a network alone was."""
    path = folder / ENSEMBLE
    return tuple(json.loads(path.read_text())["shares"]) if path.is_file() else ()
