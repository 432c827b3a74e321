"""What was measured when the test split was opened. It is kept, so that the same two networks need not open it again.

S seeds, N examples, C classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ridgeline.command_line.outputs import draft_of
from ridgeline.config import DataConfig, as_tree
from ridgeline.config.deciding import NOT_TRAINED
from ridgeline.data import Split, describe, note_reuse
from ridgeline.evaluation.arms import BEST, Arm, measure, targets_of
from ridgeline.evaluation.ensemble import Averaged, measure_average
from ridgeline.evaluation.measuring import Measured, Measuring, measure_module
from ridgeline.evaluation.pictures import pictures
from ridgeline.evaluation.statistics import EACH, Sample
from ridgeline.lightning.answers import test_of

FOLDER = "opened"
"""In the folder `confirm` of a study: a file for each pair of networks that the test split was opened for."""

OF_ENSEMBLE = "_ensemble"

OpenTest = Callable[[DataConfig, Path, Mapping[str, Any]], tuple[Any, Any]]
"""`ridgeline.data.test_split.open_test_split`, which pipelines/confirm.py alone may name."""


@dataclass(frozen=True)
class Opened:
    """`opening`: as it is stored with the verdict. `pictures`: tensors by name, by the file that they go to. `beside`:
    what was measured of other networks, without their predictions."""

    targets_N: np.ndarray
    measured: dict[str, Measured]
    pictures: dict[str, dict[str, Tensor]]
    opening: dict[str, Any]
    sample: Sample = EACH
    beside: Mapping[str, Measured] = field(default_factory=dict)


def open_once(
    arms: Mapping[str, Arm],
    folder: Path,
    open_test: OpenTest,
    ledger: Path,
    by: Mapping[str, Any],
    measuring: Measuring,
    ensembles: Mapping[str, Averaged] | None = None,
    beside: Mapping[str, Arm] = MappingProxyType({}),
) -> Opened:
    """Read what was kept for exactly these networks and figure, or open the test split. The ledger records which.

    What is measured of an `ensemble` has the name of its side and `OF_ENSEMBLE`. `beside`: other networks, of which
    the errors alone are kept.
    """
    ensembles = ensembles or {}
    members = {f"{name}{OF_ENSEMBLE} {i}": arm for name, own in ensembles.items() for i, arm in enumerate(own.arms)}
    shares = json.dumps({name: own.shares for name, own in ensembles.items()}, sort_keys=True) if ensembles else ""
    kept = folder / FOLDER / f"{_key({**arms, **members, **beside}, measuring.figure, shares)}.safetensors"
    if kept.exists():
        found = read(kept)
        own = found.opening
        others = [e for e in note_reuse(ledger, own["test_hash"], by, own["when"]) if e["when"] != own["when"]]
        own |= {"number": 1 + len(others), "earlier": others, "reused": True}
        return found
    test, opening = open_test(next(iter(arms.values())).config.data, ledger, by)
    when = {"number": opening.number, "when": opening.when, "test_hash": opening.test_hash}
    known = {**when, **opening.by, "earlier": list(opening.earlier), "reused": False}
    if arms[BEST].config.model is None:
        measured = {name: measure(arm.config, arm.fits, test, measuring.figure) for name, arm in arms.items()}
        measured |= _of_ensembles(ensembles, arms, test, measuring)
        targets_N = targets_of(arms[BEST].config, test)
        found = Opened(targets_N, measured, pictures(arms, measured, test), known, _sample(test))
        apart = {name: measure(arm.config, arm.fits, test, measuring.figure) for name, arm in beside.items()}
    else:
        found, apart = _of_modules(arms, ensembles, test, known, measuring, beside)
    found = replace(found, beside={name: _errors_alone(one) for name, one in apart.items()})
    keep(found, kept)
    return found


def _of_ensembles(
    ensembles: Mapping[str, Averaged], arms: Mapping[str, Arm], test: Any, measuring: Measuring
) -> dict[str, Measured]:
    return {
        f"{name}{OF_ENSEMBLE}": measure_average(own, arms[name].config, test, measuring)
        for name, own in ensembles.items()
    }


def _of_modules(
    arms: Mapping[str, Arm],
    ensembles: Mapping[str, Averaged],
    test: Any,
    known: dict[str, Any],
    measuring: Measuring,
    beside: Mapping[str, Arm],
) -> tuple[Opened, dict[str, Measured]]:
    """There are no pictures: what an example looks like is its DataModule's to know."""
    data = test_of(arms[BEST].config, test)
    measured, targets_N, shape = dict[str, Measured](), np.empty(0), tuple[int, ...]()
    for name, arm in {**arms, **beside}.items():
        measured[name], targets_N, shape = measure_module(arm.config, arm.fits, data, measuring)
    measured |= _of_ensembles(ensembles, arms, data, measuring)
    sample, others = _sample(test) if isinstance(test, Split) else EACH, {name: measured.pop(name) for name in beside}
    return Opened(targets_N, measured, {}, {**known, "shape": list(shape)}, sample), others


