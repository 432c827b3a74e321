"""Whether many regularizers together are worth more than each alone, in the same time (Kadra et al. 2021).

Each way searches a table for as many seconds of one core, as in `table_recipe.py`: the learning rate alone; the rate
and one regularizer, off or on and then so strong; `experiment=table`; `experiment=cocktail`, with all of them.
Everything else is that recipe's. The figure is the mean test loss, log loss or mean squared error, of the three best
trials by validation, printed as a change from that of no regularizer. `--out` gets each cell when it is done, and a
second start does what it lacks.

    python benchmarks/cocktail.py --tables FOLDER [--out FILE.csv] [--seconds 10] [--on TABLE ...] [--only WAY ...]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from omegaconf import OmegaConf

from on_tables.splits import read_table
from progress import Progress
from ridgeline.command_line.places import CONF
from table_recipe import Variant, measure, settings_of

TABLES = ("vehicle", "kc1", "phoneme", "jungle_chess", "cpu_act")
RESULTS = Path(__file__).parent / "results" / "cocktail.csv"
LR = "optimizer.lr"
SPACE: dict[str, str] = OmegaConf.load(CONF / "experiment" / "cocktail.yaml")["search"]["params"]
SINGLE = ("l1", "l2", "dropout", "input_noise", "mixup", "weight_average")


def _only(*names: str) -> Variant:
    """The cocktail with these regularizers alone."""
    kept = [f"regularization.{name}" for name in names]
    return Variant(space={key: None for key in SPACE if key not in kept})


WAYS = {
    "none": ("cocktail", _only()),
    **{name: ("cocktail", _only(name)) for name in SINGLE},
    "experiment=table": ("table", Variant()),
    "experiment=cocktail": ("cocktail", Variant()),
}


def markdown(cells: list[dict[str, Any]]) -> str:
    """A line for each way: what its test loss is of that without regularizers, by table."""
    test = {(one["way"], one["table"]): float(one["test"]) for one in cells}
    tables = [table for table in TABLES if ("none", table) in test]
    lines = [f"| | {' | '.join(tables)} | **all** |", "|---" * (len(tables) + 2) + "|"]
    none = [f"{test['none', table]:.4g}" for table in tables]
    lines.append(f"| none | {' | '.join(none)} | |")
    for way in [way for way in WAYS if way != "none" and any(way == known for known, _ in test)]:
        ratio = {table: test[way, table] / test["none", table] for table in tables if (way, table) in test}
        shown = [f"{ratio[table] - 1:+.1%}" if table in ratio else "" for table in tables]
        mean = f"{np.exp(np.mean(np.log(list(ratio.values())))) - 1:+.1%}" if len(ratio) == len(tables) else ""
        lines.append(f"| {way} | {' | '.join(shown)} | {mean} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV")
    parser.add_argument("--seconds", type=float, default=10.0, help="of one core, for each cell")
    parser.add_argument("--on", nargs="*", default=TABLES, help="names of tables")
    parser.add_argument("--only", nargs="*", default=WAYS, help="names of ways")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    cells = list(csv.DictReader(asked.out.open())) if asked.out.exists() else []
    cells = [one for one in cells if float(one["budget"]) == asked.seconds]
    done, progress = {(one["way"], one["table"]) for one in cells}, Progress()
    with tempfile.TemporaryDirectory() as folder:
        for each in asked.on:
            table = read_table(asked.tables, each)
            for way, (experiment, variant) in WAYS.items():
                if (way, each) in done or way not in asked.only:
                    continue
                progress.say(f"{each}: {way}")
                found = measure(table, settings_of(table, Path(folder)), variant, asked.seconds, experiment)
                cells.append({"way": way, "table": each, "budget": asked.seconds, **found})
                with asked.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, list(cells[-1]), lineterminator="\n")
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerow(cells[-1])
    print(markdown(cells))


if __name__ == "__main__":
    main()
