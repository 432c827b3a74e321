"""Which numbers of a curve belong together: one of train data, and the same of validation data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

VALIDATION = re.compile(r"(?<![a-zA-Z])(validation|valid|val)(?![a-zA-Z])")
"""What people call it, in `val/loss`, `val_acc` or `valid.f1`."""


@dataclass(frozen=True)
class Pair:
    """`kind` is what both are; `train` and `validation` are columns of the curve, empty where there is none."""

    kind: str
    train: str
    validation: str


def measured(kinds: Iterable[str]) -> list[Pair]:
    """Of what Ridgeline measures itself, by these names."""
    return [Pair(kind, f"train/{kind}", f"val/{kind}") for kind in dict.fromkeys(kinds)]


def logged(names: Collection[str], metric: str) -> list[Pair]:
    """Of what a module of the user's own logs, by whatever names: a loss of validation data if there is one, and the
    metric, each beside its counterpart."""
    losses = [name for name in names if VALIDATION.search(name) and name.endswith("loss")]
    chosen = dict.fromkeys([*losses[:1], metric])
    return [Pair(name, _counterpart(name, names), name) for name in chosen]


def _counterpart(name: str, names: Collection[str]) -> str:
    """Lightning appends `_epoch` to the mean over an epoch of what is logged in each step too."""
    other = VALIDATION.sub("train", name, count=1)
    return next((one for one in (other, f"{other}_epoch") if one != name and one in names), "")
