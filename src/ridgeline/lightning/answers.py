"""What a module of the user's own answers to examples: its outputs for their features, or what its `test_step` logs.

N examples, C classes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler

from ridgeline.checking import ConfigError
from ridgeline.config import Config
from ridgeline.data import TestLoader, drawing_with
from ridgeline.lightning.data import open_data
from ridgeline.lightning.package import as_data_module, package_of
from ridgeline.lightning.splits import loader_of
from ridgeline.lightning.training import build_module, build_trainer, in_one_line
from ridgeline.stack.fitting import quiet_lightning
from ridgeline.target import reason

Kind = Literal["classes", "two classes", "numbers"]
"""Scores of C classes; one logit or one probability, of the second of two classes; a number for each example."""

VIEWS = ("Squeeze", "Unsqueeze", "View", "ReshapeAlias", "Select", "Slice", "ToCopy", "Alias", "Clone")
"""Beginnings of the names of torch's operations that change no number."""
WHOLE: dict[str, Any] = {"limit_predict_batches": 1.0, "limit_test_batches": 1.0, "fast_dev_run": False}
ALONE: dict[str, Any] = {"devices": 1, "strategy": "auto", "num_nodes": 1}
ALONE |= {"enable_progress_bar": False, "max_epochs": 1}


@dataclass(frozen=True)
class Answers:
    """`outputs_NC`: log-odds or log-probabilities of the classes, or numbers (N, 1). `targets_N`: int64 or float64.
    `features`: of the first batch, as the module gets them."""

    outputs_NC: Tensor
    targets_N: Tensor
    features: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an example; none where its features are no one tensor."""
        return tuple(self.features.shape[1:]) if isinstance(self.features, Tensor) else ()


def kind_of(config: Config) -> tuple[Kind, bool] | None:
    """What a new module gives for validation examples, and whether that ends in a sigmoid; None: nothing that an error
    of each example could be told from."""
    try:
        first, outputs, targets = _run(config, None, validation_of(config))
        kind = _kind(outputs, targets)
        return None if kind is None else (kind, kind == "two classes" and _ends_in_sigmoid(config, first))
    except ConfigError:
        raise
    except Exception:  # whatever forward raises that is made for something else
        return None


def answers(config: Config, weights: Mapping[str, Tensor], data: Any, kind: tuple[Kind, bool]) -> Answers:
    """Of the module with these weights. Raises ConfigError, one line, where it gives something else than before."""
    with in_one_line(config, "model answers to examples"):
        first, outputs, targets = _run(config, weights, data)
    found, rule = _kind(outputs, targets), f"{config.network_name} gives {kind[0]} for each example"
    if found != kind[0] and not (kind[0] == "numbers" and found == "two classes"):
        raise ConfigError(f"`{rule}` must hold, but got outputs {tuple(outputs.shape)}.")
    targets_N = targets.reshape(-1)
    if kind[0] == "numbers":
        return Answers(outputs.reshape(-1, 1), targets_N.double(), first)
    return Answers(as_log_odds(outputs, *kind), targets_N.long(), first)


def as_log_odds(outputs: Tensor, kind: Kind, ends_in_sigmoid: bool) -> Tensor:
    """(N, C) What a softmax makes the probabilities of."""
    if kind == "two classes":
        logit_N = outputs.reshape(-1)
        logit_N = torch.logit(logit_N.double(), eps=1e-7).float() if ends_in_sigmoid else logit_N
        return torch.stack([torch.zeros_like(logit_N), logit_N], dim=1)
    sums_N = outputs.sum(dim=1)
    are_shares = bool((outputs >= 0).all()) and torch.allclose(sums_N, torch.ones_like(sums_N), atol=1e-3)
    return outputs.clamp_min(1e-12).log() if are_shares else outputs


def logged(config: Config, weights: Mapping[str, Tensor] | None, data: Any) -> dict[str, float]:
    """What `test_step` logs of these examples, by its names; nothing where the module has none."""
    package = package_of(config)
    if type(build_module(config)).test_step.__qualname__.endswith("LightningModule.test_step"):
        return {}
    with in_one_line(config, "model answers to examples"), _trainer(config) as trainer:
        package.seed_everything(config.seed, workers=True, verbose=False)
        trainer.test(loaded(config, weights), datamodule=data, verbose=False)
        return {name: float(value) for name, value in trainer.callback_metrics.items()}


def name_on_test(metric: str, known: Mapping[str, float]) -> str | None:
    """The name that a study's metric has where the test split is measured: test/acc of val/acc."""
    name = re.sub(r"(?<![a-z])val(id(ation)?)?(?![a-z])", "test", metric)
    return name if name in known else next(iter(known)) if len(known) == 1 else None


