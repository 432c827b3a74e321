"""Does a claim hold? The interval of what was measured decides, never its mean.

A gain is an accuracy minus another one, of networks with the same seeds on the same examples.
"""

from __future__ import annotations

from collections.abc import Sequence

from ridgeline import Estimate

HOLDS, FAILS, OPEN, UNTESTED = "holds", "does not hold", "not shown", "not measured"

A_LITTLE = 0.01
"""A gain in accuracy below this is a little one."""

ABOUT_FIVE = (4.0, 6.0)
"""How many epochs are about five."""


def helps(gain: Estimate) -> str:
    """The interval of the gain is above 0."""
    return HOLDS if gain.low > 0 else FAILS if gain.high < 0 else OPEN


def helps_not(gain: Estimate) -> str:
    """The interval of the gain is not above 0 anywhere."""
    return HOLDS if gain.high <= 0 else FAILS if gain.low > 0 else OPEN


def helps_a_little(gain: Estimate) -> str:
    """The interval of the gain is between 0 and A_LITTLE."""
    if gain.low > 0 and gain.high < A_LITTLE:
        return HOLDS
    return FAILS if gain.high < 0 or gain.low > A_LITTLE else OPEN


def helps_most(gains: Sequence[Estimate]) -> str:
    """The intervals of the gains over each of the others are above 0; it fails by one that has no gain."""
    if all(gain.low > 0 for gain in gains):
        return HOLDS
    return FAILS if any(gain.high <= 0 for gain in gains) else OPEN


def ends_after_about_five(epochs: Estimate) -> str:
    """The interval of the mean number of epochs is within ABOUT_FIVE."""
    low, high = ABOUT_FIVE
    if low <= epochs.low and epochs.high <= high:
        return HOLDS
    return FAILS if epochs.high < low or epochs.low > high else OPEN


def both(*verdicts: str) -> str:
    """One verdict of several: it holds if all hold, and fails if one fails."""
    if all(verdict == HOLDS for verdict in verdicts):
        return HOLDS
    return FAILS if FAILS in verdicts else OPEN
