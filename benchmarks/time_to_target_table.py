"""What the rounds to a target say, as plain values for JSON."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Turn:
    """A study: the best so far and the seconds since the first trial's start, at each trial's end; start-up apart."""

    best: list[float | None]
    seconds: list[float]
    start_up: float

    def to_reach(self, target: float) -> float:
        """Seconds, without start-up; infinite if it never did."""
        pairs = zip(self.best, self.seconds, strict=True)
        return next((at for best, at in pairs if best is not None and best <= target), math.inf)


def summarize(title: str, turns: list[Turn], targets: list[float]) -> dict[str, Any]:
    """None where less than half of the studies reached the target."""
    reached = [turn.to_reach(target) for turn, target in zip(turns, targets, strict=True)]
    whole = [seconds + turn.start_up for seconds, turn in zip(reached, turns, strict=True)]
    return {
        "title": title,
        "reached": sum(math.isfinite(seconds) for seconds in reached),
        "seconds_to_target": _finite(statistics.median(reached)),
        "seconds_to_target_with_start_up": _finite(statistics.median(whole)),
        "seconds_at_least": statistics.median(min(s, turn.seconds[-1]) for s, turn in zip(reached, turns, strict=True)),
        "rounds": [
            {"to_target": _finite(s), "start_up": turn.start_up, "best_so_far": turn.best, "seconds": turn.seconds}
            for s, turn in zip(reached, turns, strict=True)
        ],
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
