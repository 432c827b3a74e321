"""Which preprocessing and which network a table should have where nobody says: the validation loss of each.

Of tables of a folder (see its index.json), each variant trains with four learning rates and three seeds, as stacks; its
loss is that of the best learning rate, the mean over seeds at the restored epoch. Large tables are cut to 6,000 rows of
train and validation. No test split is opened. Writes benchmarks/results/table_defaults.json and prints a table of what
each loss is of that of an MLP with standardized numbers. About 12 minutes on one core.

    python benchmarks/table_defaults.py --tables FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from machine import describe_machine
from progress import Progress
from ridgeline import fit, load_splits
from ridgeline.config import parse

RESULTS = Path(__file__).parent / "results" / "table_defaults.json"
TABLES = (
    *("credit_g", "kc1", "vehicle", "phoneme", "adult", "bank_marketing", "jungle_chess", "segment"),
    *("cpu_act", "houses", "socmob", "ames", "concrete", "abalone"),
)
RATES, SEEDS = (1e-3, 3e-3, 1e-2, 3e-2), (0, 1, 2)
EXAMPLES = 6000
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mlp, feature": ({"name": "mlp"}, {"standardize": "feature"}),
    "mlp with SiLU, feature": ({"name": "mlp", "activation": "silu"}, {"standardize": "feature"}),
    "mlp with SiLU, quantile": ({"name": "mlp", "activation": "silu"}, {"standardize": "quantile"}),
    "mlp with SiLU, squash": ({"name": "mlp", "activation": "silu"}, {"standardize": "squash"}),
    "tabular, piecewise, feature": ({"name": "tabular"}, {"standardize": "feature"}),
    "tabular, piecewise, quantile": ({"name": "tabular"}, {"standardize": "quantile"}),
    "tabular, periodic, quantile": ({"name": "tabular", "numeric": "periodic"}, {"standardize": "quantile"}),
}


def loss_of(table: dict[str, Any], folder: Path, network: dict[str, Any], data: dict[str, Any]) -> float:
    """The mean validation loss over the seeds, of the best learning rate."""
    n_seen = 0.8 * table["rows"]
    tree = {
        "data": {
            "name": "table",
            "path": str(folder / table["file"]),
            "target": table["target"],
            **({"examples": EXAMPLES} if n_seen > EXAMPLES else {}),
            **data,
        },
        "task": "regression" if table["task"] == "regression" else "classification",
        "network": network,
        "trainer": {"max_epochs": 60, "batch_size": 128, "enable_progress_bar": False, "num_threads": 1},
        "callbacks": {"early_stopping": {"patience": 10}},
    }
    pairs = [(rate, seed) for rate in RATES for seed in SEEDS]
    configs = [parse({**tree, "optimizer": {"name": "adam", "lr": rate}, "seed": seed}) for rate, seed in pairs]
    found = fit(configs, load_splits(configs[0].data))
    losses = {rate: [one.value for one, (own, _) in zip(found, pairs, strict=True) if own == rate] for rate in RATES}
    means = [float(np.mean(each)) for each in losses.values()]
    return min((mean for mean in means if math.isfinite(mean)), default=math.nan)


def markdown(losses: dict[str, dict[str, float]]) -> str:
    """A line for each table, what each variant's loss is of the first one's."""
    names = list(VARIANTS)
    lines = [f"| table | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for table, own in losses.items():
        shown = [f"{own[names[0]]:.4f}", *(f"{own[name] / own[names[0]] - 1:+.1%}" for name in names[1:])]
        lines.append(f"| {table} | {' | '.join(shown)} |")
    ratios = {name: [own[name] / own[names[0]] for own in losses.values()] for name in names[1:]}
    lines.append("| **median** | | " + " | ".join(f"{np.median(each) - 1:+.1%}" for each in ratios.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    index = {table["name"]: table for table in json.loads((asked.tables / "index.json").read_text())}
    machine, progress, began = describe_machine(), Progress(), time.monotonic()
    losses: dict[str, dict[str, float]] = {}
    for name in TABLES:
        for variant, (network, data) in VARIANTS.items():
            progress.say(f"{name}: {variant}")
            losses.setdefault(name, {})[variant] = loss_of(index[name], asked.tables.absolute(), network, data)
        print(json.dumps({name: losses[name]}), flush=True)
    print(markdown(losses))
    minutes = round((time.monotonic() - began) / 60, 1)
    RESULTS.write_text(json.dumps({"machine": machine, "minutes": minutes, "val_loss": losses}, indent=2) + "\n")


if __name__ == "__main__":
    main()
