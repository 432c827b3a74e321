"""Frozen dataclasses from plain mappings, with errors of one line: the machinery behind `ridgeline.config`."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import struct
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

OF_TARGET = {"of_target": True}
"""Metadata of a field that holds what the group's `_target_` names, with the arguments that are no keys of ours; None
where it names nothing. A configuration has them beside ours: `data: {_target_: mine.load, path: x.csv, seed: 0}`."""


COPIED = {"copied": True}
"""Metadata of a field that repeats what another group says; a configuration that is written does not have it."""


class ConfigError(ValueError):
    """A user's mistake: its text is one line that gives the key, the rule and the value."""


def batchable(default: Any = dataclasses.MISSING) -> Any:
    """A field that changes no tensor's shape."""
    return field(default=default, metadata={"batchable": True})


def aside(default: Any = dataclasses.MISSING, **options: Any) -> Any:
    """A field that decides nothing: where something lies, what is shown, how often it is saved."""
    return field(default=default, metadata={"decides": "nothing"}, **options)


def of_entry_point(default: Any) -> Any:
    """A field that one entry point reads, which trains nothing; it decides nothing about any fit."""
    return field(default=default, metadata={"decides": "nothing", "entry_point": True})


def course(default: Any) -> Any:
    """A field that says how a fit gets to its numbers: from which checkpoint on, with how many threads.

    Two fits that differ in it alone are meant to end alike, but for last digits.
    """
    return field(default=default, metadata={"decides": "course"})


def require(holds: bool, rule: str, key: str, value: object) -> None:
    """Raise the one-line error `rule must hold, but got key=value` unless the rule holds."""
    if not holds:
        raise ConfigError(f"`{rule}` must hold, but got {key}={value}.")


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`Did you mean ...?`, or the list of what there is when nothing is near."""
    known = sorted(known)
    if not known:
        return "There is none; a + before the key adds one."
    close = [prefix + name for name in difflib.get_close_matches(word, known, n=3, cutoff=0.6)]
    return f"Did you mean {' or '.join(close)}?" if close else f"There is: {', '.join(known)}."


NAMED_BY_TARGET = {
    **{group: group for group in ("data", "model", "network", "loss", "optimizer", "lr_schedule")},
    **{f"search/{part}": f"search.{part}" for part in ("sampler", "pruner")},
    **{group: f"{group}.mine" for group in ("regularization", "callbacks")},
}
"""Of each group that takes something of the user's own: the key whose `_target_` names it."""


def unknown_choice(group: str, choice: str, known: Iterable[str]) -> str:
    """The line for a choice that a group does not have: `mine.focal` is no file of ours, but a target."""
    is_dotted = all(name.isidentifier() for name in choice.split(".")) and "." in choice
    if is_dotted and group in NAMED_BY_TARGET:
        return f"There is no choice `{group}={choice}`. Did you mean {NAMED_BY_TARGET[group]}._target_={choice}?"
    return f"There is no choice `{group}={choice}`. {nearest(choice, known)}"


def key_elsewhere(path: str, siblings: Iterable[str], tree: Mapping[str, Any]) -> str | None:
    """The line for a key that is not there, where keys of other groups have its last part as theirs: for `dropout`,
    `regularization.dropout`. None: there is none, or one of its `siblings` is nearly the same. `tree`: all keys."""
    name = path.rpartition(".")[2]
    elsewhere = list(_keys_called(name, tree))
    if not elsewhere or difflib.get_close_matches(name, siblings, n=1, cutoff=0.9):
        return None
    return f"There is no key `{path}`. Did you mean {' or '.join(elsewhere[:3])}?"


def _keys_called(name: str, tree: Mapping[str, Any], group: str = "") -> Iterator[str]:
    """The dotted keys whose last part is `name`, but those of Hydra itself: for `seeds`, `confirm.seeds`."""
    for key, value in tree.items() if group != "hydra" else ():
        dotted = f"{group}.{key}" if group else str(key)
        if key == name:
            yield dotted
        if isinstance(value, Mapping):
            yield from _keys_called(name, value, dotted)


def unknown_key(path: str, known: Iterable[str]) -> str:
    """The line for a dotted key that is not among the `known` names of its group."""
    group, dot, name = path.rpartition(".")
    return f"There is no key `{path}`. {nearest(name, known, prefix=group + dot)}"


TARGETS = "targets"


def targets(kind: Any) -> Any:
    """A field that gathers the keys of the user's own in its group, whose names are anything: (name, target) each.

    `kind.belongs`, where it has that, says which keys: those with a `_target_`, if it does not.
    """
    return field(default=(), metadata={TARGETS: kind})


def is_target(tree: Any) -> bool:
    """Whether a plain configuration names something by `_target_`."""
    return isinstance(tree, Mapping) and tree.get("_target_") is not None


