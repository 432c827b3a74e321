"""Where the examples come from, and which of them train, validate and test."""

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split


class DigitsDataModule(LightningDataModule):
    """scikit-learn's digits, 1,797 images of 8 x 8."""

    def __init__(
        self,
        data_dir: str = "data/",
        train_val_test_split: Sequence[int] = (1_197, 300, 300),
        batch_size: int = 64,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.data_train: Dataset[Any] | None = None
        self.data_val: Dataset[Any] | None = None
        self.data_test: Dataset[Any] | None = None
        self.batch_size_per_device = batch_size

    @property
    def num_classes(self) -> int:
        return 10

    def prepare_data(self) -> None:
        load_digits()  # where others download

    def setup(self, stage: str | None = None) -> None:
        if self.trainer is not None:
            self.batch_size_per_device = self.hparams.batch_size // self.trainer.world_size
        if self.data_train is None:
            found = load_digits()
            x = torch.tensor(found.images / 16, dtype=torch.float32)[:, None]
            whole = TensorDataset(x, torch.tensor(found.target))
            split = list(self.hparams.train_val_test_split)
            parts = random_split(whole, split, generator=torch.Generator().manual_seed(42))
            self.data_train, self.data_val, self.data_test = parts

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_val, shuffle=False)

    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_test, shuffle=False)

    def _loader(self, dataset: Any, *, shuffle: bool) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size_per_device,
            num_workers=self.hparams.num_workers,
            pin_memory=self.hparams.pin_memory,
            shuffle=shuffle,
        )
