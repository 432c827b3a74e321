"""The champion of a study as a model in MLflow: logged to the study's run, registered, named by the alias `champion`.

N examples, I features, C classes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import mlflow.pyfunc
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

import ridgeline
from ridgeline.fitted import Fitted
from ridgeline.tracking import provenance
from ridgeline.tracking.card import champion_card
from ridgeline.tracking.run import LONGEST_TAG
from ridgeline.tracking.store import Store
from ridgeline.tracking.tracker import Tracker

ALIAS = "champion"
SERVED = Path(__file__).with_name("served.py")
NEEDS = ("mlflow", "torch", "numpy", "safetensors", "PyYAML")
"""What the model imports where it is loaded; Ridgeline itself is in it."""


class Registered(NamedTuple):
    """A version of a registered model: `models:/NAME/VERSION`, and `models:/NAME@champion` until the next one."""

    name: str
    version: str


def register_champion(
    tracker: Tracker, run_id: str, fitted: Fitted, example_NI: np.ndarray, confirmed: Mapping[str, Any]
) -> Registered:
    """Log the model to the study's run `run_id`, register it as `ridgeline-DATA` and move the alias to it.

    `example_NI`: a few raw examples of the train part. `confirmed`: what confirm found, as in confirm.json. Registering
    again makes another version. Raises TrackingError if the store takes it not.
    """
    name = f"ridgeline-{confirmed['data']['name']}"
    run: MlflowRun = tracker.ask("the study's run", lambda store: store.client.get_run(run_id))
    card = _card(name, run, confirmed)
    tags = _tags(confirmed)
    params = {param.key: param.value for param in provenance.params(fitted.config)}

    def create(store: Store) -> LoggedModel:
        source = {"mlflow.source.name": "pipelines/confirm.py", "mlflow.source.type": "LOCAL"}
        experiment = run.info.experiment_id
        return store.client.create_logged_model(experiment, ALIAS, run_id, tags | source, params, "classifier")

    model: LoggedModel = tracker.ask(f"start of model {name}", create)
    model_id = model.model_id
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        _save(folder, Model(run_id=run_id, model_uuid=model_id, model_id=model_id), fitted, example_NI, card)
        tracker.ask(f"files of model {name}", lambda store: store.client.log_model_artifacts(model_id, str(folder)))
    points = _metrics(confirmed, run_id, model_id)

    def finish(store: Store) -> None:
        store.client.finalize_logged_model(model_id, "READY")
        store.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        store.client.log_batch(run_id, points)

    tracker.ask(f"end of model {name}", finish)
    version: str = tracker.ask(f"version of model {name}", lambda store: _version(store, name, model, tags))

    def describe(store: Store) -> None:
        store.client.update_registered_model(name, _about(name, confirmed))
        text = card.partition("\n\n")[2]  # without its title: tables show the first line
        store.client.update_model_version(name, version, text[:LONGEST_TAG])
        store.client.set_registered_model_alias(name, ALIAS, version)
        versions = json.dumps([{"name": name, "version": version}])
        store.client.set_logged_model_tags(model_id, {"mlflow.modelVersions": versions})  # the UI's link to it
        store.client.set_tag(run_id, "ridgeline.champion", f"{name}/{version}")
        store.client.set_tag(run_id, provenance.NOTE, _noted(run, confirmed, name, version)[:LONGEST_TAG])

    tracker.ask(f"alias of model {name}", describe)
    return Registered(name, version)


def _save(folder: Path, model: Model, fitted: Fitted, example_NI: np.ndarray, card: str) -> None:
    """The model as MLflow keeps it: our tensors and YAML, our code, no pickle; with the card."""
    fitted.save(folder.parent / ALIAS)
    inputs = Schema([TensorSpec(np.dtype(np.float32), (-1, fitted.n_features))])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, fitted.n_classes))])
    with _quiet():
        mlflow.pyfunc.save_model(
            str(folder),
            mlflow_model=model,
            python_model=str(SERVED),
            artifacts={ALIAS: str(folder.parent / ALIAS)},
            code_paths=[str(Path(ridgeline.__file__).parent)],
            pip_requirements=[f"{package}=={metadata.version(package).partition('+')[0]}" for package in NEEDS],
            signature=ModelSignature(inputs, outputs),
            input_example=np.asarray(example_NI, np.float32),
        )
    (folder / "README.md").write_text(card)


def _card(name: str, run: MlflowRun, confirmed: Mapping[str, Any]) -> str:
    space = {key.removeprefix("space."): text for key, text in run.data.tags.items() if key.startswith("space.")}
    states = ("complete", "pruned", "failed")
    metrics = run.data.metrics
    tally = {state: int(metrics[f"trials/{state}"]) for state in states if f"trials/{state}" in metrics}
    return champion_card(name, confirmed, space, tally)


def _noted(run: MlflowRun, confirmed: Mapping[str, Any], name: str, version: str) -> str:
    """The description of the study's run, with the verdict before it instead of an earlier one."""
    begin, note = "**Confirmed.** ", run.data.tags.get(provenance.NOTE, "")
    if note.startswith(begin):
        note = note.partition("\n\n")[2]
    champion = f"[{name}, version {version}](#/models/{name}/versions/{version})"
    return f"{begin}{confirmed['verdict']['sentence']} The champion is {champion}.\n\n{note}"


def _about(name: str, confirmed: Mapping[str, Any]) -> str:
    return (
        f"The champions of the studies on {confirmed['data']['name']}; the alias `{ALIAS}` is on the latest that was"
        f" confirmed. `models:/{name}@{ALIAS}` takes raw features and answers the probabilities of the classes."
    )


def _tags(confirmed: Mapping[str, Any]) -> dict[str, str]:
    known = {
        provenance.STUDY: str(confirmed["study"]),
        provenance.TRIAL: str(confirmed["arms"]["best"]["trial"]),
        provenance.DATA_HASH: str(confirmed["data"]["hash"]),
        "ridgeline.verdict": str(confirmed["verdict"]["word"]),
    }
    return known | provenance.revision(Path(__file__).parent)


def _metrics(confirmed: Mapping[str, Any], run_id: str, model_id: str) -> list[Metric]:
    """What was measured on the test part: columns of the model, under the names that they have in the run."""
    test = confirmed["arms"]["best"]["test"]
    values = {"test_error": test["error"]["mean"], "test_loss": test["loss"]["mean"], "ece": test["ece"]}
    now = time.time_ns() // 1_000_000  # ms
    return [
        Metric(f"confirm/best/{key}", float(value), now, 0, model_id=model_id, run_id=run_id)
        for key, value in values.items()
    ]


def _version(store: Store, name: str, model: LoggedModel, tags: dict[str, str]) -> str:
    """A version of this model, and only one: a server may go away after it made it and before it said so."""
    try:
        store.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = model.artifact_location  # not models:/ID, which MLflow looks up in its global store instead of this one
    for known in store.client.search_model_versions(f"name='{name}'"):
        if known.source == source:
            return str(known.version)
    made = store.client.create_model_version(
        name, source, model.source_run_id, tags=tags, model_id=model.model_id, await_creation_for=0
    )
    return str(made.version)


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
