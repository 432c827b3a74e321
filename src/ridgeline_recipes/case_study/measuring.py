"""From kept fits to numbers: accuracies, gains over the baseline, and whether the tutorial's claims hold.

S seeds, N examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline import Estimate, Row, estimate, interval, over_seeds, tested
from ridgeline_recipes import rules
from ridgeline_recipes.case_study.kept import TEST, VALIDATION, KeptFit
from ridgeline_recipes.case_study.variants import BASELINE, BY_NAME, LISTING, TEXT, TUNED

SPLITS = (VALIDATION, TEST)
EARLY, LATE = "early_stopping", "early_stopping_listing"


@dataclass(frozen=True)
class Measured:
    """One variant: which examples of each split its networks get wrong, and how many epochs each trained."""

    wrong_SN: Mapping[str, np.ndarray]
    epochs_S: np.ndarray
    histories: Sequence[list[Row]]

    def gain_over(self, other: Measured, split: str) -> Estimate:
        """The gain in accuracy over networks with the same seeds on the same examples.

        It is exactly 0 if they are the same networks, for two variants may be one configuration.
        """
        if other is self or (self.histories and self.histories == other.histories):
            return Estimate(0.0, 0.0, 0.0, 1.0, None)
        return estimate(other.wrong_SN[split].astype(float) - self.wrong_SN[split])


def measure(fits: Sequence[KeptFit]) -> Measured:
    wrong_SN = {split: np.stack([fit.wrong_N(split).numpy() for fit in fits]) for split in SPLITS}
    return Measured(wrong_SN, np.array([fit.epochs for fit in fits], float), [fit.history for fit in fits])


def describe(found: Mapping[str, Measured], settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row a variant, as it is stored. `settings`: what sets each apart, in words."""
    rows = []
    for name, own in found.items():
        row: dict[str, Any] = {"name": name, "label": BY_NAME[name].label, "setting": settings[name]}
        for split in SPLITS:
            accuracy = _share(estimate(1.0 - own.wrong_SN[split]))
            gain = None if name == BASELINE else tested(own.gain_over(found[BASELINE], split))
            row[split] = {"accuracy": accuracy, "gain": gain}
        row["epochs"] = interval(over_seeds(own.epochs_S))
        rows.append(row)
    return rows


def judge(found: Mapping[str, Measured], continued_from: int) -> list[dict[str, Any]]:
    """A row a claim and reading. `continued_from`: the epochs before the early stopping of the listing begins."""
    gains = {split: {n: m.gain_over(found[BASELINE], split) for n, m in found.items()} for split in SPLITS}
    return [
        _by_gain("L2 helps", "", gains, "l2", rules.helps),
        _by_gain("L1 does not help", "", gains, "l1", rules.helps_not),
        _by_gain("dropout helps a little", "", gains, "dropout", rules.helps_a_little),
        _helps_most(found, "augmentation", TEXT),
        _helps_most(found, "augmentation_listing", LISTING),
        _ends_early(found[EARLY].epochs_S, TEXT),
        _ends_early(found[LATE].epochs_S - continued_from, LISTING),
        _by_gain("tuned beats the baseline", "", gains, TUNED, rules.helps),
    ]


def _share(found: Estimate) -> dict[str, float]:
    """The interval of something between 0 and 1."""
    return {**interval(found), "low": max(0.0, found.low), "high": min(1.0, found.high)}


def _by_gain(claim: str, reading: str, gains: Any, name: str, rule: Any) -> dict[str, Any]:
    splits = {
        split: {
            "what": "gain over the baseline",
            "value": interval(gains[split][name]),
            "verdict": rule(gains[split][name]),
        }
        for split in SPLITS
    }
    return {"claim": claim, "reading": reading, "unit": "accuracy", **splits}


def _helps_most(found: Mapping[str, Measured], name: str, reading: str) -> dict[str, Any]:
    """Against each of the tutorial's own variants in the reading of the text; shown is the gain that decides."""
    row: dict[str, Any] = {"claim": "augmentation helps most", "reading": reading, "unit": "accuracy"}
    others = [BASELINE, "l2", "l1", "dropout", EARLY]
    for split in SPLITS:
        gains = {other: found[name].gain_over(found[other], split) for other in others}
        verdict = rules.helps_most(list(gains.values()))
        end = "high" if verdict == rules.FAILS else "low"
        least = min(gains, key=lambda other: float(getattr(gains[other], end)))
        row[split] = {"what": f"gain over {BY_NAME[least].title}", "value": interval(gains[least]), "verdict": verdict}
    return row


def _ends_early(epochs_S: np.ndarray, reading: str) -> dict[str, Any]:
    epochs = over_seeds(epochs_S)
    own = {"what": "epochs", "value": interval(epochs), "verdict": rules.ends_after_about_five(epochs)}
    return {
        "claim": "early stopping ends after about 5 epochs",
        "reading": reading,
        "unit": "epochs",
        VALIDATION: own,
        TEST: None,
    }
