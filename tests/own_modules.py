"""LightningModules and a LightningDataModule as users write them, for the tests of `model._target_`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
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


class Unvalidated(Blobs):
    val_dataloader = pl.LightningDataModule.val_dataloader


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


class Sized(Lit):
    """Made for what there is: rows of numbers, or images."""

    def __init__(self, n_inputs: int, n_outputs: int, hidden: int = 8, dropout: float = 0.0, lr: float = 0.01) -> None:
        layers = nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_outputs)
        super().__init__(nn.Sequential(*layers), lr=lr)


class OfImages(Lit):
    def __init__(self, input_shape: tuple[int, ...], n_outputs: int) -> None:
        channels, height, width = input_shape
        wide = 4 * (height - 2) * (width - 2)
        super().__init__(nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(wide, n_outputs)))


class OfNumbers(Sized):
    """Of a number for each example. `squeeze`: without, torch warns that shapes differ."""

    def __init__(self, n_inputs: int, n_outputs: int, squeeze: bool = True) -> None:
        super().__init__(n_inputs, n_outputs)
        self.squeeze = squeeze

    def step(self, batch: Any) -> tuple[Tensor, Tensor]:
        x, y = batch
        predicted = self(x)[:, 0] if self.squeeze else self(x)
        loss = nn.functional.mse_loss(predicted, y)
        return loss, loss.sqrt()


class Raises(Lit):
    """Not at once, and not with every learning rate."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.current_epoch == 1 and self.hparams["lr"] > 0.5:
            raise ValueError("the cat sat\non the keyboard")
        return super().training_step(batch, batch_idx)


class Scheduled(Lit):
    """A learning rate that falls from epoch to epoch, and a second group of parameters."""

    def configure_optimizers(self) -> Any:
        layers = list(self.net.children())
        groups = [{"params": layers[0].parameters()}, {"params": layers[3].parameters(), "lr": 0.1}]
        optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


class Manual(Lit):
    """Steps two optimizers by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        loss, _ = self.step(batch)
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
        self.log("train/loss", loss)

    def configure_optimizers(self) -> Any:
        layers = list(self.net.children())
        return [torch.optim.Adam(layers[place].parameters(), 0.01) for place in (0, 3)]


class AtTheEnd(Lit):
    """Logs one number, once, and uses what a Trainer has."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.last = self.step(batch)[1]

    def on_train_epoch_end(self) -> None:
        assert self.trainer.datamodule.hparams["batch_size"] == 32
        self.logger.experiment.add_text("said", "of a logger that is not there")
        if self.current_epoch == self.trainer.max_epochs - 1:
            self.log("last_acc", self.last)


class Predicts(Lit):
    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self(batch[0]).softmax(1)


class Synced(Lit):
    """What it logs in validation is of all devices."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, acc = self.step(batch)
        self.log_dict({"val/loss": loss, "val/acc": acc}, sync_dist=True)


class FailsOnTheSecond(Lit):
    """Where several devices train it, in their second epoch. `killed`: its process is gone without a word."""

    def __init__(self, killed: bool = False) -> None:
        super().__init__()
        self.killed = killed

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.global_rank == 1 and self.current_epoch == 1:
            if self.killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("the dog ate it")
        return super().training_step(batch, batch_idx)


class Slow(Lit):
    """Says which processes train it, and takes an hour."""

    def on_train_start(self) -> None:
        (Path(os.environ["PIDS"]) / str(os.getpid())).touch()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        time.sleep(3600)
        return super().training_step(batch, batch_idx)


class Divided(Blobs):
    """Its split has a seed of its own."""

    def setup(self, stage: str) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(42)
            super().setup(stage)


class Logging(Lit):
    """Called with a batch, so that nobody else knows what it answers; its `test_step` logs how well it does."""

    def forward(self, x: Any) -> Any:
        return self.net(x["of"])

    def step(self, batch: Any) -> tuple[Tensor, Tensor]:
        logits = self({"of": batch[0]})
        return nn.functional.cross_entropy(logits, batch[1]), (logits.argmax(1) == batch[1]).float().mean()

    def test_step(self, batch: Any, batch_idx: int) -> None:
        loss, acc = self.step(batch)
        self.log_dict({"test/loss": loss, "test/acc": acc})


class Silent(Logging):
    """Nothing is told of test examples."""

    def test_step(self, batch: Any, batch_idx: int) -> None:
        pass


class TwoClasses(Lit):
    """One output, for whether the class is 0."""

    def __init__(self, sigmoid: bool = False, dropout: float = 0.3, weight_decay: float = 0.1) -> None:
        super().__init__(Net(dropout=dropout))
        self.sigmoid = sigmoid

    def forward(self, x: Tensor) -> Tensor:
        logit = super().forward(x)[:, :1]
        return logit.sigmoid().squeeze(-1) if self.sigmoid else logit


class Halves(Divided):
    def setup(self, stage: str) -> None:
        super().setup(stage)
        dataset = self.train.dataset
        dataset.tensors = (dataset.tensors[0], (dataset.tensors[1] == 0).float())


class Rates(Lit):
    """Its rates have names of its own."""

    def __init__(
        self,
        drop_prob: float = 0.1,
        wd: float = 0.01,
        lr: float = 0.01,
        head_lr: float = 0.1,
        min_lr: float = 1e-6,
        drop_last: bool = True,
        ema_decay: float = 0.9,
    ) -> None:
        super().__init__(Net(dropout=drop_prob))
