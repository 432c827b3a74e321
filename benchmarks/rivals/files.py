"""What the rivals find in their folder: the data, read and split once, and an MLflow store that is already made."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import torch

from ridgeline.data import Splits, load_splits
from rivals.workloads import Workload

EXPERIMENT = "rivals"


def write_splits(workload: Workload, root: str | None, folder: Path) -> None:
    """Save the splits of a slice, so that no rival's memory shows how a data set is unpacked."""
    torch.save(load_splits(workload.config(root=root).data), folder / f"{workload.name}.pt")


def read_splits(workload: Workload, folder: Path, device: str = "cpu") -> Splits:
    """The same tensors for every rival, private to its process, on the device."""
    splits = torch.load(folder / f"{workload.name}.pt", weights_only=False)  # written by write_splits
    assert isinstance(splits, Splits)
    return (
        splits
        if device == "cpu"
        else replace(splits, train=splits.train.to(device), validation=splits.validation.to(device))
    )


def store_uri(folder: Path) -> str:
    return f"sqlite:///{folder.absolute() / 'mlflow.db'}"


def make_store(folder: Path) -> None:
    """Make the tables and the experiment: seconds that belong to no rival."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    MlflowClient(store_uri(folder)).create_experiment(EXPERIMENT, (folder.absolute() / "artifacts").as_uri())