def _errors_alone(measured: Measured) -> Measured:
    return replace(measured, predictions_SNC=measured.predictions_SNC[:, :0])


def _sample(test: Split) -> Sample:
    return Sample(*(None if own is None else own.numpy() for own in (test.groups_N, test.w_N)))


def _key(arms: Mapping[str, Arm], figure: str, shares: str = "") -> str:
    """A hash of the networks, weight by weight, of a figure other than the error, and of their shares in means."""
    digest = hashlib.sha256(((figure if figure != "error" else "") + shares).encode())
    for name, arm in arms.items():
        tree = {key: value for key, value in as_tree(arm.config).items() if key not in NOT_TRAINED}
        tree["data"] = describe(arm.config.data).hash  # wherever it lies
        digest.update(json.dumps([name, tree, arm.seeds], sort_keys=True).encode())
        for fit in arm.fits:
            for key, tensor in sorted(fit.weights.items()):
                digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def keep(found: Opened, path: Path) -> None:
    tensors = {"targets_N": torch.from_numpy(found.targets_N)}
    tensors |= {f"sample.{key}": torch.from_numpy(own) for key, own in vars(found.sample).items() if own is not None}
    for kind, networks in (("measured", found.measured), ("beside", found.beside)):
        for name, seen in networks.items():
            own = {f"{kind}.{name}.{key}": torch.from_numpy(np.asarray(array)) for key, array in vars(seen).items()}
            tensors |= own
    for name, picture in found.pictures.items():
        tensors |= {f"pictures.{name}.{key}": tensor for key, tensor in picture.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}  # it writes no memory twice
    with draft_of(path) as draft:
        save_file(whole, draft, metadata={"opening": json.dumps(found.opening)})


def read(path: Path) -> Opened:
    networks: dict[str, dict[str, dict[str, np.ndarray]]] = {"measured": {}, "beside": {}}
    shown = dict[str, dict[str, Tensor]]()
    sample = dict[str, np.ndarray]()
    with safe_open(path, "pt") as file:
        opening = json.loads(file.metadata()["opening"])
        targets_N = file.get_tensor("targets_N").numpy()
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            kind, _, rest = name.partition(".")
            owner, _, key = rest.rpartition(".")  # an owner's name may have a dot
            if kind in networks:
                networks[kind].setdefault(owner, {})[key] = file.get_tensor(name).numpy()
            elif kind == "pictures":
                shown.setdefault(owner, {})[key] = file.get_tensor(name)
            elif kind == "sample":
                sample[key] = file.get_tensor(name).numpy()
    measured, beside = ({name: Measured(**own) for name, own in known.items()} for known in networks.values())
    return Opened(targets_N, measured, shown, opening, Sample(**sample), beside)
