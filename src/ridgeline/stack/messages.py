"""What a worker process is told, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ridgeline.config import Config
from ridgeline.stack.records import FitResult, Row


@dataclass(frozen=True)
class Begin:
    """Start a stack with these fits, by number, in the order of its slots. `data`: the hash of the data that they are
    to train on, where a function of the user's own gives these."""

    configs: Mapping[int, Config]
    data: str | None = None


@dataclass(frozen=True)
class Load:
    """Put a fit into a slot of the running stack: a free one, or one whose fit is given up."""

    slot: int
    number: int
    config: Config


@dataclass(frozen=True)
class Stop:
    """Give up the fit in a slot."""

    slot: int


@dataclass(frozen=True)
class Drain:
    """No more fits come: end the stack when the last one has ended."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch of a stack gave, by number: the rows of its fits, and the results of those that ended.

    `idle`: seconds that the worker waited for fits before it.
    """

    rows: dict[int, Row]
    ended: dict[int, FitResult]
    idle: float


@dataclass(frozen=True)
class Broken:
    """An exception ended the stack; none of its fits has a result."""

    reason: str


@dataclass(frozen=True)
class Lost(Broken):
    """The exception was of the device, which answers the process no more: this is its last word."""


@dataclass(frozen=True)
class TooLarge:
    """The stack did not fit into memory, which is free again; none of its fits has a result."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The process ended; none of its fits has a result."""

    reason: str


Answer = Epoch | Broken | TooLarge | Gone
"""`Gone` is the pool's word: who is gone says nothing."""
