"""What the rounds say: medians, spreads, ratios, as plain values for JSON and as lines for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rivals.crew import ROUNDED, Rival, Turn, key_of
from rivals.workloads import Workload

OURS, PRODUCTS = "c", "d"
COLUMNS = {
    "a": "Lightning (a)",
    "a2": "two of these (a2)",
    "b2": "two of plain torch",
    f"b2 {ROUNDED}": "two of plain torch in bfloat16",
}
"""Of the table of ratios: rivals, by their keys. Of convolutions plain torch's are those with channels last."""
SIMILAR = 0.25
"""A validation loss that is further from ours, relative to ours, is pointed out."""


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(
    workload: Workload, k: int, rivals: Sequence[Rival], turns: Mapping[str, Sequence[Turn]]
) -> dict[str, Any]:
    """Everything about one workload, `k` trials in a stack. Ratios are of turns in the same round, so that a busy
    machine slows both; to what of ours is in the rival's precision, or else in the first one."""
    of_ours = {rival.precision: [turn.ms for turn in turns[rival.key]] for rival in rivals if rival.base == OURS}
    of_products = {
        rival.precision: [turn.ms for turn in turns[rival.key]] for rival in rivals if rival.base == PRODUCTS
    }
    first = next(iter(of_ours))
    rows = {}
    for rival in rivals:
        mine = turns[rival.key]
        ms = [turn.ms for turn in mine]
        precision = rival.precision if rival.precision in of_ours else first
        ours, products = of_ours[precision], of_products[precision]
        losses = [turn.val_loss for turn in mine if turn.val_loss is not None]
        median = statistics.median(ms)
        rows[rival.key] = {
            "title": rival.title,
            "precision": rival.precision,
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
        "k": k,
        "slice": {"epochs": workload.epochs, "timed_epochs": workload.epochs - 1, "examples": workload.examples},
        "full_trial": {"epochs": workload.full_epochs, "steps": workload.full_steps},
        "flop_a_trial_and_step": workload.flop,
        "rivals": rows,
        "ratios": {precision: ratios(workload, precision, turns) for precision in of_ours},
    }


def ratios(workload: Workload, precision: str, turns: Mapping[str, Sequence[Turn]]) -> dict[str, float]:
    """Of ours in this precision: milliseconds, and medians of how many times as long the others take in the same round;
    `products`: how many times as long ours takes as its products."""

    def times(key: str, other: str) -> float:
        return statistics.median(a.ms / b.ms for a, b in zip(turns[key], turns[other], strict=True))

    ours, products = (key_of(base, precision) for base in (OURS, PRODUCTS))
    found = {"ms": statistics.median(turn.ms for turn in turns[ours]), "products": times(ours, products)}
    for key in COLUMNS:
        of_images = key.replace("b2", "b2cl") if workload.convolutions else key
        if of_images in turns:
            found[key] = times(of_images, ours)
    return found


def markdown(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table of ratios of all workloads."""
    titles = ["ms a trial and step", *(f"against {title}" for title in COLUMNS.values()), "of the products alone"]
    text = ["| " + " | ".join(["", *titles]) + " |", "|---" * (len(titles) + 1) + "|"]
    for name, summary in summaries.items():
        for precision, own in summary["ratios"].items():
            values = [own["ms"], *(own.get(key) for key in COLUMNS), own["products"]]
            cells = ["-" if value is None else f"{value:.3g}" for value in values]
            text.append("| " + " | ".join([f"{name}, {precision}", *cells]) + " |")
    return text


def lines(name: str, summary: Mapping[str, Any]) -> list[str]:
    """A table for people."""
    part, full = summary["slice"], summary["full_trial"]
    examples = "all" if part["examples"] is None else part["examples"]
    network = "-".join(str(size) for size in summary["sizes"])
    text = [
        f"{name}: {network}, stacks of {summary['k']}; "
        f"a slice: {part['epochs']} epochs (the first not timed), {examples} examples",
        f"{'':<64}{'ms a trial and step':^24}{'CPU':>8}{'times ours':^21}{'trials':>8}{'peak':>7}{'val/':>8}"
        f"{'of the':>10}",
        f"{'':<64}{'median':>8}{'min':>8}{'max':>8}{'ms':>8}{'median':>9}{'min':>6}{'max':>6}{'an hour':>8}{'MiB':>7}"
        f"{'loss':>8}{'products':>10}",
    ]
    products = {row["precision"]: row for key, row in summary["rivals"].items() if key.split()[0] == PRODUCTS}
    for key, row in summary["rivals"].items():
        ms, ratio, loss = row["ms_a_trial_and_step"], row["times_ours"], row["val_loss"]
        is_training = key.split()[0] != PRODUCTS
        text.append(
            f"{f'({key})':<19}{row['title']:<45}{ms['median']:>8.3f}{ms['min']:>8.3f}{ms['max']:>8.3f}"
            f"{row['cpu_ms_a_trial_and_step']['median']:>8.3f}{ratio['median']:>9.2f}{ratio['min']:>6.1f}{ratio['max']:>6.1f}"
            + (f"{row['trials_an_hour']:>8.0f}" if is_training else f"{'-':>8}")
            + f"{row['peak_memory_mib']:>7.0f}"
            + (f"{loss['median']:>8.4f}" if loss else f"{'-':>8}")
            + f"{1 / row['times_products']['median']:>10.1%}"
        )
    for precision, own in summary["ratios"].items():
        rate = products[precision]["gflop_per_second"]
        text.append(
            f"{precision}: the products run at {rate:.0f} GFLOP/s alone, ours takes {own['products']:.2f} times that."
        )
    text.append(f"A trial for `an hour`: {full['epochs']} epochs, {full['steps']} steps.")
    return text + unlike(summary)


def unlike(summary: Mapping[str, Any]) -> list[str]:
    """A line for each rival that may train less, or more, than ours: its validation loss is far from ours."""
    losses = {key: row["val_loss"]["median"] for key, row in summary["rivals"].items() if row["val_loss"]}
    ours = next(loss for key, loss in losses.items() if key.split()[0] == OURS)
    return [
        f"WARNING: ({key}) ends with a validation loss of {loss:.4f}, ours with {ours:.4f}: is it the same work?"
        for key, loss in losses.items()
        if abs(loss - ours) > SIMILAR * ours
    ]
