"""A small fitted network on digits, and what confirm would say of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ridgeline.config import Config, as_tree
from ridgeline.data import load_splits
from ridgeline.data.rows import split_rows
from ridgeline.data.scaler import fit_scaler
from ridgeline.data.sources import read_source
from ridgeline.stack.fitted import Fitted
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of
from settings import small


def fitted_digits(**overrides: Any) -> tuple[Fitted, np.ndarray]:
    """The network after a few epochs, and the validation split's features as they are in the data set."""
    config = small(regularization__dropout=0.2, **overrides)
    (result,) = fit([config], load_splits(config.data))
    source = read_source(config.data)
    rows = split_rows(source, config.data)
    scaler = fit_scaler(source.x_NI[rows.train], config.data)
    return Fitted(config, result.weights, scaler, shape_of(load_splits(config.data))), source.x_NI[rows.validation]


def confirmed(
    config: Config, study: str = "bayes-digits-mlp-01234567", word: str = "helps", seeds: int = 3
) -> dict[str, Any]:
    """As in confirm.json."""
    described = load_splits(config.data).description
    tree = {key: value for key, value in as_tree(config).items() if key not in ("search", "tracking", "trial")}

    def arm(trial: int | None, params: dict[str, Any], error: float) -> dict[str, Any]:
        return {
            "trial": trial,
            "params": params,
            "config": tree,
            "epochs": 17,
            "seeds": [11 + i for i in range(seeds)],
            "parameters": 2170,
            "test": {"error": estimate(error), "loss": estimate(3 * error), "ece": error / 2},
            "train": {"error": 0.001, "loss": 0.01},
            "gap": estimate(2 * error),
            "sparsity": {"weights": 0.0, "small": 0.1},
            "weight_norm": 12.5,
            "seconds_per_fit": 0.3,
        }

    compared = estimate(-0.01) | {"p_value": 0.0123, "degrees_of_freedom": 7.5}
    return {
        "study": study,
        "task": "classification",
        "metric": "val/loss",
        "figure": "error",
        "data": {
            "name": described.name,
            "examples": described.examples._asdict(),
            "features": described.features,
            "classes": described.classes,
            "class_names": list(described.class_names),
            "hash": described.hash,
        },
        "settings": {"top": 5, "selection_seeds": 4, "seeds": 3, "lr_factor": 1.0},
        "verdict": {"word": word, "sentence": "Regularization helps: test error 2.00% against 3.00%."},
        "arms": {
            "best": arm(7, {"regularization.l2": 0.000123456, "regularization.dropout": 0.2}, 0.02),
            "baseline": arm(None, {}, 0.03),
        },
        "difference": {"error": compared, "loss": compared, "test": "a named test"},
        "candidates": {"best": [], "baseline": []},
        "off": {"regularization.dropout": 0.2},
        "opening": {
            "number": 2,
            "test_hash": "a" * 64,
            "when": "2026-11-21T08:00:00+00:00",
            "commit": "f" * 40,
            "dirty": True,
            "earlier": [],
        },
        "cost": {"fits": 40, "seconds": 12.0},
        "made": {"commit": "f" * 40, "dirty": True, "versions": {}, "seconds": 12.0},
    }


def estimate(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.004, "high": mean + 0.004}
