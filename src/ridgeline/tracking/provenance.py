"""Tags, params and data set that a run has from its start. They lead from a run to its study, folder, data and code."""

from __future__ import annotations

import contextlib
import functools
import getpass
import json
import logging
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Param

from ridgeline.command_line.places import IS_CHECKOUT, REVISION
from ridgeline.config import Config, as_tree
from ridgeline.config.deciding import NOT_TRAINED

if TYPE_CHECKING:
    from ridgeline.data import DataDescription

log = logging.getLogger(__name__)

PACKAGES = ("torch", "pytorch-lightning", "optuna", "mlflow", "hydra-core", "ridgeline")
LONGEST_PARAM = 6000
DIGEST = 12

KIND = "ridgeline.kind"
STUDY = "ridgeline.study"
STUDY_KEY = "ridgeline.study.key"
"""Tells studies of one name apart, which started from two runs folders."""
TRIAL = "ridgeline.trial"
STATE = "ridgeline.state"
REASON = "ridgeline.reason"
JOB = "ridgeline.job"
DATA_HASH = "ridgeline.data.hash"
GIT_DIRTY = "ridgeline.git.dirty"
DVC_EXPERIMENT = "ridgeline.dvc.experiment"
DVC_REVISION = "ridgeline.dvc.revision"
GIT_COMMIT = "mlflow.source.git.commit"
SPACE = "space."
"""A study has a tag `space.KEY` for each swept key, with the sweep as it was typed."""
SWEEP = "searched: "
"""The param of a swept key begins with this in a study's run, and goes on with the sweep."""
PARENT = "mlflow.parentRunId"
OF_DVC = ("params.yaml", "dvc.lock")
HEAD = "# branch.oid "
NOTE = "mlflow.note.content"
"""The description of a run, in Markdown."""


def tags(kind: str, description: DataDescription, job_dir: Path | None) -> dict[str, str]:
    """The tags that every run has. `kind` is study, trial or run (one that stands alone)."""
    known = {
        KIND: kind,
        STATE: "RUNNING",
        DATA_HASH: description.hash,
        "mlflow.source.name": "pipelines/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    if job_dir is not None:
        known[JOB] = str(Path(job_dir).absolute())
    return known | own_revision() | experiment() | versions()


def params(config: Config) -> list[Param]:
    """The flattened configuration, as it would be typed: `regularization.l2` is `0.0001`."""
    return [
        Param(key, value[:LONGEST_PARAM])
        for key, value in _flat(as_tree(config))
        if key.split(".")[0] not in NOT_TRAINED
    ]


def study_params(config: Config, tags: Mapping[str, str]) -> list[Param]:
    """The params of a study: for a swept key, which has a tag, the sweep; for any other key its value."""
    sweeps = {key.removeprefix(SPACE): f"{SWEEP}{text}" for key, text in tags.items() if key.startswith(SPACE)}
    common = {param.key: param.value for param in params(config)}
    return [Param(key, value[:LONGEST_PARAM]) for key, value in (common | sweeps).items()]


def is_sweep(param: str) -> bool:
    """Whether the param of a study says what was searched."""
    return param.startswith(SWEEP)


def dataset(description: DataDescription) -> DatasetInput:
    """The data set as MLflow's UI shows it. Its digest is the beginning of our hash, as short as MLflow's own."""
    train, validation, test = description.examples
    profile = {"train": train, "validation": validation, "test": test}
    profile |= {"features": description.features, "classes": description.classes}
    known = Dataset(
        name=description.name,
        digest=description.hash[:DIGEST],
        source_type="ridgeline",
        source=json.dumps({"name": description.name, "hash": description.hash}),
        profile=json.dumps(profile),
    )
    return DatasetInput(known, [InputTag("mlflow.data.context", "training")])


def experiment() -> dict[str, str]:
    """The experiment of DVC that this process is a stage of, and the revision that it starts from; empty outside."""
    known = {DVC_EXPERIMENT: "DVC_EXP_NAME", DVC_REVISION: "DVC_EXP_BASELINE_REV"}
    return {tag: os.environ[name] for tag, name in known.items() if os.environ.get(name)}


@functools.cache
def versions() -> dict[str, str]:
    """The versions of the packages that make the numbers; one that is not installed is left out."""
    found = {"versions.python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[f"versions.{package}"] = metadata.version(package)
    return found


def commit() -> dict[str, Any]:
    """The revision of this code, for a record: None where it is not known."""
    known = own_revision()
    return {"commit": known.get(GIT_COMMIT), "dirty": known[GIT_DIRTY] == "true" if known else None}


def own_revision() -> dict[str, str]:
    """The revision of this code: of its checkout, or what the wheel was built from, which may be unknown.

    An installed package often lies in a checkout of the user's own, whose revision is not ours.
    """
    if IS_CHECKOUT:
        return revision(Path(__file__).parent)
    built = json.loads(REVISION.read_text(encoding="utf-8")) if REVISION.is_file() else {}
    return {GIT_COMMIT: built["commit"], GIT_DIRTY: "true" if built["dirty"] else "false"} if built else {}


@functools.cache
def revision(folder: Path) -> dict[str, str]:
    """The git commit of the checkout around `folder`, and whether files differ from it; empty, and said once, where
    that is not known.

    What DVC writes while it runs an experiment is no difference: it belongs to the experiment, which has its own tags.
    """
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        # No optional locks: a status must not stand in the way of the user's own git.
        environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True, env=environment)
    except subprocess.CalledProcessError as error:  # no checkout, or one of another user
        return _unknown(error.stderr.strip().split("\n")[0])
    except (OSError, subprocess.SubprocessError) as error:
        return _unknown(str(error))
    lines = answer.stdout.splitlines()
    head = next((line.removeprefix(HEAD) for line in lines if line.startswith(HEAD)), "(initial)")
    if head == "(initial)":
        return _unknown("the checkout has no commit")
    changed = [line for line in lines if not line.startswith("#") and line.rpartition(" ")[2] not in OF_DVC]
    return {GIT_COMMIT: head, GIT_DIRTY: "true" if changed else "false"}


def _unknown(reason: str) -> dict[str, str]:
    log.warning(f"The git revision of this code is unknown, and is recorded as such: {reason}.")
    return {}


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value if isinstance(value, str) else json.dumps(value, default=str)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
