"""What each choice of conf/experiment/table.yaml is worth: the recipe, and the recipe with one choice changed.

Each variant searches a table for as many seconds of one core (of CPU, so that other work on the machine is nothing to
it), in stacks of four trials that Optuna's TPE asks for, as a study does without its store. A stack that takes longer
than what is left does not count, but for the first. Large tables are cut to 3,000 rows of train and validation, so that
the seconds buy for them what a minute buys for a table of 30,000. The figure is the test loss, log loss or mean squared
error, of the trials' ensemble, and `alone` that of the best trial by validation. Printed is each as a change from that
of the recipe with the same seeds, and the geometric mean over the tables. These are open tables; the recipe is chosen
over all of them. `--out` gets each cell when it is done, and a second start does what it lacks.

    python benchmarks/table_recipe.py --tables FOLDER [--out FILE.csv] [--seconds 8] [--seeds 0 1] [--only VARIANT ...]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
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
from ridgeline.evaluation.candidates import Candidate
from ridgeline.evaluation.ensemble import choose
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.evaluation.measuring import measuring_of
from ridgeline.search.conditions import values_of
from ridgeline.search.sampling import ask
from ridgeline.search.space import Dimension, dimension
from ridgeline.stack.records import FitResult

TABLES = ("vehicle", "segment", "kc1", "phoneme", "jungle_chess", "socmob", "cpu_act", "houses")
EXAMPLES = 3000
RESULTS = Path(__file__).parent / "results" / "table_recipe.csv"
BEST = 3
STACK = 4


@dataclass(frozen=True)
class Variant:
    """What it changes of the recipe: settings of all trials, and of the space; None takes a key out of that.

    `enqueues`: whether the recipe's first trials are asked first.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    space: dict[str, str | None] = field(default_factory=dict)
    enqueues: bool = True


REGULARIZERS = tuple(f"regularization.{name}" for name in ("l2", "dropout", "mixup", "weight_average"))
EARLIER_FIRST = [
    dict(zip(("optimizer.lr", *REGULARIZERS), values, strict=True))
    for values in ((3e-3, 0, 0, 0, 0), (1.2e-2, 0, 0, 0, 0), (1.2e-2, 0, 0, 0, 0.98), (5e-3, 1e-5, 0.1, 0, 0.98))
]
"""Set trials that the recipe had: more that regularize nothing, and none with mixup."""
OF_CLASSES = ("with label_smoothing",)
VARIANTS = {
    "recipe": Variant(),
    "numbers piecewise alone": Variant({"network.numeric": "piecewise"}),
    "l2 to 0.01": Variant({}, {"regularization.l2": "choice(0, 1e-5, 1e-4, 1e-3, 1e-2)"}),
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
        {"network.numeric": "piecewise", "trainer.max_epochs": 30, "trainer.batch_size": 128},
        {
            **dict.fromkeys((*REGULARIZERS, "optimizer.lr")),
            "regularization.l2": "tag(log, interval(1e-6, 1e-1))",
            "regularization.dropout": "interval(0.0, 0.7)",
        },
        enqueues=False,
    ),
    "no first trials": Variant(enqueues=False),
    "earlier first trials": Variant({"search.enqueue": EARLIER_FIRST}),
    "no regularizer": Variant({}, dict.fromkeys(REGULARIZERS)),
    **{f"without {key.split('.')[1]}": Variant({}, {key: None}) for key in REGULARIZERS},
    "with label_smoothing": Variant({}, {"regularization.label_smoothing": "choice(0, 0.05)"}),
    "with input_dropout": Variant({}, {"regularization.input_dropout": "choice(0, 0.05, 0.1)"}),
}


def measure(
    table: Table,
    given: list[str],
    variant: Variant,
    seconds: float,
    of: str = "table",
    *,
    seed: int = 0,
    losses: Callable[[Table, list[FitResult]], dict[str, float]] | None = None,
) -> dict[str, Any]:
    """The test loss, and what else is known of one cell.

    `of`: the experiment that the variant changes. `losses`: of the trials, the best one first; without it the mean of
    the three best.
    """
    tree = as_tree(compose([f"experiment={of}", *given]))
    for key, value in variant.settings.items():
        _set(tree, key, value)
    texts = {**tree["search"]["params"], **variant.space}
    space = [_dimension(key, text) for key, text in texts.items() if text is not None]
    splits = load_splits(parse(tree).data)
    study, ended = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * STACK)), []
    for first in tree["search"]["enqueue"] if variant.enqueues else ():
        values = {d.key: first[d.key] for d in space if d.key in first}
        study.enqueue_trial(
            {n: v for d in space for n, v in d.params(values.get(d.key, 0)).items()}, skip_if_exists=True
        )
    began = time.process_time()
    while time.process_time() - began < seconds:
        trials = [ask(study, space) for _ in range(STACK)]
        asked = [_configured(tree, values_of(trial.params), 1000 * seed + trial.number) for trial in trials]
        found = fit(asked, splits)
        for trial, one in zip(trials, found, strict=True):
            study.tell(trial, None if one.failure else one.value, skip_if_finished=True, state=_state(one))
        spent = time.process_time() - began
        ended += [one for one in found if not one.failure and (spent <= seconds or not ended)]
    best = sorted(ended, key=lambda one: one.value)
    epochs = np.median([one.epochs for one in ended])
    return {
        **(losses or _of_best)(table, best),
        "validation": best[0].value,
        "trials": len(ended),
        "epochs": float(epochs),
        "seconds": round(spent, 1),
        "best": {d.key.split(".")[1]: round(_get(as_tree(best[0].config), d.key), 5) for d in space},
    }


