"""The contact sheet of a data set of images, as a trial of this configuration would see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ridgeline.checking import require
from ridgeline.config import Config
from ridgeline.data import load_splits
from ridgeline.report.contact_sheet import Group, groups_of, write_sheet
from ridgeline.stack.samples import samples_RMCHW


def write_contact_sheet(config: Config, path: Path) -> None:
    """Of the train split, of several folds that of the first. Raises ConfigError for data that are no images."""
    splits = load_splits(config.data)
    require(splits.image_shape is not None, "prepare.sheet only of images", "data.name", config.data.name)
    n = splits.train.sizes[0] if splits.train.sizes else splits.train.n
    y_N, names = splits.train.y_N[:n].numpy(), splits.description.class_names
    if splits.task == "regression":
        y_N, names = splits.scalers[0].undo_targets(y_N), ()
    found = list(groups_of(y_N, names))
    rows_M = torch.from_numpy(np.concatenate([rows for _, _, rows in found]))
    is_augmented = bool(config.augmentation.strengths_on())
    own, *augmented = samples_RMCHW(config, splits, rows_M, n_draws=1 if is_augmented else 0).numpy()
    ends = np.cumsum([len(rows) for _, _, rows in found])[:-1]
    changed = np.split(augmented[0], ends) if augmented else [None] * len(found)
    groups = [
        Group(name, count, images_MCHW, changed_MCHW)
        for (name, count, _), images_MCHW, changed_MCHW in zip(found, np.split(own, ends), changed, strict=True)
    ]
    more = f", {len(found)} of {len(names)} classes" if names and len(found) < len(names) else ""
    size = " x ".join(map(str, splits.image_shape[1:])) if splits.image_shape is not None else ""
    write_sheet(groups, n, f"{splits.description.name}: {n} training images of {size} pixels{more}", path)
