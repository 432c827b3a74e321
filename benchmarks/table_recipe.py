"""What each choice of conf/experiment/table.yaml is worth: the recipe, and the recipe with one choice changed.

Each variant searches a table for as many seconds of one core (of CPU, so that other work on the machine is nothing to
it), in stacks of four trials that Optuna's TPE asks for, as a study does without its store. A stack that takes longer
than what is left does not count, but for the first. Large tables are cut to 3,000 rows of train and validation, so that
the seconds buy for them what a minute buys for a table of 30,000. The figure is the mean test loss, log loss or mean
squared error, of the three best trials by validation. Printed is each as a change from that of the recipe, and the
geometric mean over the tables. These are open tables; the recipe is chosen over all of them. `--out` gets each cell
when it is done, and a second start does what it lacks.

    python benchmarks/table_recipe.py --tables FOLDER [--out FILE.csv] [--seconds 8] [--only VARIANT ...]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from on_tables.splits import Table, read_table
from progress import Progress
from ridgeline import fit, load_splits
from ridgeline.api.composing import compose
from ridgeline.config import Config, as_tree, parse
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.search.conditions import values_of
from ridgeline.search.sampling import ask
from ridgeline.search.space import Dimension, dimension
from ridgeline.stack.records import FitResult

TABLES = ("vehicle", "phoneme", "jungle_chess", "socmob", "cpu_act", "houses")
EXAMPLES = 3000
RESULTS = Path(__file__).parent / "results" / "table_recipe.csv"
BEST = 3
"""So many of the best trials by validation are measured."""
STACK = 4


@dataclass(frozen=True)
class Variant:
    """What it changes of the recipe: settings of all trials, and of the space; None takes a key out of that.

    `enqueues`: whether the recipe's first trials are asked first.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    space: dict[str, str | None] = field(default_factory=dict)
    enqueues: bool = True


OF_CLASSES = ("with label_smoothing",)
REGULARIZERS = tuple(f"regularization.{name}" for name in ("l2", "dropout", "mixup", "weight_average"))
VARIANTS = {
    "recipe": Variant(),
    "numbers as they are": Variant({"network.numeric": "none"}),
    "numbers periodic": Variant({"network.numeric": "periodic"}),
    "8 bins": Variant({"network.bins": 8}),
    "32 bins": Variant({"network.bins": 32}),
    "quantile": Variant({"data.standardize": "quantile"}),
    "ReLU": Variant({"network.activation": "relu"}),
    "hidden 64, 64": Variant({"network.hidden": [64, 64]}),
    "hidden 256, 256": Variant({"network.hidden": [256, 256]}),
    "hidden 128, 128, 128": Variant({"network.hidden": [128, 128, 128]}),
    "learning rate to 0.01": Variant({}, {"optimizer.lr": "tag(log, interval(1e-4, 1e-2))"}, enqueues=False),
    "cosine": Variant({"lr_schedule.name": "cosine", "lr_schedule.final_factor": 0.0}),
    "batch 128": Variant({"trainer.batch_size": 128}),
    "batch 512": Variant({"trainer.batch_size": 512}),
    "30 epochs": Variant({"trainer.max_epochs": 30}),
    "300 epochs": Variant({"trainer.max_epochs": 300}),
    "patience 5": Variant({"callbacks.early_stopping.patience": 5}),
    "patience 20": Variant({"callbacks.early_stopping.patience": 20}),
    "without the recipe": Variant(
        {"trainer.max_epochs": 30, "trainer.batch_size": 128},
        {
            **dict.fromkeys((*REGULARIZERS, "optimizer.lr")),
            "regularization.l2": "tag(log, interval(1e-6, 1e-1))",
            "regularization.dropout": "interval(0.0, 0.7)",
        },
        enqueues=False,
    ),
    "no first trials": Variant(enqueues=False),
    "no regularizer": Variant({}, dict.fromkeys(REGULARIZERS)),
    **{f"without {key.split('.')[1]}": Variant({}, {key: None}) for key in REGULARIZERS},
    "with label_smoothing": Variant({}, {"regularization.label_smoothing": "choice(0, 0.05)"}),
    "with input_dropout": Variant({}, {"regularization.input_dropout": "choice(0, 0.05, 0.1)"}),
}