def loaded(config: Config, weights: Mapping[str, Tensor] | None) -> Any:
    """The module with these weights; None: a new one. Raises ConfigError where they are no others'."""
    module = build_module(config)
    if weights is not None:
        try:
            module.configure_model()
            module.load_state_dict(dict(weights))
        except Exception as error:
            found = f"model._target_={config.network_name}: {reason(error)}"
            raise ConfigError(f"`model can be made again from its weights` must hold, but got {found}.") from error
    return module


def train_of(config: Config) -> Any:
    return _split_of(config, "train")


def validation_of(config: Config) -> Any:
    return _split_of(config, "validation")


def test_of(config: Config, test: Any) -> Any:
    """Of the test split as it was opened."""
    if isinstance(test, TestLoader):
        return _holding(test.module, test.loader)
    return _holding(_empty(config), loader_of(config, test))


def _split_of(config: Config, split: str) -> Any:
    data = open_data(config)
    if not config.data.is_module:
        loader = data.train_dataloader() if split == "train" else data.val_dataloader()
        return _holding(_empty(config), loader)
    with drawing_with(0):
        data.prepare_data()
        data.setup("fit")
        return _holding(data, data.train_dataloader() if split == "train" else data.val_dataloader())


def _empty(config: Config) -> Any:
    return as_data_module(Held, package_of(config))()


class Held:
    """A DataModule of nothing."""


def _holding(module: Any, loader: Any) -> Any:
    """The DataModule, which prepares nothing any more and gives these batches, each example once and in order."""

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    ordered = _in_order(loader)
    module.prepare_data = module.setup = module.teardown = nothing
    module.test_dataloader = module.predict_dataloader = lambda: ordered
    return module


def _in_order(loader: Any) -> Any:
    if isinstance(loader, DataLoader) and isinstance(loader.sampler, RandomSampler):
        batch, collate, workers = loader.batch_size, loader.collate_fn, loader.num_workers
        return DataLoader(loader.dataset, batch, collate_fn=collate, num_workers=workers)
    return loader


def _run(config: Config, weights: Mapping[str, Tensor] | None, data: Any) -> tuple[Any, Tensor, Tensor]:
    """The features of the first batch, all outputs and all targets, on the CPU; noise is off."""
    module, seen, first = loaded(config, weights), list[tuple[Tensor, Tensor]](), list[Any]()

    def predict_step(batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        x, y = batch
        first[:] = first or [x]
        seen.append((module(x).detach().float().cpu(), y.detach().cpu()))

    module.predict_step = predict_step
    for moment in ("start", "end", "epoch_start", "epoch_end", "batch_start", "batch_end"):
        setattr(module, f"on_predict_{moment}", lambda *args, **kwargs: None)
    with _trainer(config) as trainer:
        trainer.predict(module, datamodule=data, return_predictions=False)
    outputs, targets = (torch.cat([pair[i] for pair in seen]) for i in (0, 1))
    return first[0], outputs, targets


def _kind(outputs: Tensor, targets: Tensor) -> Kind | None:
    if len(outputs) != len(targets) or targets.numel() != len(targets) or targets.is_complex():
        return None
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        is_label = not targets.is_floating_point() and targets.ndim == 1
        return "classes" if is_label and int(targets.min()) >= 0 and int(targets.max()) < outputs.shape[1] else None
    if outputs.numel() != len(outputs):
        return None
    return "two classes" if set(targets.reshape(-1).tolist()) <= {0, 1} else "numbers"


def _ends_in_sigmoid(config: Config, x: Any) -> bool:
    module = build_module(config)
    with torch.enable_grad():
        node = module(x.clone().cpu()).grad_fn
    while node is not None and node.name().startswith(VIEWS):
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("Sigmoid")


@contextmanager
def _trainer(config: Config) -> Iterator[Any]:
    package = package_of(config)
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="ridgeline_") as folder:
        yield build_trainer(config, package, [], Path(folder), **WHOLE, **ALONE)
