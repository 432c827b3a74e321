"""How a study was made: data, revision, versions, seeds, time, trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.trial import FrozenTrial

from ridgeline.config import TableConfig
from ridgeline.evaluation.stored import StoredStudy
from ridgeline.report.facts import STATES
from ridgeline.report.notation import counted, moment, seconds
from ridgeline.search.ranking import outcome, state_of
from ridgeline.tracking.provenance import GIT_COMMIT, GIT_DIRTY


def how_made(
    stored: StoredStudy, tags: Mapping[str, str], confirmed: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """The rows of the page's last table: a name and a value each."""
    trials, config = stored.study.get_trials(deepcopy=False), stored.config
    search, defined = config.search, stored.definition
    states = [state_of(t) for t in trials]
    sampler = str((search.sampler or {}).get("_target_", "every combination")).rpartition(".")[2]
    pruner = str((search.pruner or {}).get("_target_", "none")).rpartition(".")[2]
    versions = _short({k: v for k, v in sorted(tags.items()) if k.startswith("versions.")})
    versions = versions or {"torch": defined["torch"], "optuna": defined["optuna"]}
    rows = [
        ("Data", f"{config.data.title}, hash {', '.join(defined['data'])}"),
        ("Target", config.data.target or "" if isinstance(config.data, TableConfig) else ""),
        ("Examples", _examples(confirmed["data"]) if confirmed else ""),
        ("Revision", _revision(tags.get(GIT_COMMIT), tags.get(GIT_DIRTY) == "true")),
        ("Source", f"hash {defined['code']}"),
        ("Versions", _listed(versions)),
        ("Space", "; ".join(f"{d.key} = {d.text}" for d in stored.line.space)),
        ("Search", f"{search.name}, sampler {sampler}, pruner {pruner}, {counted(len(trials), 'trial')}"),
        ("Trials", ", ".join(f"{states.count(s):,} {s.lower()}" for s in STATES if s in states)),
        ("Seeds", f"search {search.seed}, fits {_seeds(stored)}, split {config.data.seed}"),
        ("Time", time_of(trials)),
    ]
    if confirmed:
        made, arms = confirmed["made"], confirmed["arms"]
        rows += [
            ("Confirmed", _revision(made["commit"], made["dirty"])),
            ("Its versions", _listed(_short(made["versions"]))),
            ("Its seeds", ", ".join(str(seed) for seed in arms["best"]["seeds"])),
            ("Its time", seconds(made["seconds"])),
        ]
    rows += [("MLflow run", stored.run_id or ""), ("Folder", str(stored.folder))]
    return [(name, value) for name, value in rows if value]


def _examples(data: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{count:,} {part}" for part, count in data["examples"].items())
    return f"{parts}; {data['features']} features" + f", {data['classes']} classes" * (data["classes"] > 0)


def _seeds(stored: StoredStudy) -> str:
    swept = next((d.text for d in stored.line.space if d.key == "seed"), None)
    return swept if swept is not None else str(stored.config.seed)


def time_of(trials: Sequence[FrozenTrial]) -> str:
    """When, and how long trials ran: wall time without the pauses, and all of theirs together."""
    starts = [t.datetime_start for t in trials if t.datetime_start and t.datetime_complete]
    if not starts:
        return ""
    together = sum(outcome(t).get("seconds") or 0.0 for t in trials)
    wall = seconds(wall_seconds(trials))
    return f"{moment(_utc(min(starts)))}, {wall} of wall time; {seconds(together)} summed over the trials"


def wall_seconds(trials: Sequence[FrozenTrial]) -> float:
    """For how many seconds at least one of the trials ran."""
    spans = sorted((t.datetime_start, t.datetime_complete) for t in trials if t.datetime_start and t.datetime_complete)
    wall, until = 0.0, spans[0][0] if spans else None
    for start, end in spans:
        assert until is not None
        wall += max(0.0, (end - max(start, until)).total_seconds())
        until = max(until, end)
    return wall


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()  # Optuna's times are local ones without a zone


def _revision(commit: str | None, is_dirty: bool) -> str:
    if not commit:
        return "unknown"
    return f"{commit}, with uncommitted changes" if is_dirty else commit


def _short(versions: Mapping[str, str]) -> dict[str, str]:
    """The versions by the names of the packages alone."""
    return {name.removeprefix("versions."): version for name, version in versions.items()}


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
