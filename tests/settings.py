"""Small real configurations for the tests, by dotted keys."""

from __future__ import annotations

from typing import Any

from ridgeline.config import Config, parse

SMALL: dict[str, Any] = {
    "data.name": "digits",
    "network.name": "mlp",
    "network.hidden": [24, 16],
    "optimizer.name": "adam",
    "optimizer.lr": 3e-3,
    "trainer.max_epochs": 3,
    "trainer.batch_size": 100,
    "trainer.enable_progress_bar": False,
}


def tree(overrides: dict[str, Any]) -> dict[str, Any]:
    """A nested mapping of dotted keys."""
    nested: dict[str, Any] = {}
    for key, value in overrides.items():
        *groups, name = key.split(".")
        node = nested
        for group in groups:
            node = node.setdefault(group, {})
        node[name] = value
    return nested


def small(**overrides: Any) -> Config:
    """`SMALL` with overrides; a double underscore stands for the dot: small(regularization__l2=0.1)."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    of_other = given.get("network.name", "mlp") != "mlp"  # which has no such layers
    left_out = ("network.hidden",) if of_other else ()
    left_out = ("network.hidden", "network.name") if "network._target_" in given else left_out
    ours = {key: value for key, value in SMALL.items() if key not in left_out}
    return parse(tree({**ours, **given}))


def effect_of(stack: Any, kind: type[Any]) -> Any:
    """The effect of this class among those of a stack."""
    return next(effect for effect in stack.effects if isinstance(effect, kind))


def bring_numbers(effect: Any) -> None:
    """Give an effect the numbers of the step that its fits are at, as a training does before each."""
    import torch

    effect.numbers_RK = torch.tensor(effect.numbers(), dtype=torch.float32)
