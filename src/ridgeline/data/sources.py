"""Where examples come from: what is bundled with scikit-learn, what is made, MNIST, the user's own.

N examples, I features.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from ridgeline.config import ConfigError, DataConfig, TableConfig
from ridgeline.config.data import MADE
from ridgeline.data.mnist import read_mnist
from ridgeline.data.own import read_own, takes
from ridgeline.data.source import Source, task_of


def read_source(config: DataConfig) -> Source:
    """The examples that `data.name` means. Raises ConfigError for a bad file, or a key without effect."""
    source = _read(config)
    if not config.permute_labels:
        return source
    draw, n_free = np.random.default_rng(config.seed), len(source.y_N) - source.n_test
    order_N = np.concatenate([draw.permutation(n_free), n_free + draw.permutation(source.n_test)])
    return replace(source, y_N=source.y_N[order_N], content=_digest(source.content.encode(), order_N.tobytes()))


def _read(config: DataConfig) -> Source:
    for name in ("path", "test_path"):
        place = getattr(config, name)
        if place is not None and config.name != "table" and not takes(config, name):
            raise ConfigError(f"`data.{name} only with data=table` must hold, but got data.{name}={place}.")
    if config.root is not None and config.name != "mnist" and not takes(config, "root"):
        raise ConfigError(f"`data.root only with data=mnist` must hold, but got data.root={config.root}.")
    if config.noise is not None and config.name not in MADE and not takes(config, "noise"):
        rule = f"data.noise only with data in {{{', '.join(MADE)}}}"
        raise ConfigError(f"`{rule}` must hold, but got data.noise={config.noise}.")
    if config.name == "mnist":
        x_NI, y_N, n_test, digests = read_mnist(config.root)
        return Source(x_NI, y_N, _digest(json.dumps(digests, sort_keys=True).encode()), (28, 28), n_test)
    if isinstance(config, TableConfig):
        from ridgeline.data.table import read_table_source  # pandas, which other data do without

        return read_table_source(config)
    if config.name == "own":
        return _of_arrays(*read_own(config))
    if config.name in MADE:
        return _of_arrays(*_make(config))
    from sklearn import datasets  # takes a second, which MNIST need not wait for

    if config.name == "diabetes":  # scaled=False: features and target as they were measured
        return _of_arrays(*datasets.load_diabetes(return_X_y=True, scaled=False))
    load = {"digits": datasets.load_digits, "breast_cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}
    x_NI, y_N = load[config.name](return_X_y=True)
    return _of_arrays(x_NI, y_N, (8, 8) if config.name == "digits" else None)


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


def _of_arrays(x_NI: np.ndarray, y_N: np.ndarray, image_shape: tuple[int, int] | None = None) -> Source:
    x_NI = np.ascontiguousarray(x_NI, np.float32)
    y_N = np.ascontiguousarray(y_N, np.float64 if task_of(y_N) == "regression" else np.int64)
    return Source(x_NI, y_N, _digest(str(x_NI.shape).encode(), x_NI.tobytes(), y_N.tobytes()), image_shape)


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
