"""What a process does while it starts, and what it leaves for later."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgeline.processes import ask
from ridgeline.stack import garbage


@pytest.fixture
def usual_afterwards() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("usual_afterwards")
def test_garbage_is_looked_for_seldom_until_a_training_begins_and_what_trainings_leave_is_not_kept() -> None:
    garbage.search_garbage_seldom()
    assert gc.isenabled()
    assert gc.get_threshold() > garbage.USUAL
    garbage.search_garbage_as_usual()
    assert gc.get_threshold() == garbage.USUAL
    kept = gc.get_freeze_count()
    assert kept > 0
    left = [[] for _ in range(1000)]
    garbage.search_garbage_as_usual()  # the next training of the same process
    assert gc.get_freeze_count() <= kept
    assert len(left) == 1000


def test_what_is_told_before_torch_needs_neither_scikit_learn_nor_pandas(tmp_path: Path) -> None:
    """Data, store, leaks and memory are looked at before a training is announced; scikit-learn alone takes a second."""
    code = (
        "import sys; from ridgeline.config import parse; from ridgeline.trial.requirements import check_surroundings;"
        "check_surroundings(parse({'data': {'name': 'digits'}, 'network': {'name': 'mlp', 'hidden': [8]},"
        "'optimizer': {'name': 'adam', 'lr': 1e-3}, 'runs': sys.argv[1]}));"
        "print({'torch', 'sklearn', 'scipy', 'pandas', 'mlflow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def _has_worker() -> bool:
    return "ridgeline.stack.worker" in sys.modules


@pytest.mark.verify
def test_a_forked_process_has_what_workers_need_because_the_package_of_workers_asks_for_it() -> None:
    assert ask(_has_worker)
    below = Path(str(sys.modules["ridgeline.processes"].__file__)).read_text()
    assert "ridgeline." not in below.split("from __future__")[1]  # it lies below all other packages
