"""How often does confirm say that regularization helps where it cannot: the false-positive rate.

Small studies, each through the sweeper, the stack launcher and confirm, test split included; each has labels, a split
and a search of its own. A right test says `helps` in 2.5% of them and `harms` in as many.

- noise: labels that are dealt out at random (data.permute_labels, every class keeps its share), half of them on digits,
  half on two moons, l2 and dropout searched.
- widths of noise: the same on digits, and the network's width is searched too.
- numbers of noise: targets of regression that are dealt out at random, half of them of diabetes, half of friedman. Here
  regularization does help: nothing beats the mean, and what draws predictions towards it lowers their squared error.
- numbers of noise, next to no l2: the same with an l2 too weak to draw them anywhere.
- widths: two moons that a single hidden unit cannot tell apart and 32 can, with an l2 too weak to matter.
- scales: 150 digits that train well when they are standardized and badly when not, with an l2 too weak to matter.
- regularizers of noise: as noise, with four regularizers on in every trial, and confirm.leave_one_out: how many of them
  are said to earn their place, or to help alone.
- modules of noise: LightningModules with classes that are dealt out at random, 8 trials. The errors of test examples
  are known of them.
- modules of noise, seeds alone: the same, of which only what `test_step` logs is known: the verdict is by an interval
  over seeds.
- groups of noise: tables of 40 groups of 24 rows. A group has its own place among the features and its own share of the
  classes, both drawn at random, so that of a new group nothing can be known; with data.group_on. Beside its verdict is
  that of an interval over rows, from the same predictions: what it would be if the rows were taken for independent.

In `widths` and `scales` the search gains much, and none of it by regularization. Takes about 20 minutes on two idle
cores.

    python benchmarks/false_positives.py
    python benchmarks/false_positives.py --quick
    python benchmarks/false_positives.py --kind "numbers of noise"
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inprocess import Studies, studies
from machine import describe_machine
from progress import Progress
from ridgeline.command_line.arguments import with_targets
from ridgeline.data.test_split import confirming, open_test_split
from ridgeline.evaluation.confirm import confirm_study
from ridgeline.evaluation.confirm_folder import RECORD, read_predictions
from ridgeline.evaluation.statistics import estimate
from ridgeline.evaluation.stored import CONFIRMED, open_study
from ridgeline.evaluation.verdict import HARMS, HELPS, NOTHING_SHOWN
from ridgeline.search.ranking import best_settings, ran

OUT = Path(__file__).resolve().parent / "results" / "false_positives.json"
SHORT = ["trainer.max_epochs=8", "search=bayes", "search.n_trials=16", "search.n_startup_trials=8"]
NOISE = ["data.permute_labels=true", *SHORT]
WEAK = ["regularization.l2=tag(log,interval(1e-9,1e-7))", "regularization.dropout=0"]
NUMBERS = ["data.examples=200", "network.hidden=[32]"]
DIGITS = ["data=digits", "data.examples=200"]
FOUR = ["regularization.l2=tag(log,interval(1e-5,1e-1))", "regularization.dropout=interval(0.05,0.5)"]
FOUR += ["regularization.label_smoothing=interval(0.01,0.2)", "regularization.input_noise=interval(0.05,0.5)"]
GROUPS = ["data=table", "data.path={table}", "data.target=label", "network.hidden=[32]", *SHORT]
MODULES = ["data._target_=noise_modules.Noise", "tracking.allowed_targets=[noise_modules.]", "trainer.max_epochs=4"]
MODULES += ["metric=val/acc", "search.direction=maximize", "search=bayes", "search.n_trials=8"]
MODULES += ["search.n_startup_trials=4", "trainer.accelerator=cpu"]
KINDS: dict[str, tuple[int, list[list[str]]]] = {
    "noise": (
        100,
        [
            [*DIGITS, "network.hidden=[32]", *NOISE],
            ["data=moons", "data.examples=600", "network.hidden=[32]", *NOISE],
        ],
    ),
    "widths of noise": (100, [[*DIGITS, "network.hidden=[8],[64]", *NOISE]]),
    "numbers of noise": (
        100,
        [[data, *NUMBERS, *NOISE] for data in ("data=diabetes", "data=friedman")],
    ),
    "numbers of noise, next to no l2": (
        100,
        [[data, *NUMBERS, *WEAK, *NOISE] for data in ("data=diabetes", "data=friedman")],
    ),
    "widths": (
        20,
        [["data=moons", "data.examples=600", "network.hidden=[1],[32]", "optimizer.lr=0.02", *WEAK, *SHORT]],
    ),
    "scales": (20, [["data=digits", "data.examples=150", "data.standardize=none,all", *WEAK, *SHORT]]),
    "regularizers of noise": (
        40,
        [
            [*DIGITS, "network.hidden=[32]", *FOUR, *NOISE],
            ["data=moons", "data.examples=600", "network.hidden=[32]", *FOUR, *NOISE],
        ],
    ),
    "modules of noise": (40, [["model._target_=noise_modules.Lit", *MODULES]]),
    "modules of noise, seeds alone": (40, [["model._target_=noise_modules.Unseen", *MODULES]]),
    "groups of noise": (100, [[*GROUPS, "data.group_on=group"]]),
}
"""By name: how many studies, and their arguments by turns."""
LEFT_OUT = "regularizers of noise"
SETTINGS = {"top": 3, "selection_seeds": 3, "seeds": 10}


def write_table(path: Path, number: int, groups: int = 40, rows: int = 24) -> None:
    """A row's features are its group's, and some of its own; its label is drawn by its group's share."""
    draw = np.random.default_rng(number)
    group_N = np.repeat(np.arange(groups), rows)
    x_NI = draw.standard_normal((groups, 6))[group_N] + 0.25 * draw.standard_normal((len(group_N), 6))
    is_one_N = draw.random(len(group_N)) < draw.beta(0.5, 0.5, groups)[group_N]
    columns = {f"x{i}": x_NI[:, i] for i in range(6)}
    frame = pd.DataFrame({**columns, "group": [f"g{g}" for g in group_N], "label": np.where(is_one_N, "yes", "no")})
    frame.to_csv(path, index=False)


