"""What an entry point refuses before anything is written: a bad value, a key that is not its own or has no effect."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import typed_keys
from ridgeline.command_line.commands import key_of
from ridgeline.command_line.composed import as_typed, conceal_config, plain, unresolved
from ridgeline.command_line.outputs import require_folder
from ridgeline.command_line.paths import settle, with_absolute_paths
from ridgeline.command_line.precision import settle_precision
from ridgeline.config import Config, parse
from ridgeline.config.foreign import words_on_unused
from ridgeline.config.idle import idle_keys, refuse_idle
from ridgeline.config.predict import PredictConfig, parse_predict
from ridgeline.entry_points.mistakes import one_line, one_line_errors
from ridgeline.trial.messages import opening_words


def checked(cfg: DictConfig) -> Config:
    """The checked configuration of what Hydra composed."""
    return parse(_resolved(cfg))


def checked_prediction(cfg: DictConfig) -> PredictConfig:
    """Of what Hydra composed of conf/predict.yaml."""
    return parse_predict(_resolved(cfg))


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    try:
        return with_absolute_paths(plain(cfg))
    except OmegaConfBaseException as error:  # a reference that leads nowhere
        raise ConfigError(one_line(error)) from error


def require_overrides_of(*keys: str) -> None:
    """Raise ConfigError for an argument with another key: what is read back, or fixed, has its own values of those."""
    for override in as_typed(HydraConfig.get().overrides.task):
        key = key_of(override)
        if not any(key == known or key.startswith(f"{known}.") for known in keys):
            raise ConfigError(f"`{key}` cannot be set here, only {', '.join(keys)}: {override}.")


def refuse_keys(arguments: Sequence[str], *keys: str) -> None:
    """Raise ConfigError for an argument with one of these keys, which the entry point sets itself."""
    for argument in arguments:
        if re.split(r"[./@=]", argument.lstrip("+~"), maxsplit=1)[0] in keys:
            raise ConfigError(f"`{', '.join(keys)}` are for this pipeline to set, but got {argument}.")


class RefuseBadInput(Callback):
    """Makes the paths of a single run absolute and checks it, before Hydra makes its job folder. The sweeper does both
    for studies."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        from ridgeline.trial.requirements import warnings_of

        conceal_config(config)  # of which the job's files are made
        try:
            with one_line_errors():
                parsed = check_single(config)
        except Exception:  # Hydra makes a warning of it, and would go on
            traceback.print_exc()
            raise SystemExit(1) from None
        given = as_typed(config.hydra.overrides.task)
        print(opening_words(parsed, given, config.hydra.run.dir), flush=True)
        for line in words_on_unused(unresolved(config)):
            print(line, flush=True)
        for warning in warnings_of(parsed):
            print(f"warning: {warning}", file=sys.stderr)


def check_single(config: DictConfig) -> Config:
    """Raise ConfigError for a single run that cannot begin, or of which a typed key is without effect."""
    settle_precision(config, settle(config))
    parsed = checked(config)
    refuse_idle(typed_keys(as_typed(config.hydra.overrides.task)), idle_keys(parsed))
    require_folder(config.hydra.run.dir, "hydra.run.dir")
    if config.hydra.runtime.choices.get("search", "grid") != "grid":
        raise ConfigError(f"A search needs --multirun (-m), but got search={parsed.search.name} without it.")
    from ridgeline.trial.requirements import asks_torch, check_device, check_surroundings

    check_surroundings(parsed)
    if asks_torch(parsed):
        check_device(parsed)
    return parsed
