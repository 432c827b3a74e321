"""The champion as MLflow serves it. MLflow copies this file into the model, and runs it wherever the model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from ridgeline.fitted import load_fitted


class Champion(PythonModel):
    """Raw features (N, I) float32 to probabilities (N, C) float32."""

    def load_context(self, context: PythonModelContext) -> None:
        self._fitted = load_fitted(Path(context.artifacts["champion"]))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        return self._fitted.probabilities_NC(np.asarray(model_input))


set_model(Champion())
