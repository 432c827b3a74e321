"""What confirm leaves in the study's folder, and the words that it ends with."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ridgeline.command_line.numbers import number
from ridgeline.config import Config, as_tree
from ridgeline.evaluation.arms import BASELINE, BEST, Arm
from ridgeline.evaluation.confirm import Confirmation
from ridgeline.evaluation.json_text import json_text

FOLDER = "confirm"
RECORD = "confirm.json"


def write(found: Confirmation, record: dict[str, Any], folder: Path) -> list[Path]:
    """All of it, `record` last as `confirm.json`; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, dict[str, Tensor]] = {name: arm.fits[0].weights for name, arm in found.arms.items()}
    predicted = {f"{name}_SNC": torch.from_numpy(own.probabilities_SNC) for name, own in found.opened.measured.items()}
    tensors["predictions"] = {"labels_N": torch.from_numpy(found.opened.labels_N), **predicted}
    tensors |= found.opened.pictures
    paths = []
    for name, content in tensors.items():
        paths.append(folder / f"{name}.safetensors")
        save_file({key: tensor.contiguous() for key, tensor in content.items()}, paths[-1])
    curves = {name: [r.history for r in c.results] for name, c in found.chosen.items()}
    paths.append(_write_json(folder / "curves.json", curves))
    paths.append(_write_json(folder / RECORD, record))
    return paths


def whole_record(found: Confirmation, made: dict[str, Any]) -> dict[str, Any]:
    """`confirm.json`: what was found, the configurations as they were retrained, the data, how it was made."""
    record = dict(found.record)
    record["arms"] = {
        name: {**found.record["arms"][name], "config": _tree(arm.config), "seconds_per_fit": _seconds(arm)}
        for name, arm in found.arms.items()
    }
    record["data"] = {**found.data.__dict__, "examples": found.data.examples._asdict()}
    return {**record, "made": {**made, "seconds": found.record["cost"]["seconds"]}}


def write_summary(found: Confirmation, path: Path) -> None:
    """The numbers without times and paths: the same study on the same machine gives the same bytes, as DVC wants it."""
    record, difference = found.record, found.record["difference"]
    content = {
        "study": record["study"],
        "verdict": record["verdict"]["word"],
        "off": record["off"],
        "failed_fits": sum(lost["failed"] for lost in record["lost"]),
        "difference": {"test": difference["test"], **_named("test", difference)},
        **{
            name: {
                **_named("test", arm["test"]),
                **_named("train", arm["train"]),
                "ece": arm["test"]["ece"],
                **{key: arm[key] for key in ("gap", "sparsity", "epochs", "params")},
            }
            for name, arm in record["arms"].items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_json(path, content)
    _write_curves(found, path.with_suffix(".csv"))


def _named(part: str, measured: dict[str, Any]) -> dict[str, Any]:
    """Error and loss by longer names: DVC takes any key `error` for a file that could not be read."""
    return {f"{part}_{name}": measured[name] for name in ("error", "loss")}


def _write_curves(found: Confirmation, path: Path) -> None:
    """Train and validation loss by epoch, the mean over the seeds of the choice, as long as all of them train."""
    columns: dict[str, list[float]] = {}
    for name, candidate in found.chosen.items():
        histories = [result.history for result in candidate.results]
        for part in ("train", "val"):
            columns[f"{name} {part}"] = [
                float(np.mean([row[f"{part}/loss"] for row in rows])) for rows in zip(*histories, strict=False)
            ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", *columns])
        writer.writerows([epoch, *row] for epoch, row in enumerate(itertools.zip_longest(*columns.values()), start=1))


def closing_words(record: dict[str, Any]) -> str:
    """The verdict, the two beside each other, how often the test split was opened."""
    rows = [f"{'':26}{'best':>30}{'baseline':>30}"]
    arms = [record["arms"][name] for name in (BEST, BASELINE)]
    for title, get, style in (
        ("test error", lambda arm: arm["test"]["error"], ".2%"),
        ("test loss", lambda arm: arm["test"]["loss"], ".4f"),
        ("gap (test - train loss)", lambda arm: arm["gap"], ".4f"),
    ):
        cells = [f"{e['mean']:{style}} ({e['low']:{style}} to {e['high']:{style}})" for e in map(get, arms)]
        rows.append(f"{title:26}{cells[0]:>30}{cells[1]:>30}")
    rows.append(f"{'calibration error (ECE)':26}{arms[0]['test']['ece']:>24.4f}{arms[1]['test']['ece']:>24.4f}")
    rows.append(f"{'epochs':26}{arms[0]['epochs']:>30}{arms[1]['epochs']:>30}")
    for name, arm in record["arms"].items():
        shown = ", ".join(f"{key}={number(value)}" for key, value in arm["params"].items())
        rows.append(f"{name}: {shown}")
    lost = [one["sentence"] for one in record["lost"]]
    return "\n".join([record["verdict"]["sentence"], *lost, "", *rows, *_off(record), "", *_opening(record["opening"])])


def _opening(opening: dict[str, Any]) -> list[str]:
    """How often the test split was opened, and whether it was for this."""
    reused = f" These are the predictions of {opening['when']}, used again." if opening["reused"] else ""
    if opening["number"] == 1:
        return [f"The test split was opened for the first time, on {opening['when']}.{reused}"]
    last = opening["earlier"][-1]
    return [
        f"This test split was opened {opening['number']} times now, last on {last['when']} for {last['study']}:"
        f" what was decided in between may have been fitted to it.{reused}"
    ]


def _off(record: dict[str, Any]) -> list[str]:
    """What sets the two apart, and what does not though it may be thought to."""
    if not record["off"]:
        return []
    shown = ", ".join(f"{key}={number(value)}" for key, value in record["off"].items())
    stays = "; early stopping is on for both" if record["early_stopping"] else ""
    return [f"Off in the baseline: {shown}{stays}."]


def _tree(config: Config) -> dict[str, Any]:
    """What `parse` takes, without what decides no numbers."""
    tree: dict[str, Any] = as_tree(config)
    return {
        key: value
        for key, value in tree.items()
        if key not in ("search", "tracking", "trial", "runs", "confirm", "case_study")
    }


def _seconds(arm: Arm) -> float:
    return round(float(np.mean([fit.seconds for fit in arm.fits])), 3)


def _write_json(path: Path, content: Any) -> Path:
    path.write_text(json_text(content))
    return path
