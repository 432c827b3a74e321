"""What a study says on the terminal until it ends: what it will do, before torch is imported; then how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.study import Study
from tqdm import tqdm

from ridgeline.bars import bar_of
from ridgeline.command_line.numbers import number
from ridgeline.config import Config
from ridgeline.search.launching import SLOTS, STACK_LAUNCHER, Launcher, StackSettings
from ridgeline.search.plan import Plan
from ridgeline.search.ranking import Setting, ran
from ridgeline.search.tally import Tally
from ridgeline.tracking.address import look_at_study

IN_TURN = (STACK_LAUNCHER, "hydra._internal.core_plugins.basic_launcher.BasicLauncher")
"""Launchers that run jobs one after the other, however many they get at once."""

REDUCTION = 4
"""The reduction factor of Optuna's successive halving where none is given."""

GPU_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap", "/dev/kfd")
"""Files of GPU drivers, without any of which torch finds no GPU: NVIDIA's on Linux, WSL and Jetson, and AMD's."""


def opening_words(plan: Plan, study: Study, folder: Path, launcher: Launcher) -> str:
    """What will be tried, how often, by whom and where, and how to watch it."""
    done, keys = len(ran(study)), ", ".join(d.key for d in plan.line.space)
    over = f" over {keys}" if keys else ""
    if done >= plan.n_trials:  # nobody trains any more
        return f"Study {plan.name}: {done} of {plan.n_trials} trials are done{over}, in {folder}"
    trials = _counted(plan.n_trials, "trial") if done == 0 else f"{done} of {plan.n_trials} trials are done,"
    return "\n".join(
        [
            f"Study {plan.name}: {trials}{over}, {_by_whom(plan, study, launcher)}, into {folder}",
            f"Watch it: {look_at_study(plan.config, plan.name)}",
            *_idle_pruner(plan),
        ]
    )


def _idle_pruner(plan: Plan) -> Iterator[str]:
    """A line on a pruner that lets each trial of this study train to its end, by its own rule."""
    trials, epochs = ("search.n_trials", plan.n_trials), ("trainer.max_epochs", plan.config.trainer.max_epochs)
    settings, at = plan.config.search.pruner or {}, "search.pruner"
    while settings:
        for name, words, least in _waits(settings):
            key, most = trials if name == "n_startup_trials" else epochs
            if least >= most:
                yield f"Its pruner will end no trial, for {at}.{words} and {key}={most}."
        settings, at = settings.get("wrapped_pruner") or {}, f"{at}.wrapped_pruner"


def _waits(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """What a pruner waits for: a key, how it is set, and the trials or epochs after which a trial may be pruned."""
    given = {name: value for name, value in settings.items() if isinstance(value, int)}
    for name in ("n_startup_trials", "n_warmup_steps"):
        if name in given:
            yield name, f"{name}={given[name]}", given[name]
    if "patience" in given:  # a value, and `patience` epochs and one more that are all worse
        yield "patience", f"patience={given['patience']}", given["patience"] + 2
    if "min_resource" in given:
        rate, factor = given.get("min_early_stopping_rate", 0), given.get("reduction_factor", REDUCTION)
        words = f", reduction_factor={factor}, min_early_stopping_rate={rate}" if rate else ""
        yield "min_resource", f"min_resource={given['min_resource']}{words}", given["min_resource"] * factor**rate


def _by_whom(plan: Plan, study: Study, launcher: Launcher) -> str:
    settings = launcher.stack
    if settings is None or launcher.goes_on_with_one(plan):
        n, target = plan.config.search.n_jobs, launcher.master.hydra.launcher._target_
        return "one by one" if n == 1 or target in IN_TURN else f"{n} at a time"
    if (stored := study.user_attrs.get(SLOTS)) is not None:
        return _counted(stored[0], "worker")
    return workers_of(plan.config, settings, plan.n_trials)


def workers_of(config: Config, settings: StackSettings, n_trials: int) -> str:
    """Who will train the trials, as far as it can be told without torch and without asking a cluster."""
    if settings.address is not None:
        return f"on the Ray cluster {settings.address}"
    if may_have_gpu(config):
        return "on the GPU if torch can use it"
    return _counted(min(settings.count_workers(config, gpu=False), n_trials), "worker")


def may_have_gpu(config: Config) -> bool:
    """Whether torch may find a GPU; that it will is for torch to say."""
    return config.trainer.accelerator != "cpu" and any(Path(driver).exists() for driver in GPU_DRIVERS)


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


class Progress:
    """A tqdm bar on stderr over the trials that count: how many failed, the best so far, the time left."""

    def __init__(self, study: Study, config: Config, total: int) -> None:
        self.metric = config.metric
        self.bar = bar_of(
            total=total,
            initial=min(len(ran(study)), total),
            desc="study",
            unit="trial",
            disable=not config.trainer.enable_progress_bar,
        )

    def show(self, tally: Tally, best: Sequence[Setting]) -> None:
        words = [f"best {self.metric} {number(best[0].value)}"] if best else []
        counted = {"running": tally.running, "pruned": tally.pruned, "failed": tally.failed}
        words += [f"{count} {state}" for state, count in counted.items() if count]
        self.bar.set_postfix_str(", ".join(words), refresh=False)
        self.bar.update(min(tally.ran, self.bar.total) - self.bar.n)

    def say(self, line: str) -> None:
        """A line above the bar."""
        tqdm.write(line, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print one line: what begins and, once it has ended, how long it took. In a log file, to which others write, at
    once when it has ended."""
    began, is_watched = time.monotonic(), sys.stdout.isatty()
    if is_watched:
        print(f"{what}: ", end="", flush=True)
    try:
        yield
    finally:
        print(f"{'' if is_watched else f'{what}: '}{time.monotonic() - began:.1f} s", flush=True)
