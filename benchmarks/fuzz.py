"""Configurations drawn at random over all groups and keys.

What is valid, both launchers train to the same bits. What is not, is refused in one line, in time, nothing written.

python benchmarks/fuzz.py                      300 of them, the same ones each time
python benchmarks/fuzz.py --count 24 --seed 7

Half are valid: each is a study of two or three small trials, trained as a stack and one by one. The others have one
mistake: each is checked in this process as the pipelines do, and every eighth is typed as a command of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from drawing import draw_valid
from inprocess import Studies, studies
from mistakes import draw_mistaken
from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import check_arguments, read_arguments
from ridgeline.command_line.composed import as_typed
from ridgeline.entry_points import ROOT, check_single, checked, one_line, one_trial
from ridgeline.search.plan import make_plan
from ridgeline.search.ranking import outcome
from ridgeline.search.study import written_out
from ridgeline.trial.run import run_trial

SECONDS = 2.0
"""In which a command is to be refused, on a machine that does nothing else."""
FIXED = ["trainer.num_threads=1", "hydra/job_logging=none", "hydra/hydra_logging=none"]


@one_trial
def train(cfg: DictConfig) -> Any:
    return run_trial(checked(cfg), Path(HydraConfig.get().runtime.output_dir))


def compare(made: Studies, line: list[str]) -> str | None:
    """What is wrong with a valid study: None if both launchers end with the same bits."""
    tables = []
    for launcher in (["hydra.launcher.workers=2", "hydra.launcher.stack_size=2"], ["hydra/launcher=basic"]):
        trials = made.run(*line, *launcher, task=train).trials
        told = {t.number: (t.state.name, t.value, t.params, outcome(t).get("metrics")) for t in trials}
        tables.append([told[number] for number in sorted(told)])
    return None if repr(tables[0]) == repr(tables[1]) else f"stack {tables[0]}\n  basic {tables[1]}"


def refuse(line: list[str], runs: Path) -> str | None:
    """What is wrong with how a mistake is refused, in this process: None if in one line, with nothing written."""
    try:
        arguments = read_arguments([f"runs={runs}", *line])  # the last of a key counts
        check_arguments(arguments)
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            if arguments.multirun:
                hydra = GlobalHydra.instance().hydra
                assert hydra is not None
                master = hydra.compose_config("config", arguments.overrides, RunMode.MULTIRUN)
                context = HydraContext(config_loader=hydra.config_loader, callbacks=None)  # type: ignore[arg-type]
                typed = as_typed(master.hydra.overrides.task)
                make_plan(context, master, typed, written_out(master, typed))
            else:
                check_single(compose("config", overrides=arguments.overrides, return_hydra_config=True))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        composing = any(frame.name == "_load_configuration_impl" for frame in frames)
        text = str(error) if isinstance(error, ConfigError) else one_line(error)
        if not isinstance(error, ConfigError) and not composing and "hydra" not in type(error).__module__:
            return f"{type(error).__name__}: {text}"
        return "several lines" if "\n" in text else "files are left" if any(runs.parent.iterdir()) else None
    return "it is taken"


def type_out(line: list[str], runs: Path) -> str | None:
    """The same of a command in a process of its own; says how long it took where that is too long."""
    env = {**os.environ, "RIDGELINE_RUNS": str(runs)}
    command = [sys.executable, str(ROOT / "pipelines" / "train.py"), *line]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=runs.parent, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode == 0 or done.stdout or done.stderr.count("\n") != 1:
        return f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    if any(runs.parent.iterdir()):
        return "files are left"
    return f"it takes {seconds:.1f} s" if seconds > SECONDS else None


def run(count: int, seed: int, *, timed: bool) -> list[str]:
    """A line for each configuration with which something is wrong."""
    torch.set_num_threads(1)
    wrong = []
    with studies(FIXED) as made:
        for number in range(count):
            draw = random.Random(f"{seed}/{number}")
            line = draw_valid(draw) if number % 2 == 0 else draw_mistaken(draw)
            with tempfile.TemporaryDirectory(prefix="ridgeline-fuzz-") as folder:
                try:
                    if number % 2 == 0:
                        found = compare(made, line)
                    else:
                        found = refuse(line, Path(folder) / "runs")
                        if found is None and number % 16 == 1:
                            found = type_out(line, Path(folder) / "runs")
                except Exception as error:
                    found = f"{type(error).__name__}: {error}"
            if found is not None and (timed or not found.startswith("it takes")):
                wrong.append(f"{number}: {' '.join(line)}\n  {found}")
                print(wrong[-1], flush=True)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--untimed", action="store_true", help="a refusal may take long: the machine is shared")
    asked = parser.parse_args()
    found = run(asked.count, asked.seed, timed=not asked.untimed)
    print(f"{asked.count} configurations, {len(found)} with something wrong")
    sys.exit(1 if found else 0)
