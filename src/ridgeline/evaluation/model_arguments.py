"""Arguments of a module of the user's own that are told by their names: what regularizes, and the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ridgeline.config import Config, as_tree, parse
from ridgeline.target import Target

RATES = ("lr", "learning_rate")
DECAYS = ("weight_decay", "wd")
SHARES = {"prob", "p", "rate", "ratio", "path", "out"}
"""Words beside `drop` in the name of a rate: `drop_prob`, `attn_drop_rate`."""
ENDS = {"min", "final", "end", "warmup"}
"""First words of the names of rates between which a schedule moves: `min_lr`."""


def rates(config: Config) -> dict[str, float]:
    """The learning rates by their dotted keys, `model.optimizer.lr` say, as they were given or by default; those of
    parts of the module, `head_lr` say, after those of all of it."""
    found = _numbers(config, lambda name: _ends_in(name, RATES))
    return dict(sorted(found.items(), key=lambda item: item[0].rpartition(".")[2].lower() not in RATES))


def strengths(config: Config) -> dict[str, float]:
    """What regularizes and is on: weight decays, and dropout rates unless `regularization.dropout` sets them."""
    own = config.regularization.dropout is None
    found = _numbers(config, lambda name: _ends_in(name, DECAYS) or (own and _is_dropout(name)))
    return {key: value for key, value in found.items() if value > 0}


def is_dropout(key: str) -> bool:
    """Whether an argument of a module by this dotted key is a dropout rate."""
    return key.startswith("model.") and _is_dropout(key.rpartition(".")[2])


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


def _ends_in(name: str, known: Iterable[str]) -> bool:
    """Whether it is one of these names, or one of a part of the module: `head_lr`."""
    lower = name.lower()
    return lower.partition("_")[0] not in ENDS and any(f"_{lower}".endswith(f"_{end}") for end in known)


def _is_dropout(name: str) -> bool:
    *before, last = name.lower().split("_")
    words = {*before, last}
    return "dropout" in name.lower() or last == "drop" or ("drop" in words and bool(words & SHARES))


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
