"""Settings of data that are a LightningDataModule of the user's own, which the Trainer gets as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from ridgeline.config.data import DataConfig, OwnSource
from ridgeline.target import TARGET


@dataclass(frozen=True)
class OwnModule(OwnSource):
    """The user's arguments are all that it gets."""

    GIVEN: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class ModuleConfig(DataConfig):
    """`source` is the DataModule. All keys are its arguments: it splits and scales the examples, and none of ours."""

    name: Literal["module"] = "module"

    @classmethod
    def read(cls, tree: Mapping[str, Any], path: str) -> Self:
        source = OwnModule.read({key: value for key, value in tree.items() if key != "name"}, path)
        return cls(source=source)

    def tree(self) -> dict[str, Any]:
        """The plain mapping that `read` takes."""
        assert self.source is not None
        return {"name": self.name, TARGET: self.source.path, **self.source.tree()}

    def check(self) -> None:
        """Its signature has been."""

    @property
    def title(self) -> str:
        assert self.source is not None
        return self.source.path.rpartition(".")[2]

    @property
    def is_module(self) -> bool:
        return True
