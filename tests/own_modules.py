"""LightningModules and a LightningDataModule as users write them, for the tests of `model._target_`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Blobs(pl.LightningDataModule):
    """Three clouds of points; its split is drawn without a seed of its own, as many are."""

    def __init__(self, n: int = 150, batch_size: int = 32, num_workers: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.prepared = 0

    def prepare_data(self) -> None:
        self.prepared += 1

    def setup(self, stage: str) -> None:
        draw = torch.Generator().manual_seed(7)
        y = torch.arange(self.hparams["n"]) % 3
        x = torch.randn(len(y), 4, generator=draw) + torch.eye(4)[y] * 1.5
        self.train, self.val, self.test = random_split(TensorDataset(x, y), [0.6, 0.2, 0.2])

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.test)

    def _loader(self, data: Any, *, shuffle: bool = False) -> DataLoader[Any]:
        workers = self.hparams["num_workers"]
        return DataLoader(data, self.hparams["batch_size"], shuffle=shuffle, num_workers=workers)


class Net(nn.Sequential):
    def __init__(self, hidden: int = 8, dropout: float = 0.2) -> None:
        super().__init__(nn.Linear(4, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 3))


class Lit(pl.LightningModule):
    """As a template project has it: the network and the optimizer are handed in."""

    def __init__(self, net: nn.Module | None = None, optimizer: Any = None, lr: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["net"])
        self.net = net or Net()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out

    def step(self, batch: Any) -> tuple[Tensor, Tensor]:
        x, y = batch
        logits = self(x)
        return nn.functional.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, acc = self.step(batch)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        self.log("train/acc", acc, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, acc = self.step(batch)
        self.log_dict({"val/loss": loss, "val/acc": acc})

    def configure_optimizers(self) -> Any:
        make = self.hparams["optimizer"] or (lambda params: torch.optim.Adam(params, self.hparams["lr"]))
        return make(self.parameters())


class Wide(Lit):
    """Its layers do not fit together."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.Linear(4, 8), nn.Linear(9, 3)))
