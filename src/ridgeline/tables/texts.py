"""Free text as numbers: the leading components of its character n-grams, as skrub's StringEncoder has them.

N rows, G n-grams, K components.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ridgeline.tables.values import key_of

N_COMPONENTS = 30
N_GRAMS = 20_000
"""No more n-grams than the so many most frequent ones."""
N_FITTED = 20_000
"""No more rows than that, evenly spread, decide n-grams and components."""


@dataclass(frozen=True)
class Text:
    """TF-IDF of the n-grams of 3 and 4 characters within words, projected on its first singular vectors. Then without
    the train rows' mean, and with a mean variance of 1: one scale for all components, so that the first weigh most.

    A missing text is an empty one.
    """

    grams: tuple[str, ...]
    idf_G: np.ndarray
    projection_GK: np.ndarray
    mean_K: np.ndarray
    scale: np.ndarray

    def apply(self, column: pd.Series) -> np.ndarray:
        projected_NK = self._vectorizer.transform(texts_of(column)) @ self.projection_GK
        components_NK: np.ndarray = (projected_NK - self.mean_K) / self.scale
        return components_NK

    @functools.cached_property
    def _vectorizer(self) -> Any:
        vectorizer = vectorizer_of(vocabulary=list(self.grams))
        vectorizer.idf_ = self.idf_G
        return vectorizer

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}


def vectorizer_of(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), dtype=np.float32, **options)


def texts_of(column: pd.Series) -> list[str]:
    """The values as texts, empty where missing."""
    missing = column.isna().to_numpy()
    return ["" if gone else key_of(value) for gone, value in zip(missing, column.tolist(), strict=True)]


def fit_text(column: pd.Series, n_components: int) -> Text:
    """The n-grams and components of train rows. Components beyond what these rows have are 0."""
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    texts = texts_of(column.iloc[:: -(-len(column) // N_FITTED)])
    vectorizer = vectorizer_of(max_features=N_GRAMS)
    try:
        weights_NG = vectorizer.fit_transform(texts)
    except ValueError:  # no text has a letter
        weights_NG = vectorizer.fit_transform(["-"])
    n_grams = weights_NG.shape[1]
    projection_GK = np.zeros((n_grams, n_components), np.float32)
    if n_grams > 1:
        svd = TruncatedSVD(min(n_components, n_grams), random_state=0)
        with threadpool_limits(1):  # whose sums have one order
            svd.fit(weights_NG)
        projection_GK[:, : len(svd.components_)] = svd.components_.T
    projected_NK = (weights_NG @ projection_GK).astype(np.float64)
    scale = np.sqrt(projected_NK.var(axis=0).mean())
    grams = tuple(vectorizer.get_feature_names_out().tolist())
    return Text(grams, vectorizer.idf_, projection_GK, projected_NK.mean(axis=0), np.array(scale or 1.0))
