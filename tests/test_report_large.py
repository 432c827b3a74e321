"""A page of 5,000 trials: drawn in seconds, of a size that a browser likes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from ridgeline.evaluation.stored import open_study
from ridgeline.evaluation.story import write_report
from ridgeline.search.ranking import OUTCOME
from settings import small
from sweeping import Studies
from test_report_page import BAYES, TINY, asked, part, train

pytestmark = pytest.mark.alone

TRIALS = 5000
SECONDS, MEGABYTES = 30, 10


def fill(study: optuna.Study, n: int) -> None:
    """Add trials as a search stores them, until there are n: most complete, some pruned, some failed."""
    first = next(t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE)
    draw = np.random.default_rng(0)
    for number in range(len(study.get_trials(deepcopy=False)), n):
        l2, dropout = 10 ** draw.uniform(-6, -1), draw.uniform(0, 0.7)
        train_loss = 0.05 + 0.1 * dropout**2 + 5 * l2
        gap = 0.1 / (1 + 200 * l2) * (1 - dropout) + 0.005 * draw.standard_normal()
        value = max(0.01, train_loss + gap)
        state = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)[draw.choice(3, p=[0.9, 0.08, 0.02])]
        found = {"run_id": f"{number:032x}", "best_epoch": 20, "epochs": 30, "seconds": 2.5}
        metrics = {"train_loss": train_loss, "train_error": train_loss / 4, "val_loss": value, "val_error": value / 3}
        if state == TrialState.COMPLETE:
            found["metrics"] = {f"final/{name}": measured for name, measured in (metrics | {"gap": gap}).items()}
        params = {"regularization.l2": l2, "regularization.dropout": dropout}
        study.add_trial(
            create_trial(
                state=state,
                value=value if state == TrialState.COMPLETE else None,
                params=params,
                distributions={name: first.distributions[name] for name in params},
                user_attrs={OUTCOME: found},
                system_attrs={},
            )
        )


@pytest.mark.verify
def test_five_thousand_trials_are_drawn_within_half_a_minute(tmp_path: Path) -> None:
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    studies.run(*BAYES, *TINY, "search.study_name=large", task=train)
    fill(open_study(small(runs=str(studies.runs)), "large").study, TRIALS)
    began = time.process_time()  # not the clock: other processes may be busy
    (path,) = write_report(asked(studies, "large"))
    took, size = time.process_time() - began, path.stat().st_size / 1e6
    print(f"{TRIALS} trials: {took:.1f} s, {size:.2f} MB")
    assert took < SECONDS
    assert size < MEGABYTES
    page = path.read_text()
    assert "The 200 best of 5,000 trials" in page
    assert re.search(r"200 of 4,\d\d\d complete trials are drawn: the 20 best", page)
    assert part(page, "space").count("<image") >= 2  # the dots are pixels