def build(cls: Any, tree: Any, path: str) -> Any:
    """An object of the frozen dataclass `cls`, of a plain mapping. Raises ConfigError at the first broken rule.

    A class may have `choose`, which gives the class that the mapping means; and `read`, which makes its objects itself.
    A field made by `targets` takes the keys that are no fields and that it gathers.
    """
    if hasattr(cls, "choose"):
        cls = cls.choose(tree, path)
    if hasattr(cls, "read"):
        return cls.read(tree, path)
    if not isinstance(tree, Mapping):
        raise ConfigError(f"`{path}` must be a group of keys, but got {path}={tree}.")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    hints = _hints(cls)
    tree = _with_target(tree, fields)
    own = {name: fields.pop(name).metadata[TARGETS] for name in list(fields) if TARGETS in fields[name].metadata}
    named = [str(key) for key in tree if any(_gathers(kind, str(key), tree[key]) for kind in own.values())]
    for key in tree:
        if key not in fields and key not in named:
            known = [*fields, *(name for kind in own.values() for name in getattr(kind, "NAMES", ()))]
            raise ConfigError(unknown_key(_join(path, str(key)), known))
    values: dict[str, Any] = {
        name: tuple((key, kind.read(tree[key], _join(path, key))) for key in named) for name, kind in own.items()
    }
    for name, f in fields.items():
        if name in tree and name not in named:
            key = path if f.metadata == OF_TARGET else _join(path, name)
            values[name] = convert(hints[name], tree[name], key)
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"`{_join(path, name)}` must be given.")
    built = cls(**values)
    if hasattr(built, "check"):
        built.check()
    for name, value in values.items():
        if name not in own:
            _require_range(value, _join(path, name))
    return built


def _gathers(kind: Any, key: str, value: Any) -> bool:
    """Whether a field made by `targets` takes this key: under whatever name, `early_stopping` too."""
    belongs: bool = kind.belongs(key, value) if hasattr(kind, "belongs") else is_target(value)
    return belongs


def _with_target(tree: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]]) -> Mapping[str, Any]:
    """The mapping in which a `_target_` and its arguments are one value, where the class has a field for that."""
    name = next((name for name, f in fields.items() if f.metadata == OF_TARGET), None)
    if name is None:
        return tree
    if tree.get("_target_") is None:
        return {key: value for key, value in tree.items() if key != "_target_"}
    ours = {key: value for key, value in tree.items() if key in fields and key != name}
    return {**ours, name: {key: value for key, value in tree.items() if key not in ours}}


def _require_range(value: Any, path: str) -> None:
    """After the rules of a field itself, what holds for all: no number that is infinite, or a 0, in the
    float32 of the training, none beyond 31 bits, no empty text."""
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, float):
            require(math.isfinite(one), f"{path} is finite", path, one)
            require(math.isfinite(single(one)), f"{path} is finite in float32", path, one)
            require(one == 0 or single(one) != 0, f"{path} is 0, or more than 0 in float32", path, one)
        elif isinstance(one, int):
            require(abs(one) < 2**31, f"{path} < 2**31", path, one)
        elif isinstance(one, str):
            require(one.strip() != "", f"{path} is not empty", path, one)


def single(number: float) -> float:
    """The number as float32 has it."""
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return math.inf


_hints = functools.cache(typing.get_type_hints)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


LISTS = (tuple, list, Sequence)
"""What a list of a configuration may be called; it becomes a tuple, which nobody can change."""


def is_simple(hint: Any) -> bool:
    """Whether `convert` knows how to check a value of this type: numbers, texts, truth values, lists of one of them."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        own = [arg for arg in args if arg is not type(None)]
        return len(own) == 1 and is_simple(own[0])
    if origin in LISTS:
        kinds = {arg for arg in args if arg is not Ellipsis}
        return len(kinds) == 1 and is_simple(*kinds)
    return origin is Literal or hint in (int, float, bool, str)


def convert(hint: Any, value: Any, path: str) -> Any:
    """`value` as the type that `hint` names, or ConfigError. A bool is no number, and a number no string."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, path)
    if origin is Literal:
        if value not in args:
            names = [str(arg) for arg in args]
            raise ConfigError(f"`{path} in {{{', '.join(names)}}}` must hold, but got {path}={value}.")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        kinds = [arg for arg in args if arg is not type(None)]
        if len(kinds) == 1:
            return convert(kinds[0], value, path)
        wants_tuple = isinstance(value, (list, tuple))
        kind = next(arg for arg in kinds if (typing.get_origin(arg) is tuple) == wants_tuple)
        return convert(kind, value, path)
    if origin in LISTS:
        require(isinstance(value, (list, tuple)), f"{path} is a list", path, value)
        return tuple(convert(args[0], item, path) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        require(not math.isnan(value), f"{path} is a number", path, value)
        return float(value)
    if hint is float and isinstance(value, str):  # YAML reads 1e-4 as a string
        try:
            return convert(float, float(value), path)
        except ValueError:
            pass
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if (hint is int and isinstance(value, int) and not isinstance(value, bool)) or (
        hint in (bool, str) and type(value) is hint
    ):
        return value
    if origin is not None and isinstance(value, Mapping):  # Mapping[str, Any]: a sampler's arguments, a search space
        return dict(value)
    words = {float: "a number", int: "an integer", bool: "true or false", str: "text"}
    raise ConfigError(f"`{path} is {words.get(hint, 'a group of keys')}` must hold, but got {path}={value}.")
