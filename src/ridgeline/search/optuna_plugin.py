"""A search that a file describes for Hydra's Optuna plugin, under `hydra.sweeper`, becomes one of `search`.

What the file says is put before the arguments, as if it had been typed: `hydra.sweeper.n_trials: 20` as
`search.n_trials=20`, an entry of `params` as the sweep of its key. What was really typed takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import ConfigError, nearest, require
from ridgeline.command_line.commands import key_of
from ridgeline.command_line.composed import as_typed
from ridgeline.quoting import setting
from ridgeline.target import TARGET

SAME = ("study_name", "storage", "n_trials", "n_jobs", "max_failure_rate", "direction")
"""What the group `search` calls by the same name."""
OF_SEARCH = {"seed": "search.seed", "n_startup_trials": "search.n_startup_trials"}
"""What the plugin gives to a sampler, and a study has for any."""
METRIC = "optimized_metric"
"""Where the Lightning-Hydra template says what the trials return."""


def with_its_search(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The configuration and the arguments of the study; as they are where no file says anything to the plugin."""
    sweeper: Any = OmegaConf.to_container(master.hydra.sweeper, resolve=True)
    said = {key: value for key, value in sweeper.items() if key not in (TARGET, "_recursive_", "_convert_")}
    if not said:
        return master, list(arguments)
    typed = {key_of(argument) for argument in arguments}
    added = [line for line in _lines(said, master.get(METRIC)) if key_of(line) not in typed]
    whole = [*added, *arguments]
    overrides = [*as_typed(master.hydra.overrides.hydra), *whole]
    return loader.load_configuration(master.hydra.job.config_name, overrides, RunMode.MULTIRUN), whole


def _lines(said: Mapping[str, Any], metric: Any) -> Iterator[str]:
    """The arguments that say the same."""
    known = (*SAME, "sampler", "params")
    for name, value in said.items():
        if name not in known and value is not None:
            rule = f"hydra.sweeper of a file has {', '.join(known)}"
            raise ConfigError(f"`{rule}` must hold, but got hydra.sweeper.{name}. {nearest(name, known)}")
    yield "search=bayes"
    yield "~search.params"
    if metric is not None:
        yield setting("metric", metric)
    for name in SAME:
        value = said.get(name)
        rule = f"hydra.sweeper.{name} is one value, for a study has one metric,"
        require(not isinstance(value, list), rule, f"hydra.sweeper.{name}", value)
        if value is not None:
            yield setting(f"search.{name}", value)
    for name, value in (said.get("sampler") or {}).items():
        if name not in OF_SEARCH:
            yield setting(f"++search.sampler.{name}", value)
        elif value is not None:
            yield setting(OF_SEARCH[name], value)
    for key, sweep in (said.get("params") or {}).items():
        yield f"{key}={sweep}" if isinstance(sweep, str) else setting(key, sweep)
