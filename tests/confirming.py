"""What confirming a study stores, of two real small networks over a few seeds, measured on the validation split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from ridgeline.config import Config, RegularizationConfig, as_tree
from ridgeline.data import Splits, load_splits
from ridgeline.stack.fitting import fit
from ridgeline.stack.records import FitResult

SEEDS = (11, 12, 13)


def confirm(folder: Path, study: str, best: Config, trial: int, params: dict[str, Any], *, number: int = 1) -> None:
    """Write the folder `confirm` of the study in `folder`. `number`: the how-manieth opening of the test split."""
    splits, arms = load_splits(best.data), dict[str, dict[str, Any]]()
    baseline = replace(best, regularization=RegularizationConfig())
    fits = {name: _fits(config, splits) for name, config in (("best", best), ("baseline", baseline))}
    p_SNC = {name: np.stack([_predict(one.weights, splits.validation.x_NI) for one in fits[name]]) for name in fits}
    labels_N = splits.validation.y_N.numpy()
    for name, config in (("best", best), ("baseline", baseline)):
        arms[name] = _arm(config, fits[name], trial if name == "best" else None, params if name == "best" else {})
    out = folder / "confirm"
    out.mkdir()
    difference = {
        kind: {
            **_estimate(
                [
                    b.metrics[f"final/val_{kind}"] - p.metrics[f"final/val_{kind}"]
                    for b, p in zip(*fits.values(), strict=True)
                ]
            )
        }
        | {"p_value": 0.031, "degrees_of_freedom": 2.4}
        for kind in ("error", "loss")
    }
    earlier = [
        {"study": f"earlier-{i}", "when": "2026-10-01T08:00:00+00:00", "commit": "b" * 40} for i in range(1, number)
    ]
    record = {
        "study": study,
        "task": "classification",
        "metric": "val/loss",
        "figure": "error",
        "data": as_tree(splits.description) | {"examples": splits.description.examples._asdict()},
        "settings": {"top": 2, "selection_seeds": 3, "seeds": 3, "lr_factor": 3.0},
        "verdict": {"word": "no difference shown", "sentence": "No difference of the test error was shown."},
        "arms": arms,
        "difference": {**difference, "test": "paired t test over seeds and test examples"},
        "candidates": {name: _candidates(name, trial, params, fits[name]) for name in fits},
        "opening": {
            "number": number,
            "when": "2026-11-21T08:00:00+00:00",
            "commit": "a" * 40,
            "dirty": True,
            "earlier": earlier,
        },
        "trials": 2,
        "cost": {"fits": 18, "seconds": 31.4},
        "made": {"commit": "a" * 40, "dirty": False, "versions": {"torch": "2.13.0"}, "seconds": 33.0},
    }
    (out / "confirm.json").write_text(json.dumps(record))
    (out / "curves.json").write_text(json.dumps({name: [one.history for one in fits[name]] for name in fits}))
    for name, found in fits.items():
        save_file({key: value.numpy() for key, value in found[0].weights.items()}, out / f"{name}.safetensors")
    save_file(
        {"targets_N": labels_N, **{f"{name}_SNC": p for name, p in p_SNC.items()}}, out / "predictions.safetensors"
    )
    if splits.image_shape is not None:
        _store_examples(out, splits, p_SNC["best"].mean(0), labels_N)
    if splits.n_features == 2:
        _store_boundary(out, splits, fits, labels_N)


def _fits(config: Config, splits: Splits) -> Sequence[FitResult]:
    trainer = replace(config.trainer, enable_progress_bar=False)
    return fit([replace(config, seed=seed, trainer=trainer) for seed in SEEDS], splits)


def _predict(weights: dict[str, torch.Tensor], x_NI: torch.Tensor) -> np.ndarray:
    """Probabilities of a ReLU network, by hand."""
    layers = sorted({name.rpartition(".")[0] for name in weights})
    for i, layer in enumerate(layers):
        x_NI = (x_NI.relu() if i else x_NI) @ weights[f"{layer}.weight"].t() + weights[f"{layer}.bias"]
    return x_NI.softmax(-1).numpy()


def _arm(config: Config, fits: Sequence[FitResult], trial: int | None, params: dict[str, Any]) -> dict[str, Any]:
    weights_W = np.concatenate([w.numpy().ravel() for w in fits[0].weights.values() if w.ndim > 1])
    means = {name: float(np.mean([one.metrics[name] for one in fits])) for name in fits[0].metrics}
    return {
        "trial": trial,
        "params": params,
        "config": as_tree(config),
        "epochs": config.trainer.max_epochs,
        "seeds": list(SEEDS),
        "parameters": sum(w.numel() for w in fits[0].weights.values()),
        "test": {
            "error": _estimate([one.metrics["final/val_error"] for one in fits]),
            "loss": _estimate([one.metrics["final/val_loss"] for one in fits]),
            "ece": 0.0123,
        },
        "train": {"error": means["final/train_error"], "loss": means["final/train_loss"]},
        "gap": _estimate([one.metrics["final/gap"] for one in fits]),
        "sparsity": {"weights": float((weights_W == 0).mean()), "small": float((abs(weights_W) < 1e-3).mean())},
        "weight_norm": float(np.linalg.norm(weights_W)),
        "seconds_per_fit": 0.8,
    }


def _estimate(values: Sequence[float]) -> dict[str, float]:
    mean, half = float(np.mean(values)), 4.3 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _candidates(name: str, trial: int, params: dict[str, Any], fits: Sequence[FitResult]) -> list[dict[str, Any]]:
    values = [one.value for one in fits]
    chosen = {
        "trial": trial if name == "best" else None,
        "params": params if name == "best" else {"optimizer.lr": 3e-3},
    }
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    measured = {"mean": float(np.mean(values)), "standard_error": error, "values": values}
    other = {"mean": measured["mean"] + 0.01, "standard_error": error, "values": [v + 0.01 for v in values]}
    searched = min(values) if name == "best" else None
    return [{**chosen, "searched_value": searched, **measured}, {**chosen, "searched_value": searched, **other}]


def _store_examples(out: Path, splits: Splits, p_NC: np.ndarray, labels_N: np.ndarray) -> None:
    true_N = p_NC[np.arange(len(labels_N)), labels_N]
    worst_M = np.argsort(true_N)[:16]
    held = {
        "x_MI": splits.validation.x_NI.numpy()[worst_M],
        "label_M": labels_N[worst_M],
        "predicted_M": p_NC[worst_M].argmax(1),
        "probability_M": true_N[worst_M],
        "image_shape": np.array(splits.image_shape),
    }
    save_file({name: np.ascontiguousarray(values) for name, values in held.items()}, out / "examples.safetensors")


def _store_boundary(out: Path, splits: Splits, fits: dict[str, Sequence[FitResult]], labels_N: np.ndarray) -> None:
    points_N2 = splits.validation.x_NI.numpy()
    x_G, y_G = (
        np.linspace(points_N2[:, i].min() - 0.5, points_N2[:, i].max() + 0.5, 80, dtype=np.float32) for i in (0, 1)
    )
    grid_G2 = torch.from_numpy(np.stack(np.meshgrid(x_G, y_G), -1).reshape(-1, 2))
    held = {"x_G": x_G, "y_G": y_G, "points_N2": points_N2, "labels_N": labels_N}
    for name, found in fits.items():
        held[f"{name}_GGC"] = np.mean([_predict(one.weights, grid_G2) for one in found], 0).reshape(80, 80, -1)
    save_file({name: np.ascontiguousarray(values) for name, values in held.items()}, out / "boundary.safetensors")
