"""The champion of a study as a model in MLflow: logged to the study's run, registered, named by the alias `champion`.

N examples, I features, C classes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlflow.entities import LoggedModel
from mlflow.entities import Run as MlflowRun
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ridgeline.stack.fitted import Fitted
from ridgeline.tracking import provenance
from ridgeline.tracking.card import champion_card
from ridgeline.tracking.logged_model import log_model
from ridgeline.tracking.run import LONGEST_TAG
from ridgeline.tracking.store import Store
from ridgeline.tracking.tracker import Tracker

ALIAS = "champion"
CONTENT = "ridgeline.content"
ABOUT = (
    "The champions of the studies on a data set; the alias `{alias}` is on the one with the strongest verdict, the"
    " latest of equals. `models:/{name}@{alias}` takes raw features and answers {answer}."
)

ENSEMBLE = "ridgeline.ensemble"
"""Of how many networks a version is the mean; none of a network alone."""
VERDICT, SEEDS, TEST_HASH = "ridgeline.verdict", "ridgeline.seeds", "ridgeline.test_hash"
"""Tags of a version that its standing is read from."""

RANKS = {"helps": 3, "no difference shown": 2, "no regularization chosen": 2, "harms": 1}
"""The rank of each verdict. A version with no verdict, or another one, was not confirmed and comes last."""


class Registered(NamedTuple):
    """A version of a registered model, `models:/NAME/VERSION`, and the one that `models:/NAME@champion` is now.

    `is_new`: it was not registered by the same confirm before. `why`: why another one holds the alias.
    """

    name: str
    version: str
    is_new: bool
    holder: str
    why: str | None
    networks: int = 1

    @property
    def sentence(self) -> str:
        model = f"models:/{self.name}@{ALIAS}"
        if self.why is not None:
            return (
                f"Registered as version {self.version} of {self.name}: {model} stays version {self.holder}, {self.why}."
            )
        again = "" if self.is_new else ", as the same confirm registered it before"
        which = "the first of the seeds" if self.networks == 1 else f"the mean of {self.networks} networks"
        return f"Champion: {model}, version {self.version}{again} ({which})"


def model_name(data: str) -> str:
    """Of the champions of these data. It is a part of addresses, so it has no spaces, whatever the data are called."""
    return "ridgeline-" + re.sub(r"[^\w.-]", "_", data)


def register_champion(
    tracker: Tracker, run_id: str, fitted: Fitted, example: Any, confirmed: Mapping[str, Any]
) -> Registered:
    """Log the model to the study's run `run_id`, and register it as `ridgeline-DATA`.

    The alias moves to it unless a version with a stronger verdict holds it. What was registered before, with the same
    weights and verdict, is not registered again. `example`: a few raw examples of the train split, an array or a frame.
    `confirmed`: what confirm found, as in confirm.json. Raises TrackingError if the store takes it not.
    """
    name = model_name(confirmed["data"]["name"])
    run: MlflowRun = tracker.ask("the study's run", lambda store: store.client.get_run(run_id))
    card = _card(name, run, confirmed)
    tags = _tags(confirmed, fitted)
    version: str | None = tracker.ask(f"versions of model {name}", lambda store: _known(store, name, tags[CONTENT]))
    is_new = version is None
    if version is None:
        model = log_model(tracker, name, run, fitted, example, card, tags, confirmed)
        version = str(tracker.ask(f"version of model {name}", lambda store: _version(store, name, model, card, tags)))
        tracker.ask(
            f"description of model {name}", lambda store: _describe(store, name, str(version), model, confirmed["task"])
        )
    holder, why = tracker.ask(f"alias of model {name}", lambda store: _move_alias(store, name, str(version), tags))
    registered = Registered(name, version, is_new, holder, why, len(fitted.networks))

    def note(store: Store) -> None:
        store.client.set_tag(run_id, "ridgeline.champion", f"{name}/{version}")
        store.client.set_tag(run_id, provenance.NOTE, _noted(run, confirmed, registered)[:LONGEST_TAG])

    tracker.ask(f"note of model {name}", note)
    return registered


def _describe(store: Store, name: str, version: str, model: LoggedModel, task: str) -> None:
    answer = "the probabilities of the classes" if task == "classification" else "the target, in its own unit"
    store.client.update_registered_model(name, ABOUT.format(name=name, alias=ALIAS, answer=answer))
    versions = json.dumps([{"name": name, "version": version}])
    store.client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": versions})  # the UI's link to it


def _move_alias(store: Store, name: str, version: str, tags: Mapping[str, str]) -> tuple[str, str | None]:
    """The version that holds the alias then, and why it is another one."""
    on = store.client.get_registered_model(name).aliases.get(ALIAS)
    if on is not None and str(on) != version:
        why = why_it_stays(store.client.get_model_version(name, str(on)), tags)
        if why is not None:
            return str(on), why
    store.client.set_registered_model_alias(name, ALIAS, version)
    return version, None


def _card(name: str, run: MlflowRun, confirmed: Mapping[str, Any]) -> str:
    space = {key.removeprefix("space."): text for key, text in run.data.tags.items() if key.startswith("space.")}
    states = ("complete", "pruned", "failed")
    metrics = run.data.metrics
    tally = {state: int(metrics[f"trials/{state}"]) for state in states if f"trials/{state}" in metrics}
    return champion_card(name, confirmed, space, tally)


def _noted(run: MlflowRun, confirmed: Mapping[str, Any], registered: Registered) -> str:
    """The description of the study's run, with the verdict before it instead of an earlier one."""
    begin, note = "**Confirmed.** ", run.data.tags.get(provenance.NOTE, "")
    if note.startswith(begin):
        note = note.partition("\n\n")[2]
    name, version = registered.name, registered.version
    link = f"[{name}, version {version}](#/models/{name}/versions/{version})"
    which = f"The champion is {link}." if registered.why is None else f"It is {link}, without the alias."
    return f"{begin}{confirmed['verdict']['sentence']} {which}\n\n{note}"


