"""The champion as MLflow serves it. MLflow copies this file into the model and runs it where that is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from ridgeline.checking import ConfigError
from ridgeline.lightning.fitted import load_champion


class Champion(PythonModel):
    """Raw features (N, I), an array or a DataFrame of whatever numbers, to what `Fitted.predict` makes of them.

    Of a table: a DataFrame with the file's own columns; the probabilities have a column for each class, by its name.
    """

    _skip_type_hint_validation = True  # else MLflow asks on each load for hints, which it would read as the signature

    def load_context(self, context: PythonModelContext) -> None:
        self._fitted = load_champion(Path(context.artifacts["champion"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow takes hints for rules
        if self._fitted.scaler.encoder is None:
            return self._fitted.predict(_features_NI(model_input, self._fitted.n_features))
        try:
            found = self._fitted.predict(pd.DataFrame(model_input))
        except ConfigError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None
        return pd.DataFrame(found, columns=list(self._fitted.class_names)) if found.ndim == 2 else found


def _features_NI(given, n_features):  # type: ignore[no-untyped-def]
    """The input as a float32 array. Raises MlflowException, which a server answers with 400."""
    try:
        x_NI = np.asarray(given)
        x_NI = x_NI.astype(np.float32) if x_NI.dtype.kind in "biufO" else x_NI
    except (TypeError, ValueError) as error:
        raise MlflowException(f"Input is not numbers: {error}", INVALID_PARAMETER_VALUE) from None
    if x_NI.dtype != np.float32:
        raise MlflowException(f"dtype of input {x_NI.dtype} is not one of numbers.", INVALID_PARAMETER_VALUE)
    if x_NI.ndim != 2 or x_NI.shape[1] != n_features:
        rule = f"does not match expected shape {(-1, n_features)}"
        raise MlflowException(f"Shape of input {x_NI.shape} {rule}.", INVALID_PARAMETER_VALUE)
    return x_NI


set_model(Champion())
