"""The champion as MLflow serves it. MLflow copies this file into the model and runs it where that is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from ridgeline.fitted import load_fitted


class Champion(PythonModel):
    """Raw features (N, I) float32 to probabilities (N, C) float32."""

    _skip_type_hint_validation = True  # else MLflow asks on each load for hints, which it would read as the signature

    def load_context(self, context: PythonModelContext) -> None:
        self._fitted = load_fitted(Path(context.artifacts["champion"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow takes hints for rules
        return self._fitted.probabilities_NC(np.asarray(model_input))


set_model(Champion())
