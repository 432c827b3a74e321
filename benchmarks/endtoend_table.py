"""What the rounds of whole studies say: medians and ratios, as plain values for JSON and as lines for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

OURS = "stack"


def summarize(titles: Mapping[str, str], turns: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Everything about each way. Ratios are of turns in the same round, so that a busy machine slows both."""
    n_trials = turns[OURS][0]["trials"]

    def whole(turn: Mapping[str, float]) -> float:
        """Seconds of a study with as many trials as the stack's."""
        return turn["seconds_start_up"] + n_trials * turn["seconds_a_trial"]

    summary = {}
    for key, title in titles.items():
        mine, ours = turns[key], turns[OURS]
        seconds = spread([turn["seconds_a_trial"] for turn in mine])
        study = spread([whole(turn) for turn in mine])
        summary[key] = {
            "title": title,
            **{name: spread([turn[name] for turn in mine]) for name in mine[0]},
            f"seconds_of_{n_trials}_trials_with_start_up": study,
            "trials_an_hour": 3600 / seconds["median"],
            "trials_an_hour_with_start_up": 3600 * n_trials / study["median"],
            "times_ours": spread(
                [a["seconds_a_trial"] / b["seconds_a_trial"] for a, b in zip(mine, ours, strict=True)]
            ),
            "times_ours_with_start_up": spread([whole(a) / whole(b) for a, b in zip(mine, ours, strict=True)]),
            "rounds": [dict(turn) for turn in mine],
        }
    return summary


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def lines(summary: Mapping[str, Any]) -> list[str]:
    """A table for people."""
    ours = summary[OURS]
    n_trials = int(ours["trials"]["median"])
    study = f"seconds_of_{n_trials}_trials_with_start_up"
    text = [
        f"{'':<46}{'measured':^26}{'without start-up':^28}{f'{n_trials} trials with start-up':^28}"
        f"{'epochs':>8}{'best':>9}",
        f"{'':<46}{'trials':>8}{'command':>9}{'start-up':>9}"
        f"{'s a trial':>11}{'an hour':>9}{'ratio':>8}{'s a trial':>11}{'an hour':>9}{'ratio':>8}{'a trial':>8}"
        f"{'val/loss':>9}",
    ]
    for row in summary.values():
        text.append(
            f"{row['title']:<46}{row['trials']['median']:>8.0f}"
            f"{row['seconds']['median']:>8.1f}s{row['seconds_start_up']['median']:>8.1f}s"
            f"{row['seconds_a_trial']['median']:>11.3f}{row['trials_an_hour']:>9.0f}{row['times_ours']['median']:>8.2f}"
            f"{row[study]['median'] / n_trials:>11.3f}{row['trials_an_hour_with_start_up']:>9.0f}"
            f"{row['times_ours_with_start_up']['median']:>8.2f}"
            f"{row['epochs_a_trial']['median']:>8.1f}{row['best']['median']:>9.4f}"
        )
    first_epoch = ours["seconds_to_first_epoch"]["median"]
    waits, off = (ours[f"training_{what}"]["median"] for what in ("waits", "is_off_the_cores"))
    return [
        *text,
        "Without start-up: from the first trial's start to the last one's end, in Optuna's journal. "
        f"Of the stack that includes its workers' start: {first_epoch:.1f} s to the first epoch's end.",
        f"Its main process takes {ours['main_cpu_ms_a_trial']['median']:.0f} CPU ms a trial for search and tracking. "
        f"From the first epoch's end on its {ours['workers']['median']:.0f} training processes wait for trials "
        f"{waits:.1%} of the time, and are off the cores, which they share with the main process, {off:.1%}.",
    ]