def _tags(confirmed: Mapping[str, Any], fitted: Fitted) -> dict[str, str]:
    known = {
        provenance.STUDY: str(confirmed["study"]),
        provenance.TRIAL: str(confirmed["arms"]["best"]["trial"]),
        provenance.DATA_HASH: str(confirmed["data"]["hash"]),
        VERDICT: str(confirmed["verdict"]["word"]),
        SEEDS: str(len(confirmed["arms"]["best"]["seeds"])),
        TEST_HASH: str(confirmed["opening"]["test_hash"]),
        CONTENT: _content(confirmed, fitted),
    }
    if len(fitted.networks) > 1:
        known[ENSEMBLE] = f"{len(fitted.networks)} networks"
    return known | provenance.own_revision()


def _content(confirmed: Mapping[str, Any], fitted: Fitted) -> str:
    """A hash of the weights and of what was found: the same confirm again has the same one."""
    arms = {name: [arm[key] for key in ("config", "seeds", "test")] for name, arm in confirmed["arms"].items()}
    digest = hashlib.sha256(json.dumps([confirmed["study"], arms], sort_keys=True).encode())
    for network in fitted.networks:
        for key, tensor in sorted(network.weights.items()):
            digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _known(store: Store, name: str, content: str) -> str | None:
    """The latest version with this content."""
    versions = [v for v in store.client.search_model_versions(f"name='{name}'") if v.tags.get(CONTENT) == content]
    return str(max(int(v.version) for v in versions)) if versions else None


def _version(store: Store, name: str, model: LoggedModel, card: str, tags: dict[str, str]) -> str:
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
    text = card.partition("\n\n")[2][:LONGEST_TAG]  # without its title: tables show the first line
    made = store.client.create_model_version(
        name, source, model.source_run_id, tags, description=text, model_id=model.model_id, await_creation_for=0
    )
    return str(made.version)


def why_it_stays(holder: ModelVersion, challenger: Mapping[str, str]) -> str | None:
    """Why the alias stays with `holder` rather than going to a version with the tags of `challenger`; None: it goes.

    A verdict is at least as strong where its rank is higher, or is the same with at least as many seeds. How many seeds
    tells two verdicts apart only where both are of the same test split. The test error plays no role: to choose among
    champions by it would be to choose on the test split.
    """
    ranks = [RANKS.get(tags.get(VERDICT, ""), 0) for tags in (holder.tags, challenger)]
    seeds = [int(tags.get(SEEDS, "0")) for tags in (holder.tags, challenger)]
    if ranks[0] > ranks[1]:
        return f"whose verdict is stronger ({holder.tags[VERDICT]})"
    split = holder.tags.get(TEST_HASH)
    if ranks[0] == ranks[1] and split is not None and split == challenger.get(TEST_HASH) and seeds[0] > seeds[1]:
        return f"whose verdict is the same over more seeds ({seeds[0]})"
    return None
