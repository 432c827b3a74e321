"""A LightningModule and its DataModule whose classes are dealt out at random, so that nothing can be learned."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Noise(pl.LightningDataModule):
    """Two classes, as many of each; a quarter validates and a quarter tests, always the same for a seed."""

    def __init__(self, seed: int = 0, n: int = 400, n_features: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        draw = torch.Generator().manual_seed(self.hparams["seed"])
        n = self.hparams["n"]
        x = torch.randn(n, self.hparams["n_features"], generator=draw)
        y = (torch.arange(n) % 2)[torch.randperm(n, generator=draw)]
        parts = [slice(0, n // 2), slice(n // 2, 3 * n // 4), slice(3 * n // 4, n)]
        self.splits = [TensorDataset(x[part], y[part]) for part in parts]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.splits[0], 64, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.splits[1], 256)

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.splits[2], 256)


class Lit(pl.LightningModule):
    """Its `forward` gives scores of the classes, from which the error of each test example is told."""

    def __init__(self, n_features: int = 10, hidden: int = 32, lr: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(n_features, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, 2))

    def forward(self, x: Any) -> Tensor:
        scores: Tensor = self.net(x)
        return scores

    def scores_of(self, x: Tensor) -> Tensor:
        return self(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return nn.functional.cross_entropy(self.scores_of(batch[0]), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/acc", (self.scores_of(batch[0]).argmax(1) == batch[1]).float().mean())

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test/acc", (self.scores_of(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class Unseen(Lit):
    """Its `forward` takes what nobody else knows, so that only what `test_step` logs is known of test examples."""

    def forward(self, x: Any) -> Tensor:
        return super().forward(x["of"])

    def scores_of(self, x: Tensor) -> Tensor:
        return self({"of": x})