def verdict_over_rows(study: Path) -> str:
    """What the verdict of a study of classes is if each test row is taken for one that was drawn by itself."""
    targets_N, by_network = read_predictions(study)
    wrong = {name: (own_SNC.argmax(2) != targets_N).astype(float) for name, own_SNC in by_network.items()}
    found = estimate(wrong["best"] - wrong["baseline"])
    return HELPS if found.high < 0 else HARMS if found.low > 0 else NOTHING_SHOWN


def verdict_of(made: Studies, arguments: list[str], number: int, *, leave_one_out: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def inspect(runs: Path) -> None:
        (folder,) = runs.glob("studies/*")
        asked = replace(made.plans[0].config, runs=str(runs))
        stored = open_study(asked, folder.name)
        trials = [setting.trial for setting in best_settings(ran(stored.study), stored.study.direction)]
        settings = replace(asked.confirm, **SETTINGS, leave_one_out=leave_one_out)
        with confirming(), contextlib.redirect_stderr(io.StringIO()):
            confirm_study(stored, settings, open_test_split, say=lambda words: None)
        record = json.loads((folder / CONFIRMED / RECORD).read_text())
        error = record["difference"][record["figure"]]
        found.update(word=record["verdict"]["word"], difference=error["mean"], p_value=error["p_value"])
        found.update(best=trials[0].value, worst=trials[-1].value)
        if leave_one_out:
            kept = ("adjusted_p", "word")
            found["regularizers"] = {
                one["key"]: {
                    kind: {"p_value": one[kind]["gain"]["p_value"], **{name: one[kind][name] for name in kept}}
                    for kind in ("without", "alone")
                }
                for one in record["ablation"]["regularizers"]
            }
        if "groups" in record["difference"]:
            found.update(over_rows=verdict_over_rows(folder))

    seeds = [f"data.seed={number}", f"seed={number}", f"search.seed={number}"]
    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "noise.csv"
        write_table(table, number)
        typed = [*(word.replace("{table}", str(table)) for word in arguments), *seeds]
        made.run(*with_targets(typed), inspect=inspect)
    return {"data": arguments[0], **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="two studies of each, to see whether all runs")
    parser.add_argument("--kind", choices=list(KINDS), help="only this one; what is known of the others is kept")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    progress, rows = Progress(), dict[str, list[dict[str, Any]]]()
    if args.kind and args.out.exists():
        rows = json.loads(args.out.read_text())["studies"]
    with studies([]) as made:
        for kind in [args.kind] if args.kind else KINDS:
            (count, arguments), rows[kind] = KINDS[kind], []
            for number in range(2 if args.quick else count):
                progress.say(f"{kind}, study {number + 1} of {count}: {dict(tally(rows[kind]))}")
                rows[kind].append(
                    verdict_of(made, arguments[number % len(arguments)], number, leave_one_out=kind == LEFT_OUT)
                )
                if not args.quick:
                    args.out.write_text(json.dumps(report(rows), indent=1) + "\n")
    progress.clear()
    for kind, own in rows.items():
        below = sum(row["p_value"] < 0.05 for row in own)
        print(f"{kind}: {len(own)} studies: {dict(tally(own))}; p < 0.05 in {below}")
        if any("over_rows" in row for row in own):
            print(f"{kind}, the same by rows: {dict(Counter(row['over_rows'] for row in own))}")
        for each in ("without", "alone"):
            said = [one[each] for row in own for one in row.get("regularizers", {}).values()]
            if said:
                below = sum(one["p_value"] < 0.05 for one in said)
                words = dict(Counter(one["word"] for one in said))
                print(f"{kind}, {each}: {len(said)} regularizers: {words}; p < 0.05 before correction in {below}")


def tally(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["word"] for row in rows)


def report(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    verdicts = {kind: dict(tally(own)) for kind, own in rows.items()}
    return {"machine": describe_machine(), "settings": SETTINGS, "verdicts": verdicts, "studies": rows}


if __name__ == "__main__":
    main()
