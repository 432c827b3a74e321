"""Which version of a registered model its alias is on: no version takes it from one with a stronger verdict."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities.model_registry import ModelVersion

VERDICT, SEEDS, TEST_HASH = "ridgeline.verdict", "ridgeline.seeds", "ridgeline.test_hash"
"""Tags of a version that its standing is read from."""

RANKS = {"helps": 3, "no difference shown": 2, "no regularization chosen": 2, "harms": 1}
"""Of verdicts. What has none, or another one, comes last: it was not confirmed."""


def why_it_stays(holder: ModelVersion, challenger: Mapping[str, str]) -> str | None:
    """Why the alias stays with `holder` rather than going to a version with the tags of `challenger`; None: it goes.

    A verdict is at least as strong where its rank is higher, or is the same with at least as many seeds. How many seeds
    tells two verdicts apart only where both are of the same test split. The test error plays no role: to choose among
    champions by it would be to choose on the test split.
    """
    ranks = [RANKS.get(tags.get(VERDICT, ""), 0) for tags in (holder.tags, challenger)]
    seeds = [int(tags.get(SEEDS, "0")) for tags in (holder.tags, challenger)]
    if ranks[0] > ranks[1]:
        return f"whose verdict is stronger ({holder.tags[VERDICT]})"
    split = holder.tags.get(TEST_HASH)
    if ranks[0] == ranks[1] and split is not None and split == challenger.get(TEST_HASH) and seeds[0] > seeds[1]:
        return f"whose verdict is the same over more seeds ({seeds[0]})"
    return None