def measure(table: Table, given: list[str], variant: Variant, seconds: float, of: str = "table") -> dict[str, Any]:
    """The test loss, and what else is known of one cell. `of`: the experiment that the variant changes."""
    tree = as_tree(compose([f"experiment={of}", *given]))
    for key, value in variant.settings.items():
        _set(tree, key, value)
    texts = {**tree["search"]["params"], **variant.space}
    space = [_dimension(key, text) for key, text in texts.items() if text is not None]
    splits = load_splits(parse(tree).data)
    study, ended = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=2 * STACK)), []
    for first in tree["search"]["enqueue"] if variant.enqueues else ():
        values = {d.key: first[d.key] for d in space if d.key in first}
        study.enqueue_trial(
            {n: v for d in space for n, v in d.params(values.get(d.key, 0)).items()}, skip_if_exists=True
        )
    began = time.process_time()
    while time.process_time() - began < seconds:
        trials = [ask(study, space) for _ in range(STACK)]
        found = fit([_configured(tree, values_of(trial.params), trial.number) for trial in trials], splits)
        for trial, one in zip(trials, found, strict=True):
            study.tell(trial, None if one.failure else one.value, skip_if_finished=True, state=_state(one))
        spent = time.process_time() - began
        ended += [one for one in found if not one.failure and (spent <= seconds or not ended)]
    best = sorted(ended, key=lambda one: one.value)[:BEST]
    losses = [_test_loss(table, one) for one in best]
    epochs = np.median([one.epochs for one in ended])
    return {
        "test": float(np.mean(losses)),
        "validation": best[0].value,
        "trials": len(ended),
        "epochs": float(epochs),
        "seconds": round(spent, 1),
        "best": {d.key.split(".")[1]: round(_get(as_tree(best[0].config), d.key), 5) for d in space},
    }


def _state(one: FitResult) -> optuna.trial.TrialState:
    return optuna.trial.TrialState.FAIL if one.failure else optuna.trial.TrialState.COMPLETE


def _test_loss(table: Table, one: FitResult) -> float:
    found = fitted_of(one.config, one.weights)
    assert found is not None
    predicted = found[0].predict(table.frame.iloc[table.rows["test"]].reset_index(drop=True))
    truth = table.numbers_of("test")
    if table.is_regression:
        return float(np.mean((predicted - truth) ** 2))
    names = {name: place for place, name in enumerate(found[0].class_names)}
    places = np.array([names[name] for name in table.classes])
    return float(-np.log(np.clip(predicted[np.arange(len(truth)), places[truth]], 1e-6, 1)).mean())


def _dimension(key: str, text: str) -> Dimension:
    return dimension(OverridesParser.create().parse_override(f"{key}={text}"), grid=False, seed=0)


def _configured(tree: dict[str, Any], params: dict[str, Any], seed: int) -> Config:
    own = {group: dict(value) if isinstance(value, dict) else value for group, value in tree.items()}
    for key, value in params.items():
        _set(own, key, OverridesParser.create().parse_override(f"x={value}").value())
    return parse({**own, "seed": seed})


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *groups, name = key.split(".")
    for group in groups:
        tree = tree[group]
    tree[name] = value


def _get(tree: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree


def settings_of(table: Table, folder: Path) -> list[str]:
    """The rows that train and validate as a file, and the arguments that say so."""
    frames = [table.frame.iloc[table.rows[split]].assign(split=split) for split in ("train", "validation")]
    path = folder / f"{table.name}.csv"
    pd.concat(frames).to_csv(path, index=False)
    task = "regression" if table.is_regression else "classification"
    examples = min(EXAMPLES, sum(map(len, frames)))
    return [
        f"data.examples={examples}",
        *(f"data.path={path}", f"data.target='{table.target}'", "data.split_column=split", f"task={task}"),
        *("data.train=0.8", "data.validation=0.2", "trainer.num_threads=1", "trainer.enable_progress_bar=false"),
    ]


def markdown(cells: list[dict[str, Any]]) -> str:
    """A line for each variant: what its test loss is of the recipe's, by table."""
    test = {(one["variant"], one["table"]): float(one["test"]) for one in cells}
    names = [name for name in VARIANTS if any(variant == name for variant, _ in test)]
    tables = [name for name in TABLES if ("recipe", name) in test]
    lines = [f"| | {' | '.join(tables)} | **all** |", "|---" * (len(tables) + 2) + "|"]
    recipe = [f"{test['recipe', table]:.4g}" for table in tables]
    lines.append(f"| recipe | {' | '.join(recipe)} | |")
    for name in names[1:]:
        both = [table for table in tables if (name, table) in test]
        ratio = {table: test[name, table] / test["recipe", table] for table in both}
        shown = [f"{ratio[table] - 1:+.1%}" if table in ratio else "" for table in tables]
        mean = np.exp(np.mean(np.log(list(ratio.values())))) - 1
        lines.append(f"| {name} | {' | '.join(shown)} | {mean:+.1%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one core, for each cell")
    parser.add_argument("--only", nargs="*", help="names of variants")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    cells = list(csv.DictReader(asked.out.open())) if asked.out.exists() else []
    done, progress = {(one["variant"], one["table"]) for one in cells}, Progress()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only or VARIANTS:
            for each in TABLES:
                if (name, each) in done:
                    continue
                progress.say(f"{name}: {each}")
                table = read_table(asked.tables, each)
                if table.is_regression and name in OF_CLASSES:
                    continue
                found = measure(table, settings_of(table, Path(folder)), VARIANTS[name], asked.seconds)
                cells.append({"variant": name, "table": each, **found})
                with asked.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, list(cells[-1]))
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerow(cells[-1])
    print(markdown(cells))


if __name__ == "__main__":
    main()
