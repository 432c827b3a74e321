"""The folder `confirm` of a study, written and read: the record, weights, curves and predictions of both networks."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import Tensor

from ridgeline.command_line.outputs import json_text
from ridgeline.config import Config, as_tree
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.evaluation.arms import Arm
from ridgeline.evaluation.confirmation import Confirmation
from ridgeline.evaluation.stored import CONFIRMED
from ridgeline.report.facts import Boundary, Confirmed, Examples, History
from ridgeline.tasks.figures import BESIDE

RECORD = "confirm.json"


def write(found: Confirmation, record: dict[str, Any], folder: Path) -> list[Path]:
    """Write all files, `confirm.json` with the `record` last, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, dict[str, Tensor]] = {name: arm.fits[0].weights for name, arm in found.arms.items()}
    predicted = {f"{name}_SNC": torch.from_numpy(own.predictions_SNC) for name, own in found.opened.measured.items()}
    tensors["predictions"] = {"targets_N": torch.from_numpy(found.opened.targets_N), **predicted}
    if found.opened.sample.groups_N is not None:
        tensors["predictions"]["groups_N"] = torch.from_numpy(found.opened.sample.groups_N)
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
    """Write the numbers for DVC, without times and paths: the same study on the same machine gives the same bytes."""
    record, difference, figure = found.record, found.record["difference"], found.record["figure"]
    content = {
        "study": record["study"],
        "verdict": record["verdict"]["word"],
        "off": record["off"],
        "failed_fits": sum(lost["failed"] for lost in record["lost"]),
        "difference": {"test": difference["test"], **_named("test", difference, figure)},
        **({"ablation": record["ablation"]} if "ablation" in record else {}),
        **{
            name: {
                **_named("test", arm["test"], figure),
                **_named("train", arm.get("train", {}), figure),
                **{key: arm["test"][key] for key in BESIDE if key in arm["test"]},
                **{key: arm[key] for key in ("gap", "sparsity", "epochs", "params") if key in arm},
            }
            for name, arm in record["arms"].items()
        },
    }
    if "ensemble" in record:
        content["ensemble"] = {side: _of_ensemble(record["ensemble"], side, figure) for side in found.ensembles}
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_json(path, content)
    _write_curves(found, path.with_suffix(".csv"))


def _of_ensemble(ensemble: dict[str, Any], side: str, figure: str) -> dict[str, Any]:
    own = ensemble["sides"][side]
    return {
        "members": len(own["members"]),
        **_named("test", own["test"], figure),
        **_named("gain", ensemble["gain"][side], figure),
    }


def _named(part: str, measured: dict[str, Any], figure: str) -> dict[str, Any]:
    """Figure and loss by longer names: DVC takes any key `error` for a file that could not be read."""
    return {f"{part}_{name}": measured[name] for name in (figure, "loss") if name in measured}


def _write_curves(found: Confirmation, path: Path) -> None:
    """Train and validation loss by epoch, the mean over the seeds of the choice, as long as all of them train; of a
    module the metric of the study."""
    columns: dict[str, list[float]] = {}
    metric, config = found.record["metric"], found.chosen["best"].config
    shown = {"train": "train/loss", "val": "val/loss"} if config.model is None else {metric: metric}
    for name, candidate in found.chosen.items():
        histories = [result.history for result in candidate.results]
        for part, key in shown.items():
            columns[f"{name} {part}"] = [
                float(np.mean([row.get(key, np.nan) for row in rows])) for rows in zip(*histories, strict=False)
            ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", *columns])
        writer.writerows([epoch, *row] for epoch, row in enumerate(itertools.zip_longest(*columns.values()), start=1))


def _tree(config: Config) -> dict[str, Any]:
    """What `parse` takes, without what decides no numbers; where the user's own modules lie is needed to read it."""
    tree: dict[str, Any] = as_tree(config)
    return {key: value for key, value in tree.items() if key == "import_path" or key not in NOT_TRAINED}


def _seconds(arm: Arm) -> float:
    return round(float(np.mean([fit.seconds for fit in arm.fits])), 3)


def _write_json(path: Path, content: Any) -> Path:
    path.write_text(json_text(content))
    return path


def read_confirmed(study: Path) -> Confirmed | None:
    """None if the study in this folder is not confirmed."""
    folder = study / CONFIRMED
    if not (folder / "confirm.json").exists():
        return None
    record = json.loads((folder / "confirm.json").read_text())
    return Confirmed(record, _boundary(folder), _examples(folder))


def read_curves(study: Path) -> dict[str, list[History]]:
    """The curves of best and baseline, one for each seed; empty if the study is not confirmed."""
    path = study / CONFIRMED / "curves.json"
    found: dict[str, list[History]] = json.loads(path.read_text()) if path.exists() else {}
    return {name: [[_finite(row) for row in rows] for rows in histories] for name, histories in found.items()}


def _finite(row: Mapping[str, float | None]) -> dict[str, float]:
    """The row without what was no finite number, for which JSON has null."""
    return {key: value for key, value in row.items() if value is not None}


def read_weights(path: Path) -> np.ndarray:
    """The entries of all weights of a network's layers in one row: no biases and norms, which have one axis."""
    matrices = [values.ravel() for name, values in load_file(path).items() if "weight" in name and values.ndim > 1]
    return np.concatenate(matrices) if matrices else np.empty(0, np.float32)


def read_predictions(study: Path) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]:
    """Targets (N,) of the test examples; of each network what its seeds predict, (S, N, C) as in `Measured`; and the
    group of each example, where they are in groups."""
    held = load_file(study / CONFIRMED / "predictions.safetensors")
    by_network = {name: held[f"{name}_SNC"] for name in ("best", "baseline") if f"{name}_SNC" in held}
    return held["targets_N"], by_network, held.get("groups_N")


def weights_of(study: Path, network: str) -> Path:
    """The file with the weights of `best` or `baseline`, of the first seed."""
    return study / CONFIRMED / f"{network}.safetensors"


def _boundary(folder: Path) -> Boundary | None:
    path = folder / "boundary.safetensors"
    return Boundary(**load_file(path)) if path.exists() else None


def _examples(folder: Path) -> Examples | None:
    path = folder / "examples.safetensors"
    if not path.exists():
        return None
    held = load_file(path)
    n_channels, height, width = (1, *map(int, held.pop("image_shape")))[-3:]  # once it was (H, W), of one channel
    return Examples(**held, shape=(n_channels, height, width))
