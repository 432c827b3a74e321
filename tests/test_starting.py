"""What a process does while it starts, and what it leaves for later."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ridgeline.stack import starting


@pytest.fixture
def usual_afterwards() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("usual_afterwards")
def test_garbage_is_looked_for_seldom_until_a_training_begins_and_what_trainings_leave_is_not_kept() -> None:
    starting.starts()
    assert gc.isenabled()
    assert gc.get_threshold() > starting.USUAL
    starting.is_started()
    assert gc.get_threshold() == starting.USUAL
    kept = gc.get_freeze_count()
    assert kept > 0
    left = [[] for _ in range(1000)]
    starting.is_started()  # the next training of the same process
    assert gc.get_freeze_count() <= kept
    assert len(left) == 1000