def _of_best(table: Table, fits: list[FitResult]) -> dict[str, float]:
    return {"test": float(np.mean([_test_loss(table, [one]) for one in fits[:BEST]]))}


def _of_ensemble(table: Table, fits: list[FitResult]) -> dict[str, float]:
    """Of the ensemble, and of the best network by validation alone."""
    return {"test": _test_loss(table, fits), "alone": _test_loss(table, fits[:1])}


def _state(one: FitResult) -> optuna.trial.TrialState:
    return optuna.trial.TrialState.FAIL if one.failure else optuna.trial.TrialState.COMPLETE


def _test_loss(table: Table, fits: list[FitResult]) -> float:
    """Of the ensemble of these fits that is best on validation."""
    trained = {n: (Candidate(one.config, n, {}, one.value), one.weights) for n, one in enumerate(fits)}
    chosen = choose(trained.values(), measuring_of(fits[0].config))
    assert chosen is not None
    fitted = [_fitted(fits[one.trial or 0]) for one in chosen.members]
    rows = table.frame.iloc[table.rows["test"]].reset_index(drop=True)
    each = np.stack([one.predict(rows) for one in fitted])
    predicted = np.average(each, axis=0, weights=chosen.shares)
    truth = table.numbers_of("test")
    if table.is_regression:
        return float(np.mean((predicted - truth) ** 2))
    names = {name: place for place, name in enumerate(fitted[0].class_names)}
    places = np.array([names[name] for name in table.classes])
    return float(-np.log(np.clip(predicted[np.arange(len(truth)), places[truth]], 1e-6, 1)).mean())


def _fitted(one: FitResult) -> Any:
    found = fitted_of(one.config, one.weights)
    assert found is not None
    return found[0]


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


def markdown(cells: list[dict[str, Any]], figure: str = "test") -> str:
    """A line for each variant: what its test loss is of the recipe's with the same seeds, by table."""
    loss = {(one["variant"], one["table"], int(one["seed"])): float(one[figure]) for one in cells}
    names = [name for name in VARIANTS if any(variant == name for variant, _, _ in loss)]
    tables = [name for name in TABLES if any(key[:2] == ("recipe", name) for key in loss)]
    lines = [f"| | {' | '.join(tables)} | **all** |", "|---" * (len(tables) + 2) + "|"]
    recipe = [_mean([loss[key] for key in loss if key[:2] == ("recipe", table)]) for table in tables]
    lines.append(f"| recipe | {' | '.join(f'{mean:.4g}' for mean in recipe)} | |")
    for name in names[1:]:
        by_table = {}
        for table in tables:
            seeds = [
                seed for variant, of, seed in loss if (variant, of) == (name, table) and ("recipe", of, seed) in loss
            ]
            if seeds:
                by_table[table] = _mean([loss[name, table, seed] / loss["recipe", table, seed] for seed in seeds])
        shown = [f"{by_table[table] - 1:+.1%}" if table in by_table else "" for table in tables]
        lines.append(f"| {name} | {' | '.join(shown)} | {_mean(list(by_table.values())) - 1:+.1%} |")
    return "\n".join(lines)


def _mean(values: list[float]) -> float:
    """The geometric one."""
    return float(np.exp(np.mean(np.log(values))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="the folder with the tables and index.json")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one core, for each cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the search and the networks")
    parser.add_argument("--only", nargs="*", help="names of variants")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    cells = list(csv.DictReader(asked.out.open())) if asked.out.exists() else []
    done, progress = {(one["variant"], one["table"], int(one["seed"])) for one in cells}, Progress()
    asked_of = [(name, each, seed) for name in asked.only or VARIANTS for seed in asked.seeds for each in TABLES]
    with tempfile.TemporaryDirectory() as folder:
        for name, each, seed in asked_of:
            table = read_table(asked.tables, each)
            if (name, each, seed) in done or (table.is_regression and name in OF_CLASSES):
                continue
            progress.say(f"{name}: {each}, seed {seed}")
            given = settings_of(table, Path(folder))
            found = measure(table, given, VARIANTS[name], asked.seconds, seed=seed, losses=_of_ensemble)
            cells.append({"variant": name, "table": each, "seed": seed, **found})
            with asked.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, list(cells[-1]))
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(cells[-1])
    print(markdown(cells), markdown(cells, "alone"), sep="\n\nThe best trial by validation alone:\n\n")


if __name__ == "__main__":
    main()
