"""A fitted LightningModule of the user's own with all that it needs to be used: see `ridgeline.stack.fitted`.

Lightning is imported when it predicts, so that a network of ours is loaded without. N examples, I features, C classes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ridgeline.stack.ensemble import MEMBERS, FittedEnsemble, shares_in
from ridgeline.stack.fitted import Fitted, load_fitted, packages_in
from ridgeline.tasks.losses import Task

ANSWER = "answer.json"
"""What the module's outputs are, whether they end in a sigmoid, and the shape of an example."""


@dataclass(frozen=True)
class FittedModule(Fitted):
    """Its examples are given as rows of features, whatever shape they have: `example`. `answer`: as in
    `ridgeline.lightning.answers`."""

    answer: tuple[Any, bool] = ("classes", False)
    example: tuple[int, ...] = ()

    @property
    def task(self) -> Task:
        return "regression" if self.answer[0] == "numbers" else "classification"

    def _network(self, x_NI: Tensor, k: int) -> Callable[[Tensor], Tensor]:  # type: ignore[override]
        from ridgeline.lightning.answers import as_log_odds, loaded

        modules = self._modules
        for weights in (self.weights, *self.others)[len(modules) : k]:
            modules.append(loaded(self.config, weights).eval())

        def outputs_of(module: Any, x_NI: Tensor) -> Tensor:
            outputs: Tensor = module(x_NI.reshape(len(x_NI), *self.example)).float()
            is_number = self.answer[0] == "numbers"
            return outputs.reshape(-1, 1) if is_number else as_log_odds(outputs, *self.answer)

        return lambda x_KNI: torch.stack([outputs_of(*pair) for pair in zip(modules[:k], x_KNI, strict=True)])

    @functools.cached_property
    def _modules(self) -> list[Any]:
        """Those that are built already."""
        return []

    def save(self, folder: Path) -> None:
        super().save(folder)
        (folder / ANSWER).write_text(json.dumps([*self.answer, list(self.example)]))


def load_champion(folder: Path) -> Fitted:
    """What `save` wrote, of a network, a module or an ensemble; whoever loads it runs the user's code that is in it.

    Raises ConfigError as `load_fitted` does.
    """
    shares = shares_in(folder)
    if not shares:
        return _load_one(folder)
    others = [folder / MEMBERS / str(i) for i in range(1, len(shares))]
    return FittedEnsemble.of([_load_one(one) for one in (folder, *others)], shares)


def _load_one(folder: Path) -> Fitted:
    fitted = load_fitted(folder, packages_in(folder))
    if fitted.config.model is None:
        return fitted
    kind, ends_in_sigmoid, example = json.loads((folder / ANSWER).read_text())
    own: Mapping[str, Any] = {name: value for name, value in vars(fitted).items() if name in Fitted.__annotations__}
    return FittedModule(**own, answer=(kind, ends_in_sigmoid), example=tuple(example))
