"""What the rounds over K say: trials an hour and where they stop growing, as plain values for JSON and as lines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ridgeline.stack.sizing import fitting_stack_size
from rivals.workloads import BATCH, Workload

EPOCHS_A_TRIAL = 30
PAYS = 0.05
"""The share that twice the K has to gain."""


def summarize(
    workload: Workload, root: str, sizes: Sequence[int], seconds: Sequence[Sequence[float]], cache: int | None
) -> dict[str, Any]:
    """One line of the picture. `seconds`: an epoch of a stack, a row a round, a column a K. `cache`: bytes."""
    an_hour = [3600 * k / (EPOCHS_A_TRIAL * statistics.median(row[i] for row in seconds)) for i, k in enumerate(sizes)]
    of_fit = bytes_of_fit(workload.sizes)
    return {
        "data": workload.data,
        "network": list(workload.sizes),
        "train_examples": workload.full_train,
        "k": list(sizes),
        "trials_an_hour": an_hour,
        "stops_paying_at_k": stop_paying(sizes, seconds),
        "bytes_of_a_fit": of_fit,
        "k_that_fills_the_private_cache": cache / of_fit if cache else None,
        "k_by_default": fitting_stack_size(workload.config(root=root), workers=1),
        "seconds_an_epoch_of_the_stack": {k: [row[i] for row in seconds] for i, k in enumerate(sizes)},
    }


def stop_paying(sizes: Sequence[int], seconds: Sequence[Sequence[float]]) -> int | None:
    """The smallest K from which on no larger one gains PAYS a doubling; None if even the largest still does."""

    def pays(i: int, j: int) -> bool:
        times = sizes[j] / sizes[i]
        # of turns in the same round, so that a busy machine slows both
        gained = statistics.median(times * row[i] / row[j] for row in seconds)
        return gained >= (1 + PAYS) ** math.log2(times)

    last = len(sizes) - 1
    return next((sizes[i] for i in range(last) if not any(pays(i, j) for j in range(i + 1, last + 1))), None)


def bytes_of_fit(sizes: Sequence[int]) -> int:
    """What a step of one fit touches, counted as in ridgeline.stack.sizing."""
    parameters = sum(i * o + o for i, o in pairwise(sizes))
    return 4 * (4 * parameters + 4 * BATCH * sum(sizes))


def lines(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table for people."""
    sizes = next(iter(summaries.values()))["k"]
    text = [
        f"{'':<40}{'trials an hour at K =':<{9 * len(sizes)}}{'stops':>9}{'fills the':>11}{'K by':>9}",
        f"{'':<40}{''.join(f'{k:>9}' for k in sizes)}{'paying':>9}{'cache at':>11}{'default':>9}",
    ]
    for name, line in summaries.items():
        rates = "".join(f"{rate:>9.0f}" for rate in line["trials_an_hour"])
        fills, stops = line["k_that_fills_the_private_cache"], line["stops_paying_at_k"]
        network = "-".join(str(size) for size in line["network"])
        text.append(
            f"{line['data']:<8}{name:<17}{network:<15}{rates}{f'at {stops}' if stops else '-':>9}"
            f"{f'{fills:.1f}' if fills else '-':>11}{line['k_by_default']:>9}"
        )
    return [*text, f"Stops paying: from that K on, none gains {PAYS:.0%} a doubling."]
