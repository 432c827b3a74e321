"""What an ensemble of a study's own trials gains on tables, and how much of that the selection has only fitted.

Of each table a small study, and confirm.ensemble=true: the mean against the one network, of the winner's side and of
the baseline's, on the test split with paired intervals over seeds and test examples. And, from the trials' own
predictions alone: the gain on the validation examples that selected, and that on others, where one half of them selects
both the mean and the best network and the other half measures them, over 20 halvings; for several ways to select.
Writes benchmarks/results/ensembles.json after each table, and goes on where it ended; prints the tables of
docs/evidence.md. About half a minute a table on two cores.

    python benchmarks/ensembles.py --tables FOLDER
    python benchmarks/ensembles.py --tables FOLDER --only kc1 abalone
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ridgeline
from machine import describe_machine
from progress import Progress
from ridgeline.evaluation.ensemble import kept_of_study, predicted
from ridgeline.evaluation.measuring import measuring_of
from ridgeline.evaluation.selection import EACH, Loss, select

RESULTS = Path(__file__).parent / "results" / "ensembles.json"
TABLES = (
    *("blood_transfusion", "vehicle", "anneal", "credit_g", "concrete", "socmob", "car", "kc1"),
    *("segment", "kr_vs_kp", "abalone", "phoneme", "wine_quality", "mfeat_factors", "cpu_act"),
)
Way = Callable[[np.ndarray, np.ndarray, Loss], np.ndarray]
"""Shares of candidates, of what these tell of examples: see `select`."""
TRIALS, EPOCHS, SEEDS, HALVINGS = 24, 20, 5, 20
SPACE = {
    "regularization.l2": (1e-6, 1e-1, "log"),
    "regularization.dropout": (0.0, 0.6),
    "optimizer.lr": (3e-4, 3e-2, "log"),
}
BAGS = 10


def greedy(start: int, rounds: int) -> Way:
    return lambda told_MN, targets_N, loss: select(told_MN, targets_N, loss, start=start, rounds=rounds).shares_M


def of_bags(told_MN: np.ndarray, targets_N: np.ndarray, loss: Loss) -> np.ndarray:
    """The mean of the shares that are selected among random halves of the candidates."""
    draw, shares_M = np.random.default_rng(1), np.zeros(len(told_MN))
    for _ in range(BAGS):
        some = draw.choice(len(told_MN), max(2, len(told_MN) // 2), replace=False)
        shares_M[some] += select(told_MN[some], targets_N, loss).shares_M / BAGS
    return shares_M


def of_five(told_MN: np.ndarray, targets_N: np.ndarray, loss: Loss) -> np.ndarray:
    """The same share to each of the 5 best."""
    best = np.argsort([EACH[loss](own_N, targets_N).mean() for own_N in told_MN])[:5]
    return np.bincount(best, minlength=len(told_MN)) / len(best)


WAYS: dict[str, Way] = {
    "greedy, up to 5 at first, 20 rounds": greedy(5, 20),
    "5 rounds": greedy(5, 5),
    "100 rounds": greedy(5, 100),
    "1 at first": greedy(1, 20),
    "10 bags of half the trials": of_bags,
    "the 5 best, alike": of_five,
}


def measure(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """All that is measured of one table."""
    with tempfile.TemporaryDirectory(prefix="ensembles_") as runs:
        own = [f"trainer.max_epochs={EPOCHS}", "tracking.pictures=false", "trainer.enable_progress_bar=false"]
        study = ridgeline.search(
            str(folder / table["file"]), table["target"], n_trials=TRIALS, space=SPACE, overrides=own, runs=runs
        )
        halves = of_halves(study)
        record = study.confirm(ensemble=True, top=1, selection_seeds=2, seeds=SEEDS).record
        figure, ensemble = record["figure"], record["ensemble"]
        sides = {
            side: {
                "members": len(one["members"]),
                "validation": one["validation"],
                "single": record["arms"][side]["test"][figure]["mean"],
                "test": one["test"][figure]["mean"],
                "single_loss": record["arms"][side]["test"]["loss"]["mean"],
                "test_loss": one["test"]["loss"]["mean"],
                "gain": ensemble["gain"][side][figure],
                "gain_loss": ensemble["gain"][side]["loss"],
            }
            for side, one in ensemble["sides"].items()
        }
        size = sum(path.stat().st_size for path in study.folder.glob("jobs/*/weights.safetensors"))
        return {"figure": figure, "rows": table["rows"], "sides": sides, "halves": halves, "weights_bytes": size}


def of_halves(study: ridgeline.Study) -> dict[str, dict[str, float]]:
    """By way of selecting: relative gains in the loss, on the half that selected and on the other, and the size."""
    stored = study._stored
    config = stored.config_of(study.best.trial)
    measuring = measuring_of(config)
    pairs = [predicted(c.config, weights, None, measuring) for c, weights in kept_of_study(stored, config)]
    targets_N = pairs[0][1]
    is_number = measuring.task == "regression"
    told_MN = np.stack([p[:, 0] if is_number else p[np.arange(len(targets_N)), targets_N] for p, _ in pairs])
    return halved(told_MN, targets_N, "squared" if is_number else "log")


def halved(told_MN: np.ndarray, targets_N: np.ndarray, loss: Loss) -> dict[str, dict[str, float]]:
    """`told`: as of `select`."""
    draw, found = np.random.default_rng(0), dict[str, dict[str, float]]()
    halvings = [draw.permutation(len(targets_N)) for _ in range(HALVINGS)]
    for name, way in WAYS.items():
        gains, members = list[tuple[float, float]](), list[int]()
        for order_N in halvings:
            half = len(order_N) // 2
            for chooses, measures in ((order_N[:half], order_N[half:]), (order_N[half:], order_N[:half])):
                shares_M = way(told_MN[:, chooses], targets_N[chooses], loss)
                single = int(np.argmin([_loss(own_N, targets_N, chooses, loss) for own_N in told_MN]))
                mean_N = shares_M @ told_MN
                pair = [
                    1 - _loss(mean_N, targets_N, some, loss) / _loss(told_MN[single], targets_N, some, loss)
                    for some in (chooses, measures)
                ]
                gains.append((pair[0], pair[1]))
                members.append(int((shares_M > 0).sum()))
        inside, outside = np.mean(gains, axis=0)
        found[name] = {"selecting": float(inside), "others": float(outside), "members": float(np.mean(members))}
    return found


def _loss(told_N: np.ndarray, targets_N: np.ndarray, some: np.ndarray, loss: Loss) -> float:
    return float(EACH[loss](told_N[some], targets_N[some]).mean())


def rows_of(found: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    lines = ["| table | figure | networks | one | mean | difference (95%) | loss, one | loss, mean | of the baseline |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for name, one in found.items():
        best, figure = one["sides"]["best"], one["figure"]
        lines.append(
            f"| {name} | {figure} | {best['members']} | {_shown(best['single'], figure)}"
            f" | {_shown(best['test'], figure)} | {_interval(best['gain'], figure)} | {best['single_loss']:.4f}"
            f" | {best['test_loss']:.4f} | {_of_baseline(one)} |"
        )
    lines += ["", "| selection | networks | gain where it selects | gain elsewhere | least gain of a table |"]
    lines += ["|---|---|---|---|---|"]
    for way in WAYS:
        own = [one["halves"][way] for one in found.values()]
        means = {key: np.mean([one[key] for one in own]) for key in ("members", "selecting", "others")}
        least = min(one["others"] for one in own)
        lines.append(
            f"| {way} | {means['members']:.1f} | {means['selecting']:+.1%} | {means['others']:+.1%} | {least:+.0%} |"
        )
    return "\n".join(lines)


def _of_baseline(one: Mapping[str, Any]) -> str:
    return _interval(one["sides"]["baseline"]["gain"], one["figure"]) if "baseline" in one["sides"] else "-"


def _shown(value: float, figure: str) -> str:
    return f"{value:.2%}" if figure == "error" else f"{value:.4g}"


def _interval(gain: Mapping[str, float], figure: str) -> str:
    scale, form = (100, "+.2f") if figure == "error" else (1, "+.3g")
    mean, low, high = (format(scale * gain[key], form) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder with index.json and the tables")
    parser.add_argument("--only", nargs="+", default=list(TABLES), help="names of tables")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    known = {table["name"]: table for table in json.loads((given.tables / "index.json").read_text())}
    content = json.loads(given.out.read_text()) if given.out.exists() else {"tables": {}}
    content["settings"] = {"trials": TRIALS, "epochs": EPOCHS, "seeds": SEEDS, "halvings": HALVINGS}
    content["machine"] = describe_machine()
    progress = Progress()
    for name in given.only:
        if name not in content["tables"]:
            progress.say(name)
            content["tables"][name] = measure(known[name], given.tables)
            given.out.write_text(json.dumps(content, indent=1) + "\n")
    progress.clear()
    print(rows_of(content["tables"]))


if __name__ == "__main__":
    main()
