"""Confirming as a whole: check the study, confirm it, write the files into its folder, bring all of it to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ridgeline.command_line.commands import Where
from ridgeline.command_line.outputs import require_writable
from ridgeline.config import ConfirmConfig, as_tree
from ridgeline.config.deciding import COURSE, NOT_TRAINED, NOTHING
from ridgeline.evaluation.ablation_words import ALONE, WITHOUT
from ridgeline.evaluation.arms import BEST, Arm
from ridgeline.evaluation.confirm_folder import RECORD, whole_record, write, write_summary
from ridgeline.evaluation.confirmable import check
from ridgeline.evaluation.confirmation import LEDGER, Confirmation, confirm
from ridgeline.evaluation.earlier import keep_answers, read_record, say_kept
from ridgeline.evaluation.fitted import fitted_of
from ridgeline.evaluation.opened import OpenTest
from ridgeline.evaluation.stored import CONFIRMED, StoredStudy
from ridgeline.evaluation.verdict import HARMS, closing_words
from ridgeline.search.folder import locked
from ridgeline.stack.ensemble import FittedEnsemble
from ridgeline.stack.fitted import Fitted
from ridgeline.tasks.figures import BESIDE
from ridgeline.tracking import Tracker, check_store
from ridgeline.tracking.card import members_of
from ridgeline.tracking.champion import ALIAS, register_champion
from ridgeline.tracking.provenance import commit, versions

NO_PREDICTIONS = "No champion is registered: what the module gives is no prediction of an example. It is kept."
ENDS = {"mean": "", "low": "_low", "high": "_high"}
SEEDS = 20
"""Of how many networks at most a model of regression has the weights, for the spread of what it predicts."""


def confirm_study(
    stored: StoredStudy, settings: ConfirmConfig, open_test: OpenTest, say: Callable[[str], None] = print
) -> None:
    """Say the verdict, store it, and then bring it to MLflow: if MLflow fails, the verdict is there all the same.

    Raises ConfigError before anything is written, FitsFailed where training fails, TrackingError where MLflow does.
    """
    check(stored, ensemble=settings.ensemble)
    check_store(stored.config)
    folder, ledger = stored.folder / CONFIRMED, Path(stored.config.runs) / LEDGER
    require_writable(settings.summary, "confirm.summary", csv=True)
    for path in (ledger, folder / RECORD):  # else it is found out when the test split is open already
        require_writable(path, "runs")
    by = commit()
    with locked(stored.folder):
        found = confirm(stored, settings, open_test, folder, by, say)
        say(closing_words(found.record))
        command = train_again(stored, found.arms[BEST])
        for arm, member in zip(*_members(found), strict=True):
            member["command"] = train_again(stored, arm)
        record, before = whole_record(found, {**by, "versions": versions(), "command": command}), read_record(folder)
        record = keep_answers(record, before)
        paths = write(found, record, folder)
        if settings.summary is not None:
            write_summary(found, Path(settings.summary))
        for line in say_kept(record, before):
            say(line)
        say(f"Files: {folder}\nTrain it again: {train_again(stored, found.arms[BEST], where='here')}")
        if stored.run_id is not None:
            say(_log(found, record, stored, stored.run_id, paths))


def _log(found: Confirmation, record: dict[str, Any], stored: StoredStudy, run_id: str, paths: list[Path]) -> str:
    """Write numbers, verdict and files into the study's run, register the champion; what to say about that."""
    made = _champion(found)
    with Tracker(stored.config) as tracker:
        run = tracker.reopen(run_id)
        run.log_metrics(dict(_numbers("confirm", found.record)))
        verdict = found.record["verdict"]
        run.set_tags({"verdict": verdict["word"], "verdict.sentence": verdict["sentence"]})
        for path in paths:
            run.log_file(path, CONFIRMED)
        if verdict["word"] == HARMS:
            return "No champion: the baseline is better."
        if made is None:
            return NO_PREDICTIONS
        fitted, example = made
        registered = register_champion(tracker, run_id, fitted, example, record)
    if fitted.scaler.encoder is None:
        return registered.sentence
    model = f"{registered.name}@{ALIAS}" if registered.why is None else f"{registered.name}/{registered.version}"
    return f"{registered.sentence}\nPredict with it: {stored.line.predict(model)}"


