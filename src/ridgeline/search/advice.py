"""What a study says unasked: of what is allowed and hardly meant, and what to change where nothing came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from ridgeline.command_line.arguments import typed_keys
from ridgeline.search.plan import Plan
from ridgeline.search.ranking import REPEATED, counts, outcome, settings
from ridgeline.search.recipe import LEAST_ROWS, NAME, RECIPE
from ridgeline.target import TARGET


def on_start(plan: Plan) -> Iterator[str]:
    """In lines: fewer trials than it takes to try what was listed, or to search; too small a table for the recipe."""
    search, n_trials = plan.config.search, plan.n_trials
    n_entries, n_seeds = len(search.enqueue), math.prod(len(d.ends) for d in plan.line.space if d.key in REPEATED)
    if n_trials < n_entries * n_seeds:
        few, each = n_trials // n_seeds, f", with {n_seeds} seeds" if n_seeds > 1 else ""
        first = "the first is" if few == 1 else f"the first {few} are"
        yield f"search.n_trials={n_trials}: of the {n_entries} entries of search.enqueue {first} tried{each}."
    elif plan.grid is None and n_trials <= search.n_startup_trials:
        start = f"search.n_startup_trials={search.n_startup_trials}"
        yield f"All {n_trials} trials are of the quasi-random start ({start}): none is the sampler's."
    experiments = typed_keys(plan.line.start.typed).get("experiment", [])
    if NAME in experiments and (n_rows := sum(plan.data.examples)) < LEAST_ROWS:
        why = "with so few to validate, the best of its trials may be the luckiest"
        yield f"{RECIPE} was measured on tables of {LEAST_ROWS} rows or more, and this one has {n_rows}: {why}."


def on_no_result(trials: Sequence[FrozenTrial], pruner: Mapping[str, Any] | None) -> str:
    """Why none of the trials that ended is ranked, and what to change. `pruner`: the setting `search.pruner`."""
    if not trials:
        return "No trial has ended."
    found, (first, *_) = counts(trials), settings(trials)
    none = "No trial is complete" if first.seeds == 1 else f"No setting is complete with all of its {first.seeds} seeds"
    ended = [f"{n} {state}" for state, n in found.items() if n and state != "complete"]
    said = [f"{none}{': ' * bool(ended)}{', '.join(ended)}."]
    if found["pruned"] and pruner:
        given = ", ".join([str(pruner[TARGET]), *(f"{k}={v}" for k, v in pruner.items() if k != TARGET)])
        said.append(f"Let its pruner ({given}) begin later, or leave it out (search/pruner=none).")
    failed = next((t for t in trials if "reason" in outcome(t)), None)
    if failed is not None:
        said.append(f"Trial {failed.number} was the first that failed: {outcome(failed)['reason'].rstrip('.')}.")
    return " ".join(said)
