"""What the rounds say: medians, spreads, ratios, as plain values for JSON and as lines for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rivals.crew import Rival, Turn
from rivals.workloads import Workload

OURS, PRODUCTS = "c", "d"
SIMILAR = 0.25
"""A validation loss that is further from ours, relative to ours, is pointed out."""


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(workload: Workload, rivals: Sequence[Rival], turns: Mapping[str, Sequence[Turn]]) -> dict[str, Any]:
    """Everything about one workload. Ratios are of turns in the same round, so that a busy machine slows both."""
    ours = [turn.ms for turn in turns[OURS]]
    products = [turn.ms for turn in turns[PRODUCTS]]
    rows = {}
    for rival in rivals:
        mine = turns[rival.key]
        ms = [turn.ms for turn in mine]
        losses = [turn.val_loss for turn in mine if turn.val_loss is not None]
        median = statistics.median(ms)
        rows[rival.key] = {
            "title": rival.title,
            "processes_times_threads": mine[0].threads,
            "ms_a_trial_and_step": spread(ms),
            "cpu_ms_a_trial_and_step": spread([turn.cpu_ms for turn in mine]),
            "times_ours": spread([a / b for a, b in zip(ms, ours, strict=True)]),
            "times_products": spread([a / b for a, b in zip(ms, products, strict=True)]),
            "gflop_per_second": workload.flop / median / 1e6,
            "trials_an_hour": 3.6e6 / (median * workload.full_steps),
            "peak_memory_mib": max(turn.peak for turn in mine),
            "val_loss": spread(losses) if losses else None,
            "ms_of_each_round": ms,
        }
    return {
        "sizes": list(workload.sizes),
        "k": workload.k,
        "slice": {"epochs": workload.epochs, "timed_epochs": workload.epochs - 1, "examples": workload.examples},
        "full_trial": {"epochs": workload.full_epochs, "steps": workload.full_steps},
        "flop_a_trial_and_step": workload.flop,
        "rivals": rows,
    }


def lines(name: str, summary: Mapping[str, Any]) -> list[str]:
    """A table for people."""
    part, full = summary["slice"], summary["full_trial"]
    examples = "all" if part["examples"] is None else part["examples"]
    network = "-".join(str(size) for size in summary["sizes"])
    text = [
        f"{name}: {network}, stacks of {summary['k']}; "
        f"a slice: {part['epochs']} epochs (the first not timed), {examples} examples",
        f"{'':<50}{'ms a trial and step':^24}{'CPU':>8}{'times ours':^21}{'trials':>8}{'peak':>7}{'val/':>8}"
        f"{'of the':>10}",
        f"{'':<50}{'median':>8}{'min':>8}{'max':>8}{'ms':>8}{'median':>9}{'min':>6}{'max':>6}{'an hour':>8}{'MiB':>7}"
        f"{'loss':>8}{'products':>10}",
    ]
    for key, row in summary["rivals"].items():
        ms, ratio, loss = row["ms_a_trial_and_step"], row["times_ours"], row["val_loss"]
        is_training = key != PRODUCTS
        text.append(
            f"{f'({key})':<5}{row['title']:<45}{ms['median']:>8.3f}{ms['min']:>8.3f}{ms['max']:>8.3f}"
            f"{row['cpu_ms_a_trial_and_step']['median']:>8.3f}{ratio['median']:>9.2f}{ratio['min']:>6.1f}{ratio['max']:>6.1f}"
            + (f"{row['trials_an_hour']:>8.0f}" if is_training else f"{'-':>8}")
            + f"{row['peak_memory_mib']:>7.0f}"
            + (f"{loss['median']:>8.4f}" if loss else f"{'-':>8}")
            + f"{1 / row['times_products']['median']:>10.1%}"
        )
    rate, times = summary["rivals"][PRODUCTS], summary["rivals"][OURS]["times_products"]["median"]
    text.append(
        f"The products alone run at {rate['gflop_per_second']:.0f} GFLOP/s; ours takes {times:.2f} times as long. "
        f"A trial for `an hour`: {full['epochs']} epochs, {full['steps']} steps."
    )
    return text + unlike(summary)


def unlike(summary: Mapping[str, Any]) -> list[str]:
    """A line for each rival that may train less, or more, than ours: its validation loss is far from ours."""
    losses = {key: row["val_loss"]["median"] for key, row in summary["rivals"].items() if row["val_loss"]}
    ours = losses[OURS]
    return [
        f"WARNING: ({key}) ends with a validation loss of {loss:.4f}, ours with {ours:.4f}: is it the same work?"
        for key, loss in losses.items()
        if abs(loss - ours) > SIMILAR * ours
    ]
