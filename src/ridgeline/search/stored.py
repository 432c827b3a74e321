"""The study that a storage has under a plan's name: it is gone on with if it is the same study, and refused if not."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError
from ridgeline.command_line.paths import STORAGE, STORE, absolute
from ridgeline.config import DataConfig
from ridgeline.config.deciding import NOTHING
from ridgeline.search import identity
from ridgeline.search.folder import MASTER
from ridgeline.search.plan import Plan
from ridgeline.search.storage import open_storage

log = logging.getLogger(__name__)

OF_DATA = {f"data.{f.name}": f.default for f in dataclasses.fields(DataConfig)}
"""What holds of data where their file does not say it."""

NEW = "For a new one: search.study_name=NEW."


def open_study(plan: Plan, folder: Path) -> optuna.Study:
    """The stored study, or a new one if there is none. Raises ConfigError where the stored one is another study."""
    _refuse_other_storage(plan, folder)
    storage = open_storage(plan.config, folder)
    direction = plan.config.direction
    study = optuna.create_study(storage=storage, study_name=plan.name, direction=direction, load_if_exists=True)
    tracked = plan.config.tracking.uri or "the runs folder"
    before = study.user_attrs.get("tracked", tracked)
    if absolute(STORE, before) != tracked:
        raise ConfigError(f"The study {plan.name} is tracked in {before}, but got tracking.uri={tracked}. {NEW}")
    stored = study.user_attrs.get("definition")
    if stored is None:
        study.set_user_attr("tracked", tracked)
        study.set_user_attr("key", uuid.uuid4().hex)
        study.set_user_attr("definition", plan.definition)
        return study
    changes = identity.differences(_lasting(stored), _lasting(plan.definition))
    if changes:
        more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
        raise ConfigError(f"The study {plan.name} is another one: {changes[0]}{more}. {NEW}")
    revised = identity.revised(stored, plan.definition)
    if revised:
        log.warning(f"Since the study {plan.name} began, this changed: {', '.join(revised)}. Its trials are of both.")
    return study


def _refuse_other_storage(plan: Plan, folder: Path) -> None:
    """A folder belongs to the trials of one storage: those of another would take their places."""
    kept = folder / MASTER
    if not kept.is_file():
        return
    try:
        before = absolute(STORAGE, OmegaConf.select(OmegaConf.load(kept), "search.storage"))
    except OmegaConfBaseException:  # it referred to an environment that is no more
        return
    now = plan.config.search.storage
    if before != now:
        where = before or "its folder"
        raise ConfigError(f"The study {plan.name} is stored in {where}, but got search.storage={now}. {NEW}")


def _lasting(definition: dict[str, Any]) -> dict[str, Any]:
    """What must stay the same of a study's definition while it goes on."""
    lasting = {key: value for key, value in definition.items() if key not in identity.REVISIONS}
    # Studies of before may be defined by more: by where their data lay say, which are known by their hash, or by what
    # is so by default.
    keys = definition["config"].items()
    return lasting | {"config": {k: v for k, v in keys if k not in NOTHING and (k not in OF_DATA or v != OF_DATA[k])}}
