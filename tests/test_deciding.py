"""Which keys decide the numbers of a fit: each field says so itself, and everything that asks follows it."""

from __future__ import annotations

from typing import Any

import pytest

from ridgeline.config import as_tree
from ridgeline.config.deciding import COURSE, NOTHING, deciding_keys, training_keys
from ridgeline.config.idle import idle_keys, may_be_idle
from ridgeline.evaluation.fits import fingerprint
from ridgeline.search.identity import definition
from settings import small

LIES_ELSEWHERE = {"trainer__checkpoint_interval": 1.0, "runs": "other", "report": "p.html"}
ANOTHER_COURSE = {"trainer__num_threads": 2}
LONGER, OTHER = {"trainer__max_epochs": 4}, {"optimizer__lr": 4e-3}


@pytest.mark.parametrize(
    ("changed", "same_study", "same_fit", "goes_on"),
    [
        (LIES_ELSEWHERE, True, True, True),
        (ANOTHER_COURSE, False, True, True),
        (LONGER, False, False, True),
        (OTHER, False, False, False),
    ],
)
def test_only_what_decides_a_fit_sets_it_apart(
    changed: dict[str, Any], same_study: bool, same_fit: bool, goes_on: bool
) -> None:
    before, after = small(), small(**changed)
    studies = [definition(as_tree(config), config, [], ["data"]) for config in (before, after)]
    assert (studies[0] == studies[1]) is same_study
    assert (deciding_keys(before) == deciding_keys(after)) is same_fit
    assert (fingerprint(before) == fingerprint(after)) is same_fit
    assert (training_keys(before) == training_keys(after)) is goes_on


def test_what_is_marked_in_a_group_is_found_by_its_dotted_key() -> None:
    assert {"data.root", "trainer.enable_progress_bar", "tracking", "confirm", "import_path"} <= set(NOTHING)
    assert set(COURSE) == {"trainer.num_threads", "trainer.ckpt_path"}


def test_every_key_that_can_be_without_effect_is_known_without_a_configuration() -> None:
    """So that the commands of a large study are made without reading each of its trials."""
    found = {
        idle.key
        for other in (
            {},
            {"optimizer__name": "sgd", "data__split": "first"},
            {"network__name": "softmax"},
            {"lr_schedule__name": "cosine", "trainer__max_epochs": 1},
            {"callbacks__dropout_schedule": {"name": "linear"}, "callbacks__early_stopping": {"patience": 9}},
        )
        for idle in idle_keys(small(**other))
    }
    assert len(found) > 10
    assert {key for key in found if not may_be_idle(f"++{key}=1")} == set()
    assert not any(map(may_be_idle, ("regularization.l2=1e-4", "optimizer.lr=0.1", "data=wine", "seed=1")))
