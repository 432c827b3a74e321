"""A network as a model in MLflow: logged to the study's run, with all that it needs to be served; no pickle in it.

N examples, I features, C classes.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.entities import Run as MlflowRun
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType

from ridgeline.config import as_tree
from ridgeline.config.own_code import imported, own_sources
from ridgeline.stack.fitted import Fitted
from ridgeline.tasks.figures import BESIDE
from ridgeline.tracking import provenance
from ridgeline.tracking.card import members_of
from ridgeline.tracking.names import metric_name
from ridgeline.tracking.store import Store
from ridgeline.tracking.tracker import Tracker

KIND = "champion"
"""The name of such logged models, and of the folder in them that holds the network."""
SERVED = Path(__file__).with_name("served.py")
NEEDS = ("mlflow", "torch", "numpy", "safetensors", "PyYAML")
"""The packages that the model needs where it is loaded. Ridgeline's own code is part of the model."""
OF_TABLES = ("pandas", "scikit-learn")
"""Those that a table needs besides."""


def log_model(
    tracker: Tracker,
    name: str,
    run: MlflowRun,
    fitted: Fitted,
    example: Any,
    card: str,
    tags: dict[str, str],
    confirmed: Mapping[str, Any],
) -> LoggedModel:
    """The model as an output of the study's run."""
    run_id = run.info.run_id
    params = {param.key: param.value for param in provenance.params(fitted.config)}

    def create(store: Store) -> LoggedModel:
        source = {"mlflow.source.name": "pipelines/confirm.py", "mlflow.source.type": "LOCAL"}
        experiment = run.info.experiment_id
        kind = {"classification": "classifier", "regression": "regressor"}[fitted.task]
        return store.client.create_logged_model(experiment, KIND, run_id, tags | source, params, kind)

    model: LoggedModel = tracker.ask(f"start of model {name}", create)
    model_id = model.model_id
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        _save(folder, Model(run_id=run_id, model_uuid=model_id, model_id=model_id), fitted, example, card)
        tracker.ask(f"files of model {name}", lambda store: store.client.log_model_artifacts(model_id, str(folder)))
    points = _metrics(confirmed, run_id, model_id)

    def finish(store: Store) -> None:
        store.client.finalize_logged_model(model_id, "READY")
        store.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        store.client.log_batch(run_id, points)

    tracker.ask(f"end of model {name}", finish)
    return model


def _save(folder: Path, model: Model, fitted: Fitted, example: Any, card: str) -> None:
    """The model as MLflow keeps it: our tensors and YAML, our code, no pickle; with the card."""
    fitted.save(folder.parent / KIND)
    is_table = fitted.scaler.encoder is not None
    needs = (*NEEDS, *OF_TABLES) if is_table else NEEDS
    if fitted.config.model is not None:
        needs = (*needs, *(package for package in _packages_of(fitted) if package not in needs))
    with _quiet():
        mlflow.pyfunc.save_model(
            str(folder),
            mlflow_model=model,
            python_model=str(SERVED),
            artifacts={KIND: str(folder.parent / KIND)},
            code_paths=[str(Path(__file__).parents[1])],
            pip_requirements=[f"{package}=={metadata.version(package).partition('+')[0]}" for package in needs],
            signature=signature_of(fitted),
            input_example=example if is_table else np.asarray(example, np.float32),
        )
    (folder / "README.md").write_text(card)


def _packages_of(fitted: Fitted) -> list[str]:
    """What a module of the user's own needs: Lightning, and what its source files import."""
    files = own_sources([as_tree(network.config) for network in fitted.networks])
    names = {name.partition(".")[0] for text in files.values() for name in imported(text)}
    known = metadata.packages_distributions()
    found = {known[name][0] for name in names - {"ridgeline"} if name in known}
    return sorted(found | {"pytorch-lightning", "scikit-learn", "pandas"})


def signature_of(fitted: Fitted) -> ModelSignature:
    """What goes in and comes out. A table's columns have their types; of an array MLflow would refuse any other dtype
    than one that is named here, so none is: served.py takes every number."""
    if fitted.task == "regression":
        outputs = Schema([TensorSpec(np.dtype(np.float64), (-1,))])
    elif fitted.scaler.encoder is not None:
        outputs = Schema([ColSpec(DataType.float, name) for name in fitted.class_names])
    else:
        outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, fitted.n_classes))])
    if fitted.scaler.encoder is None:
        return ModelSignature(outputs=outputs)
    example = fitted.scaler.encoder.example
    inputs = Schema([ColSpec(_type_of(example[name]), str(name), required=False) for name in example.columns])
    return ModelSignature(inputs, outputs)


def _type_of(column: pd.Series) -> DataType | AnyType:
    """Text, a date, or anything: MLflow takes no whole number for a column of `double`, and nothing missing in one of
    `long` or `boolean`, which a next file may well have. What is no number the encoder refuses."""
    if column.dtype.kind == "M":
        return DataType.datetime
    is_text = column.dtype.kind not in "biuf" and all(isinstance(value, str) for value in column.dropna())
    return DataType.string if is_text else AnyType()


def _metrics(confirmed: Mapping[str, Any], run_id: str, model_id: str) -> list[Metric]:
    """Log what was measured on the test split as metrics of the model, by the names that they have in the run."""
    of_ensemble = bool(members_of(confirmed))
    test = (confirmed["ensemble"]["sides"] if of_ensemble else confirmed["arms"])["best"]["test"]
    name = "best_ensemble" if of_ensemble else "best"
    values = {f"test_{key}": test[key]["mean"] for key in (confirmed["figure"], "loss")}
    values |= {key: test[key] for key in BESIDE if key in test}
    now = time.time_ns() // 1_000_000  # ms
    return [
        Metric(metric_name(f"confirm/{name}/{key}"), float(value), now, 0, model_id=model_id, run_id=run_id)
        for key, value in values.items()
    ]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow says on each step that it takes, and how a model might have been described otherwise."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
