"""Examples of ours for a module of the user's own: batches of features and targets, as a DataModule gives them.

N examples, B of a batch, I features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from ridgeline.checking import require
from ridgeline.config import Config
from ridgeline.data import Split, Splits, load_splits
from ridgeline.stack.evaluation import EVALUATION_BATCH


class OurSplits:
    """The loaders of a DataModule: see `package.as_data_module`.

    A batch is (x, y): x (B, I) or (B, C, H, W) float32, standardized by the train split; y (B,) the classes, int64, or
    in regression standardized targets, float32. Each epoch has an order of its own, which the Trainer's seed decides.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config, self._splits = config, load_splits(config.data)

    def train_dataloader(self) -> DataLoader[Any]:
        return loader_of(self._config, self._splits.train, self._config.trainer.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return loader_of(self._config, self._splits.validation)


class Examples(Dataset[tuple[Tensor, Tensor]]):
    """The rows of a split, `shape` each. Many are taken at once."""

    def __init__(self, split: Split, shape: Sequence[int]) -> None:
        self._split, self._shape = split, tuple(shape)

    def __len__(self) -> int:
        return self._split.n

    def __getitem__(self, rows: Any) -> tuple[Tensor, Tensor]:
        rows_B = torch.as_tensor(rows)
        x_BI = self._split.features_MI(rows_B.reshape(-1))
        return x_BI.view(*rows_B.shape, *self._shape), self._split.y_N[rows_B]


def loader_of(
    config: Config, split: Split, batch: int | None = EVALUATION_BATCH, *, shuffle: bool = False
) -> DataLoader[Any]:
    """`batch`: examples at a time; None: all of them."""
    examples = Examples(split, example_shape(config, load_splits(config.data)))
    order: Sampler[int] = RandomSampler(examples) if shuffle else SequentialSampler(examples)
    if distributed.is_initialized():  # the Trainer would divide rows, not batches
        order = DistributedSampler(examples, shuffle=shuffle, seed=config.seed)
    return DataLoader(examples, batch_size=None, sampler=Batches(order, batch or len(examples), drop_last=False))


class Batches(BatchSampler):
    """Says each epoch on, by whose number processes that train together divide the examples anew."""

    def set_epoch(self, epoch: int) -> None:
        if isinstance(self.sampler, DistributedSampler):
            self.sampler.set_epoch(epoch)


def example_shape(config: Config, splits: Splits) -> tuple[int, ...]:
    """(C, H, W) or (I,)."""
    assert config.model is not None
    return splits.image_shape if splits.image_shape and config.model.takes_images else (splits.n_features,)


def given(config: Config) -> dict[str, Any]:
    """What a module is told of examples of ours. Raises ConfigError for categories whose codes it does not know."""
    assert config.model is not None
    splits = load_splits(config.data)
    layout, shape = splits.layout, example_shape(config, splits)
    if layout is not None and layout.codes and not config.model.takes("layout"):
        most = max(count for _, count in layout.codes)
        rule = f"data.one_hot >= {most} with a model that has no argument layout, and so embeds no codes,"
        require(False, rule, "data.one_hot", getattr(config.data, "one_hot", None))
    known = {"n_inputs": splits.n_features, "input_shape": shape, "n_outputs": splits.n_outputs}
    return known if layout is None else {**known, "layout": layout}
