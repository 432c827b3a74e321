"""Hydra's composition in this process: of the overrides that the command `train.py -m` would have had."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from ridgeline.checking import ConfigError
from ridgeline.command_line import own_conf
from ridgeline.command_line.arguments import check_arguments, read_arguments, with_targets
from ridgeline.command_line.composed import as_typed, conceal_argument
from ridgeline.command_line.paths import readable
from ridgeline.command_line.places import RUNS
from ridgeline.config import Config
from ridgeline.entry_points import checked, one_line
from ridgeline.entry_points.mistakes import is_mistake
from ridgeline.quoting import setting


@contextmanager
def composed(overrides: Sequence[str]) -> Iterator[tuple[HydraContext, DictConfig, list[str]]]:
    """What Hydra hands a sweeper: its context, the configuration, the arguments. It can compose until the block ends.

    Raises ConfigError, one line, for whatever Hydra would refuse too.
    """
    arguments = read_arguments(["--multirun", *(readable(conceal_argument(override)) for override in overrides)])
    check_arguments(arguments)
    given = with_targets(arguments.overrides)
    with own_conf.entered() as folder, initialize_config_dir(str(folder), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        with one_line_mistakes():
            master = hydra.compose_config("config", given, RunMode.MULTIRUN, with_log_configuration=False)
        context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
        yield context, master, as_typed(master.hydra.overrides.task)


@contextmanager
def one_line_mistakes() -> Iterator[None]:
    """Each error of Hydra's that a user's mistake causes becomes a ConfigError of one line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        if not is_mistake(error):
            raise
        raise ConfigError(one_line(error)) from error


def compose(overrides: Sequence[str]) -> Config:
    """The checked configuration that these overrides mean."""
    with composed(overrides) as (_, master, _):
        return checked(master)


def runs_folder(runs: str | os.PathLike[str] | None) -> Path:
    """The folder that is meant by `runs`, as the command line finds it where it is None."""
    given = runs if runs is not None else os.environ.get("RIDGELINE_RUNS", "").strip() or RUNS
    return Path(os.path.abspath(Path(given).expanduser()))


def of_runs(runs: Path) -> str:
    return setting("runs", runs)
