"""What scikit-learn's estimators gain or lose by the recipe for tables, on small tables: by cross-validation.

`RegularizedClassifier` and `RegularizedRegressor` search by the recipe, as they do from 500 rows on, and what
`search=bayes` tries by itself, in as many trials. Both ways have the same folds and seeds, and one network predicts. No
time is measured, so a busy machine gives the same figures. Printed is a line for each table: rows that train and
validate in a fold, then of both ways accuracy and log loss, or RMSE, each the mean over the folds.

    python benchmarks/estimators.py [--only NAME ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine, make_friedman1
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate

from progress import Progress
from ridgeline import RegularizedClassifier, RegularizedRegressor

TRIALS = 32
FOLDS = 3
TABLES: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast_cancer": lambda: load_breast_cancer(return_X_y=True),
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "friedman, 1000 rows": lambda: make_friedman1(1000, noise=1.0, random_state=0),
}
WAYS: dict[str, dict[str, Any]] = {
    "by the recipe": {"overrides": ["experiment=table"]},
    "without": {"network": "tabular"},
}


def figures(x: np.ndarray, y_N: np.ndarray, **given: Any) -> str:
    """Accuracy and log loss of classes, or the RMSE."""
    if np.issubdtype(y_N.dtype, np.integer):
        folds: Any = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        model, scoring = RegularizedClassifier(TRIALS, random_state=0, **given), ["accuracy", "neg_log_loss"]
    else:
        folds = KFold(FOLDS, shuffle=True, random_state=0)
        model, scoring = RegularizedRegressor(TRIALS, random_state=0, **given), ["neg_root_mean_squared_error"]
    found = cross_validate(model, x, y_N, cv=folds, scoring=scoring)
    return ", ".join(f"{abs(found[f'test_{name}'].mean()):.4g}" for name in scoring)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=TABLES, help="names of tables")
    progress, lines = Progress(), [f"| table | rows | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 2) + "|"]
    for name in parser.parse_args().only or TABLES:
        progress.say(name)
        x, y_N = TABLES[name]()
        found = [figures(x, y_N, **given) for given in WAYS.values()]
        lines.append(f"| {name} | {len(x) * (FOLDS - 1) // FOLDS} | {' | '.join(found)} |")
        print(lines[-1], flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
