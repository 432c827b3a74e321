"""What a `_target_` names: a class or a function of anyone's, with its arguments, checked before anything of it runs.

`network._target_=mine.Net network.width=64` becomes `Target("mine.Net", (("width", 64),))`. It can be compared, hashed
and sent to another process, and `build` makes the object there. Each group that takes a `_target_` has a subclass,
which says what Ridgeline adds to the user's arguments: the number of inputs of a network, say.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
import sysconfig
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

from ridgeline.checking import ConfigError, convert, is_simple, is_target, nearest, require

TARGET, PARTIAL = "_target_", "_partial_"

KNOWN = ("ridgeline.", "torch.", "pytorch_lightning.", "lightning.", "kornia.")
"""Packages whose classes and functions a configuration that is read back may name."""

_folder: ContextVar[str | None] = ContextVar("_folder", default=None)


class FrozenMapping(tuple[tuple[str, Any], ...]):
    """The items of a mapping among the arguments, which a dictionary would make impossible to hash."""


@dataclass(frozen=True)
class Target:
    """`path` names a class or a function, `arguments` are the user's; `is_partial`: it is bound to them, not called.

    `key` is the dotted key that it stands under, `folder` is where the user's own modules lie.
    """

    GIVEN: ClassVar[tuple[str, ...]] = ()
    """Arguments that Ridgeline fills in where the signature has them and the user gave no other value."""

    FIRST: ClassVar[int] = 0
    """How many positional arguments Ridgeline passes to a function, before those of the user."""

    path: str
    arguments: tuple[tuple[str, Any], ...] = ()
    is_partial: bool = False
    key: str = field(default="", compare=False)
    folder: str | None = field(default=None, compare=False)

    @classmethod
    def read(cls, tree: Any, key: str) -> Self:
        """The target of a plain mapping. Raises ConfigError, one line, for what cannot be found or called like that."""
        require(is_target(tree), f"{key} is a group of keys with a {TARGET}", key, tree)
        path, is_partial = tree[TARGET], tree.get(PARTIAL, False)
        require(isinstance(path, str), f"{key}.{TARGET} is text, as in mine.Net", f"{key}.{TARGET}", path)
        require(isinstance(is_partial, bool), f"{key}.{PARTIAL} is true or false", f"{key}.{PARTIAL}", is_partial)
        own = {str(name): value for name, value in tree.items() if name not in (TARGET, PARTIAL)}
        bare = cls(path, is_partial=is_partial, key=key, folder=_folder.get())
        return cls(path, tuple(bare._checked(own).items()), is_partial, key, bare.folder)

    def tree(self) -> dict[str, Any]:
        """The plain mapping that `read` takes."""
        partial = {PARTIAL: True} if self.is_partial else {}
        return {TARGET: self.path, **partial, **{name: _plain(value) for name, value in self.arguments}}

    def find(self) -> Callable[..., Any]:
        """The class or function itself. Raises ConfigError where there is none."""
        add_folder(self.folder)
        return _find(self.path, f"{self.key}.{TARGET}", self.folder)

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The arguments that can be given by name."""
        return _parameters(self.find())

    def takes(self, name: str) -> bool:
        """Whether it has an argument of this name."""
        return name in _parameters(self.find())

    def build(self, *first: Any, **given: Any) -> Any:
        """Call it with the user's arguments, and with those of `given` that it has and the user did not set.

        Raises ConfigError, one line, for what the user's code raises.
        """
        found = self.find()
        arguments = self._arguments(found, given)
        if self.is_partial:
            return functools.partial(found, *first, **arguments)
        try:
            return found(*first, **arguments)
        except ConfigError:
            raise
        except Exception as error:
            shown = f"{self.key}.{TARGET}={self.path}"
            raise ConfigError(f"`{self.key} can be built` must hold, but got {shown}: {reason(error)}.") from error

    def function(self, **given: Any) -> Callable[..., Any]:
        """Something to call: an object of a class, or a function bound to the arguments."""
        found = self.find()
        if isinstance(found, type):
            made: Callable[..., Any] = self.build(**given)
            return made
        return functools.partial(found, **self._arguments(found, given))

    def _arguments(self, found: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
        has = _parameters(found)
        own = {name: _thawed(value, has.get(name)) for name, value in self.arguments}
        return {**{name: value for name, value in given.items() if name in has}, **own}

    def _checked(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, of the types that the signature says, in a form that can be hashed."""
        found = self.find()
        has, takes_any = _parameters(found), _takes_any(found)
        hints = _hints(found)
        for name in own:
            if name not in has and not takes_any:
                raise ConfigError(f"{self.path} has no argument `{self.key}.{name}`. {nearest(name, has)}")
        missing = [name for name, parameter in has.items() if parameter.default is parameter.empty and name not in own]
        first = 0 if isinstance(found, type) else self.FIRST
        for name in missing[first:]:
            if name not in self.GIVEN and not self.is_partial:
                raise ConfigError(f"`{self.key}.{name}` must be given: {self.path} has no default for it.")
        defaults = {name: parameter.default for name, parameter in has.items()}
        hints = {name: hint for name, hint in hints.items() if own.get(name) is not defaults.get(name)}
        return {name: _frozen(value, hints.get(name), f"{self.key}.{name}") for name, value in own.items()}


def of_lightning(found: Any, name: str) -> bool:
    """Whether a class is derived from the one of this name in Lightning, whichever of its two packages is installed."""
    bases = [(base.__name__, base.__module__.partition(".")[0]) for base in getattr(found, "__mro__", ())]
    return any((name, package) in bases for package in ("pytorch_lightning", "lightning"))


def is_own(path: str) -> bool:
    """Whether what it names is of a module of the user's own."""
    return not path.startswith((*KNOWN, "optuna."))


def targets_in(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Key and value of each `_target_` of a plain configuration, wherever it is."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            name = f"{path}.{key}" if path else str(key)
            if key == TARGET and value is not None:
                yield name, value
            yield from targets_in(value, name)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from targets_in(value, f"{path}[{index}]")


@contextlib.contextmanager
def modules_in(folder: str | None) -> Iterator[None]:
    """Inside, targets are looked for in this folder too."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def add_folder(folder: str | None) -> None:
    """Make the modules of a folder importable. It comes last, so that no module of Python's or ours is hidden by it."""
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)


def reason(error: BaseException) -> str:
    """Type and text of what the user's code raised, and the last line of theirs before it did."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(":. ")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    if isinstance(error, SyntaxError) or not frames or "importlib" in frames[-1].filename:
        return text
    own = next((frame for frame in reversed(frames) if not _is_of_a_package(frame.filename)), frames[-1])
    return f"{text} ({Path(own.filename).name}, line {own.lineno})"


def _is_of_a_package(filename: str) -> bool:
    """Whether a file is of Python, of a package that was installed, or of Ridgeline."""
    ours = Path(__file__).parent
    if Path(filename).is_relative_to(ours) or {"site-packages", "dist-packages"} & set(Path(filename).parts):
        return True
    return filename.startswith(("<", sysconfig.get_path("stdlib")))


def _find(path: str, key: str, folder: str | None) -> Callable[..., Any]:
    rule = f"{key} can be imported"
    module, rest = _module_of(path, key, rule)
    if folder is not None:
        _require_own(module, key, folder)
    found: Any = module
    for i, name in enumerate(rest):
        try:
            found = getattr(found, name)
        except AttributeError:
            home = ".".join([module.__name__, *rest[:i]])
            known = [known for known in dir(found) if not known.startswith("_")]
            raise ConfigError(f"There is no {name} in {home}, but got {key}={path}. {nearest(name, known)}") from None
    require(callable(found), f"{key} is a class or a function", key, path)
    return found


def _module_of(path: str, key: str, rule: str) -> tuple[ModuleType, list[str]]:
    """The module in which a dotted path begins, and the names inside it."""
    names = path.split(".")
    well_formed = len(names) > 1 and all(name.isidentifier() for name in names)
    require(well_formed, f"{key} is MODULE.NAME, as in mine.Net", key, path)
    for end in range(len(names) - 1, 0, -1):
        name = ".".join(names[:end])
        try:
            return importlib.import_module(name), names[end:]
        except ModuleNotFoundError as error:
            if end == 1 or not f"{name}.".startswith(f"{error.name}."):  # what it imports itself is not there
                looked = f" in {_folder.get()}" if _folder.get() and error.name == name else ""
                raise ConfigError(f"`{rule}` must hold, but got {key}={path}: {error}{looked}.") from error
        except Exception as error:  # whatever the user's module raises
            raise ConfigError(f"`{rule}` must hold, but got {key}={path}: {reason(error)}.") from error
    raise AssertionError(path)


def _require_own(module: ModuleType, key: str, folder: str) -> None:
    """Refuse another module that hides one of the same name in the user's folder; a copy of it is none."""
    name = module.__name__.partition(".")[0]
    own = PathFinder.find_spec(name, [folder])
    place = getattr(sys.modules.get(name), "__file__", None)
    if own is not None and own.origin is not None and place is not None:
        same = Path(own.origin).read_bytes() == Path(place).read_bytes()
        require(same, f"{name} is no other module than {own.origin} (rename it)", key, place)


def _parameters(found: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Those that can be given by name."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: parameter for name, parameter in _signature(found).items() if parameter.kind in by_name}


def _takes_any(found: Callable[..., Any]) -> bool:
    signature = _signature(found)
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.values()) or not signature


def _signature(found: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(found).parameters
    except (TypeError, ValueError):  # of a function written in C
        return {}


def _hints(found: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(found.__init__ if isinstance(found, type) else found)  # type: ignore[misc]
    except Exception:  # an annotation that names what is imported for type checkers alone
        return {}


def _frozen(value: Any, hint: Any, key: str) -> Any:
    if is_target(value):
        return Target.read(value, key)
    if is_simple(hint):
        return convert(hint, value, key)
    if isinstance(value, Mapping):
        return FrozenMapping((str(name), _frozen(item, None, f"{key}.{name}")) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item, None, f"{key}[{i}]") for i, item in enumerate(value))
    return value


def _thawed(value: Any, parameter: inspect.Parameter | None) -> Any:
    """What the user's code gets: a list, as YAML has it, unless it asks for a tuple or, of numbers, for a tensor."""
    if isinstance(value, Target):
        return value.build()
    if isinstance(value, FrozenMapping):
        return {name: _thawed(item, None) for name, item in value}
    if isinstance(value, tuple):
        wanted = "" if parameter is None else str(parameter.annotation).lower()
        items = [_thawed(item, None) for item in value]
        if "tensor" in wanted and all(type(item) in (int, float) for item in items):
            import torch  # which such a parameter is of

            return torch.tensor(items, dtype=torch.get_default_dtype())
        return tuple(items) if "tuple" in wanted else items
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Target):
        return value.tree()
    if isinstance(value, FrozenMapping):
        return {name: _plain(item) for name, item in value}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
