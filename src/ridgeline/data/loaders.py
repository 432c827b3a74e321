"""The examples of a LightningDataModule, `data._target_=mine.DataModule`, read once into arrays: a network of ours
trains on them as on any others.

They are those of its loaders' data sets, in their order, as `collate_fn` puts them together. N examples.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.checking import ConfigError
from ridgeline.data.drawing import drawing_with, seed_generators
from ridgeline.data.given import TEST, TRAIN, VALIDATION
from ridgeline.target import reason

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

LOADERS = {TRAIN: "train_dataloader", VALIDATION: "val_dataloader", TEST: "test_dataloader"}

BATCH = 256
"""Examples that are read at once."""
TWICE = 8
"""Of how many examples it is seen whether they are the same when they are read again."""


@dataclass(frozen=True)
class ModuleExamples:
    """`splits`: features (N, ...) and targets (N,) of each split that was read. `n_test`: how many examples the
    module's test split has, which may not have been read; 0: it has none. `is_drawn`: an example is another one each
    time that it is read."""

    splits: dict[int, tuple[np.ndarray, np.ndarray]]
    n_test: int
    is_drawn: bool

    @property
    def given_N(self) -> np.ndarray:
        """The split of each example that was read, of one after the other."""
        return np.repeat(list(self.splits), [len(y_N) for _, y_N in self.splits.values()]).astype(np.int8)


def read_module(module: Any, name: str, seed: int, *, with_test: bool) -> ModuleExamples:
    """Read it, `name` in what is refused. Without `with_test` its test loader is asked how many examples it has, and
    no more. What it draws at random, a split or a transform, it draws with `seed`.

    Raises ConfigError, one line, for what its code raises, and for loaders whose examples are no fixed arrays.
    """
    with drawing_with(seed), _refusing(name):
        if multiprocessing.parent_process() is None:  # a worker's parent has prepared them
            module.prepare_data()
        splits, is_drawn = dict[int, tuple[np.ndarray, np.ndarray]](), False
        for split in (TRAIN, VALIDATION):
            loader = _loader(module, split, name, seed)
            if loader is not None:
                splits[split] = _read(loader, split, name, seed)
                is_drawn |= _is_drawn(loader)
        _check(TRAIN in splits, "train_dataloader() gives examples", name, "none")
        loader = _loader(module, TEST, name, seed)
        n_test = 0 if loader is None else len(_indices(loader, TEST, name))
        if loader is not None and with_test and n_test > 0:
            splits[TEST] = _read(loader, TEST, name, seed)
        shapes = sorted({x.shape[1:] for x, _ in splits.values()})
        _check(
            len(shapes) == 1,
            "train_dataloader() gives examples of the shape that its other loaders' have",
            name,
            shapes,
        )
        return ModuleExamples(splits, n_test, is_drawn)


def _loader(module: Any, split: int, name: str, seed: int) -> DataLoader[Any] | None:
    """The loader of a split; None where the module has none."""
    from torch.utils.data import DataLoader, IterableDataset

    own, called = LOADERS[split], getattr(module, LOADERS[split], None)
    if called is None or called.__qualname__ == f"DataHooks.{own}":  # Lightning's, which raises
        return None
    seed_generators(seed)
    if hasattr(module, "setup"):
        module.setup("test" if split == TEST else "fit")
    given = called()
    loaders = list(given) if isinstance(given, (list, tuple)) else [given]
    if not loaders or loaders == [None]:
        return None
    one = f"{own}() gives one DataLoader"
    _check(len(loaders) == 1, one, name, f"{len(loaders)} of them")
    _check(isinstance(loaders[0], DataLoader), one, name, type(loaders[0]).__name__)
    loader: DataLoader[Any] = loaders[0]
    is_sized = not isinstance(loader.dataset, IterableDataset) and hasattr(loader.dataset, "__len__")
    _check(is_sized, f"{own}() has a data set with a length and numbered examples", name, type(loader.dataset).__name__)
    _check(loader.batch_size is not None, f"{own}() makes batches of single examples", name, "batch_size=None")
    return loader


def _indices(loader: DataLoader[Any], split: int, name: str) -> Sequence[int]:
    """The numbers of its examples in the data set, whatever order it shuffles them into."""
    from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler, SubsetRandomSampler

    sampler, n = loader.sampler, len(loader.dataset)  # type: ignore[arg-type]
    rule = f"{LOADERS[split]}() takes each of its examples once in an epoch"
    _check(type(loader.batch_sampler) is BatchSampler, rule, name, type(loader.batch_sampler).__name__)
    if isinstance(sampler, SubsetRandomSampler):
        return list(sampler.indices)
    once = isinstance(sampler, RandomSampler) and not sampler.replacement and sampler.num_samples == n
    _check(once or type(sampler) is SequentialSampler, rule, name, type(sampler).__name__)
    return range(n)


def _read(loader: DataLoader[Any], split: int, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All examples of the loader's data set: features and targets."""
    from torch.utils.data import DataLoader

    own = LOADERS[split]
    indices = _indices(loader, split, name)
    _check(len(indices) > 0, f"{own}() gives an example or more", name, "none")
    seed_generators(seed)
    batches = DataLoader(loader.dataset, BATCH, sampler=indices, collate_fn=loader.collate_fn)
    xs, ys = list[np.ndarray](), list[np.ndarray]()
    for batch in batches:
        is_pair = isinstance(batch, (tuple, list)) and len(batch) == 2
        _check(is_pair, f"{own}() gives batches of (features, targets)", name, _kind_of(batch))
        for values, arrays in zip(batch, (xs, ys), strict=True):
            is_array = hasattr(values, "shape") and hasattr(values, "dtype")
            _check(is_array, f"{own}() gives batches of two arrays, features and targets", name, _kind_of(values))
            arrays.append(values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values))
    shapes = {x.shape[1:] for x in xs}
    _check(len(shapes) == 1, f"{own}() gives examples of one shape", name, f"{sorted(shapes)[:3]}")
    x, y = np.concatenate(xs), np.concatenate(ys)
    return x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _is_drawn(loader: DataLoader[Any]) -> bool:
    """Whether an example is another one when it is read again, as a random transform makes it."""
    numbers = list(loader.sampler)[:TWICE]
    once, again = (loader.collate_fn([loader.dataset[i] for i in numbers])[0] for _ in range(2))
    return not np.array_equal(np.asarray(once), np.asarray(again), equal_nan=True)


def _kind_of(given: Any) -> str:
    return f"{len(given)} values" if isinstance(given, (tuple, list)) else type(given).__name__


def _check(holds: bool, rule: str, name: str, found: object) -> None:
    if not holds:
        raise ConfigError(f"`{name}.{rule}` must hold, but got {found}.")


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Whatever the module's own code raises becomes one line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"`{name} gives its examples` must hold, but got {reason(error)}.") from error
