"""When a study that is asked for in Python goes by the recipe for tables."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from ridgeline.api.asked import given_value
from ridgeline.checking import ConfigError
from ridgeline.command_line.commands import key_of
from ridgeline.search.recipe import LEAST_ROWS, RECIPE
from ridgeline.target import TARGET

N_TRIALS = 64
"""In total, without the recipe, which has its own number."""

LARGE_FILE = 1 << 24
"""Bytes. A file that is larger is taken to have as many rows, and is not read to count them."""

NOT_OF_THE_RECIPE = ("experiment", "hparams_search", "debug", "data", "network", "model", "search.params")
"""Overrides of these choose something that the recipe was not measured with."""
SEARCHES = ("search=bayes", "search=random")
"""Searches that can be of the recipe's space."""


def recipe_settings(ours: Sequence[str], overrides: Sequence[str], n_trials: int | None) -> list[str]:
    """The recipe for tables, and how many trials there shall be.

    It is there where `ours` are the settings of a table alone, which is no small one, and the overrides choose no other
    network, space or experiment; single settings, such as `optimizer.lr=0.01`, keep it.
    """
    is_table = "data=table" in ours and all(key_of(one).startswith("data") for one in ours)
    is_chosen = any(_chooses(override) for override in overrides)
    recipe = [RECIPE] if is_table and not is_chosen and _has_rows(given_value(ours, "data.path")) else []
    if n_trials is None:
        return recipe or [f"search.n_trials={N_TRIALS}"]
    return [*recipe, f"search.n_trials={n_trials}"]


def _has_rows(path: str | None) -> bool:
    """Whether there are as many rows as the recipe is for; of a file that cannot be read others say what is wrong."""
    from ridgeline.tables.reading import read_chunks

    if path is None or not os.path.isfile(path) or os.path.getsize(path) > LARGE_FILE:
        return True
    with contextlib.suppress(ConfigError):
        return len(next(read_chunks(path, rows=LEAST_ROWS), ())) >= LEAST_ROWS
    return True


def _chooses(override: str) -> bool:
    key = key_of(override)
    of_search = key == "search" and override not in SEARCHES
    return key.removesuffix(f".{TARGET}") in NOT_OF_THE_RECIPE or of_search
