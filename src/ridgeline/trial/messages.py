"""The first and the last words of a single run. The first are printed before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ridgeline.config import Config
from ridgeline.config.deciding import is_trained
from ridgeline.tasks.figures import shown
from ridgeline.tracking.address import look_at_run
from ridgeline.tracking.names import run_place


def opening_words(config: Config, arguments: Sequence[str], job_dir: str) -> str:
    """One line: what trains, for how long, with which settings, into which folder. `arguments`: as they were typed."""
    what = f"{config.network_name} on {config.data.title}"
    if config.debug is not None:
        return f"Checking {config.debug} of {what}; nothing is written"
    kind = "Training" if config.trainer.ckpt_path is None else "Going on to train"
    epochs = "1 epoch" if config.trainer.max_epochs == 1 else f"at most {config.trainer.max_epochs} epochs"
    tried = [argument for argument in arguments if is_trained(argument) and "max_epochs" not in argument]
    given = f", with {' '.join(tried)}" if tried else ""
    return f"{kind} {what}, {epochs}{given}, into {job_dir}"


def closing_words(config: Config, outcome: Mapping[str, Any]) -> str:
    """Its numbers, where they are, how to look at them. `outcome`: a `ridgeline.trial.run.Outcome`."""
    final = outcome["metrics"]
    if config.model is not None:
        return "\n".join(["", f"{config.metric}: {outcome['value']:.6g}", *_where(config, outcome)])
    rows, folds, values = list[str](), config.data.n_folds, list[str]()
    for name in ("loss", *config.measured("val")):
        train, validation = (shown(name, final[f"final/{split}_{name}"]) for split in ("train", "val"))
        rows.append(f"{name:12}{train:>10} {validation:>11}")
    if folds > 1:
        error = f"{config.metric} {outcome['value']:.4f}, standard error {final['final/metric_se']:.4f}"
        values = [f"Means over {folds} folds: {error}; epochs are the medians."]
    return "\n".join(
        [
            "",
            f"{'':12}{'train':>10}{'validation':>12}",
            *rows,
            *values,
            *_where(config, outcome),
        ]
    )


def _where(config: Config, outcome: Mapping[str, Any]) -> list[str]:
    kept = "best" if config.trainer.restore_best else "last"
    return [
        f"Weights of epoch {outcome['best_epoch']}, the {kept} of {outcome['epochs']} by {config.metric};"
        f" trained in {outcome['seconds']:.1f} s.",
        f"Files: {outcome['job_dir']}",
        f"Run:   {run_place(Path(outcome['job_dir']))}, in MLflow's experiment {config.tracking.experiment}",
        f"Look:  {look_at_run(config, outcome['run_id'])}",
    ]
