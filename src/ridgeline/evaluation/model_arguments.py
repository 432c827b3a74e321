"""Arguments of a module of the user's own that are told by their names: what regularizes, and the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ridgeline.config import Config, as_tree, parse
from ridgeline.target import Target

RATES = ("lr", "learning_rate")


def rates(config: Config) -> dict[str, float]:
    """The learning rates by their dotted keys, `model.optimizer.lr` say, as they were given or by default."""
    return _numbers(config, lambda name: name in RATES)


def strengths(config: Config) -> dict[str, float]:
    """What regularizes and is on: weight decays, and dropout rates unless `regularization.dropout` sets them."""
    own = config.regularization.dropout is None
    found = _numbers(config, lambda name: name == "weight_decay" or (own and "dropout" in name))
    return {key: value for key, value in found.items() if value > 0}


def with_numbers(config: Config, numbers: Mapping[str, float]) -> Config:
    """The configuration with these arguments by their dotted keys."""
    if not numbers:
        return config
    tree = as_tree(config)
    for key, value in numbers.items():
        *groups, name = key.split(".")
        node = tree
        for group in groups:
            node = node[group]
        node[name] = value
    return parse(tree)


def _numbers(config: Config, is_meant: Callable[[str], bool]) -> dict[str, float]:
    if config.model is None:
        return {}
    return {
        key: float(value)
        for key, name, value in _arguments(config.model, "model")
        if is_meant(name) and isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _arguments(target: Target, path: str) -> Iterator[tuple[str, str, object]]:
    """Key, name and value of each argument, those of nested targets after them."""
    given = dict(target.arguments)
    for name, parameter in target.parameters().items():
        yield f"{path}.{name}", name, given.get(name, parameter.default)
    for name, value in given.items():
        if isinstance(value, Target):
            yield from _arguments(value, f"{path}.{name}")