def _members(found: Confirmation) -> tuple[list[Arm], list[dict[str, Any]]]:
    """The study's networks in the ensemble, and what the record says of each."""
    if BEST not in found.ensembles:
        return [], []
    return found.ensembles[BEST].arms, found.record["ensemble"]["sides"][BEST]["members"]


def _champion(found: Confirmation) -> tuple[Fitted, Any] | None:
    """What is registered, of the first of the seeds: the ensemble where one was asked for and averaging does not harm,
    else the best network. None: what it gives is no prediction."""
    if members_of(found.record):
        average = found.ensembles[BEST]
        made = [fitted_of(arm.config, arm.fits[0].weights) for arm in average.arms]
        members = [one[0] for one in made if one is not None]
        return (FittedEnsemble.of(members, average.shares), made[0][1]) if made[0] is not None else None
    arm = found.arms[BEST]
    others = [fit.weights for fit in arm.fits[1:SEEDS]] if found.measuring.task == "regression" else []
    return fitted_of(arm.config, arm.fits[0].weights, others)


def _numbers(prefix: str, record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    figure = record["figure"]
    keys = [key for key in (figure, "loss") if key in record["difference"]]
    for name, arm in record["arms"].items():
        for key in keys:
            yield f"{prefix}/{name}/test_{key}", arm["test"][key]["mean"]
        yield from ((f"{prefix}/{name}/{key}", arm["test"][key]) for key in BESIDE if key in arm["test"])
        if "gap" in arm:
            yield f"{prefix}/{name}/gap", arm["gap"]["mean"]
    for key in keys:
        yield f"{prefix}/difference/test_{key}", record["difference"][key]["mean"]
        yield f"{prefix}/difference/test_{key}_low", record["difference"][key]["low"]
        yield f"{prefix}/difference/test_{key}_high", record["difference"][key]["high"]
    yield f"{prefix}/p_value", record["difference"][figure]["p_value"]
    for side, own in record.get("ensemble", {}).get("sides", {}).items():
        name, gain = f"{prefix}/{side}_ensemble", record["ensemble"]["gain"][side]
        for key in keys:
            yield f"{name}/test_{key}", own["test"][key]["mean"]
            yield from ((f"{name}/gain_{key}{end}", gain[key][of]) for of, end in ENDS.items())
    for one in record.get("ablation", {}).get("regularizers", ()):
        for kind in (WITHOUT, ALONE):
            if "gain" in one[kind]:
                for name in ("mean", "low", "high"):
                    yield f"{prefix}/ablation/{one['key']}/{kind}/gain_{name}", one[kind]["gain"][name]
                yield f"{prefix}/ablation/{one['key']}/{kind}/adjusted_p", one[kind]["adjusted_p"]


def train_again(stored: StoredStudy, arm: Arm, *, where: Where = "anywhere") -> str:
    """The command that trains a confirmed network again, with the first of its seeds, whose weights are the champion's.

    What it has and its trial had not, a learning rate say, is set.
    """
    trial = next(t for t in stored.study.trials if t.number == arm.candidate.trial)
    its, own = _flat(as_tree(stored.config_of(trial.number))), _flat(as_tree(arm.config))
    own["seed"] = arm.seeds[0]
    differs = {
        key: value for key, value in own.items() if its.get(key, ...) != value and key not in (*NOTHING, *COURSE)
    }
    return stored.line.retrain(trial.params, differs, where=where)


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{path}.{name}" if path else name
        if path == "" and name in NOT_TRAINED:
            continue
        # A callback is there or is not: it is set as a whole.
        flat |= _flat(value, key) if isinstance(value, dict) and path != "callbacks" else {key: value}
    return flat
