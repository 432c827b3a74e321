"""Where examples come from: what is bundled with scikit-learn, what is made, MNIST, files, the user's own.

N examples, I features.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from ridgeline.config import ArraysConfig, ConfigError, DataConfig, ImagesConfig, TableConfig
from ridgeline.config.data import MADE, OF_FILES
from ridgeline.data.bundled import read_bundled
from ridgeline.data.given import TEST
from ridgeline.data.mnist import read_mnist
from ridgeline.data.own import read_own, takes
from ridgeline.data.scaler import OF_VALUES
from ridgeline.data.source import Source, task_of


def read_source(config: DataConfig, *, with_test: bool = False) -> Source:
    """The examples that `data.name` means. Raises ConfigError for a bad file, or a key without effect.

    `with_test`: those of the test split too, where data bring it along in a place of its own.
    """
    source = _read(config, with_test=with_test)
    if source.is_bytes and config.standardize not in OF_VALUES:
        assert source.x_NI is not None
        source = replace(source, x_NI=np.asarray(source.x_NI, np.float32))
    if not config.permute_labels:
        return source
    draw, order_N = np.random.default_rng(config.seed), np.arange(len(source.y_N))
    tests_N = order_N >= len(order_N) - source.n_test if source.given_N is None else source.given_N == TEST
    for own_N in (~tests_N, tests_N):
        order_N[own_N] = draw.permutation(order_N[own_N])
    content = _digest(source.content.encode(), order_N.tobytes())
    return replace(source, y_N=source.y_N[order_N], content=content, examples=None)  # no labels that anybody knows


def _read(config: DataConfig, *, with_test: bool) -> Source:
    for name in ("path", "test_path"):
        place = getattr(config, name)
        if place is not None and config.name not in OF_FILES and not takes(config, name):
            rule = f"data.{name} only with data in {{{', '.join(OF_FILES)}}}"
            raise ConfigError(f"`{rule}` must hold, but got data.{name}={place}.")
    if config.root is not None and config.name != "mnist" and not takes(config, "root"):
        raise ConfigError(f"`data.root only with data=mnist` must hold, but got data.root={config.root}.")
    if config.noise is not None and config.name not in MADE and not takes(config, "noise"):
        rule = f"data.noise only with data in {{{', '.join(MADE)}}}"
        raise ConfigError(f"`{rule}` must hold, but got data.noise={config.noise}.")
    if config.name == "mnist":
        x_NI, y_N, n_test, digests = read_mnist(config.root)
        content = _digest(json.dumps(digests, sort_keys=True).encode())
        return Source(x_NI, y_N, content, (1, 28, 28), n_test, numbered(int(y_N.max()) + 1))
    if isinstance(config, TableConfig):
        from ridgeline.data.table import read_table_source  # pandas, which other data do without

        return read_table_source(config)
    if isinstance(config, ImagesConfig):
        from ridgeline.data.images import read_images  # Pillow

        return read_images(config)
    if isinstance(config, ArraysConfig):
        from ridgeline.data.array_source import read_array_source

        return read_array_source(config)
    if config.name == "own":
        own = read_own(config, with_test=with_test)
        found = _of_arrays(own.x_NI, own.targets.y_N, own.image_shape, own.targets.class_names)
        if own.given_N is None:
            return found
        content = _digest(found.content.encode(), own.given_N.tobytes())
        return replace(found, content=content, given_N=own.given_N, n_locked=own.n_locked, notes=own.notes)
    if config.name in MADE:
        return _of_arrays(*_make(config))
    x_NI, y_N, class_names = read_bundled(config.name)
    return _of_arrays(x_NI, y_N, (1, 8, 8) if config.name == "digits" else None, class_names)


def _make(config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """moons, or friedman (Friedman 1991): of 10 features 5 matter, and the target is
    10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4 + noise."""
    from sklearn.datasets import make_friedman1, make_moons

    if config.examples is None or config.noise is None:
        raise ConfigError(
            f"`data.examples and data.noise are numbers with data={config.name}` must hold, "
            f"but got data.examples={config.examples} data.noise={config.noise}."
        )
    make = make_moons if config.name == "moons" else make_friedman1
    x_NI, y_N = make(config.examples, noise=config.noise, random_state=config.seed)
    return x_NI, y_N


def _of_arrays(
    x_NI: np.ndarray,
    y_N: np.ndarray,
    image_shape: tuple[int, int, int] | None = None,
    class_names: tuple[str, ...] = (),
) -> Source:
    """`class_names`: where there are none and the targets are classes, their numbers."""
    x_NI = np.ascontiguousarray(x_NI, np.float32)
    y_N = np.ascontiguousarray(y_N, np.float64 if task_of(y_N) == "regression" else np.int64)
    if task_of(y_N) == "classification":
        class_names = class_names or numbered(int(y_N.max()) + 1)
    content = _digest(str(x_NI.shape).encode(), x_NI.tobytes(), y_N.tobytes())
    return Source(x_NI, y_N, content, image_shape, class_names=class_names)


def numbered(n_classes: int) -> tuple[str, ...]:
    """Names of classes that have none but their numbers."""
    return tuple(str(number) for number in range(n_classes))


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
