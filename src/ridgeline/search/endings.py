"""How a trial ends, and how that outlives a process that is killed before Optuna is told; how a study ends early."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from ridgeline.command_line.composed import plain
from ridgeline.command_line.outputs import write_whole
from ridgeline.command_line.passwords import hidden_everywhere

RESULT = "result.json"
"""The file in a job's folder that says how the job ended; it is not there before."""

INTERRUPTED_CODE = 130
"""Exit code after Ctrl-C, as shells have it."""

ATTRIBUTES = ("run_id", "best_epoch", "epochs", "seconds", "metrics")
"""What a study keeps of each trial's result, beside its value."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended. If it failed, `value` is None and `reason` says why in one line; if it was pruned, both are
    None."""

    value: float | None
    reason: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


class StudyStopped(Exception):
    """A study ended before its goal, or without a result: one line that says why. `code` is the exit code."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


class JobExited(Exception):
    """A job called exit. Hydra catches exceptions alone, so it gets this one, and the study goes on."""


class Recorded:
    """The task function of a job, with a file in the job's folder that says what it returned or raised."""

    def __init__(self, task: Callable[[Any], Any]) -> None:
        self.task = task

    def __call__(self, config: Any) -> Any:
        path = Path(HydraConfig.get().runtime.output_dir) / RESULT
        stored = path.parent / ".hydra" / "config.yaml"
        if stored.exists():  # Hydra leaves references in it, which no later reader could resolve
            OmegaConf.save(OmegaConf.create(plain(config)), stored)
        try:
            result = self.task(config)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into exit(1)
                raise KeyboardInterrupt from error
            exited = JobExited(error.code)
            _write(path, {"reason": one_line(exited)})
            raise exited from error
        except Exception as error:
            _write(path, {"reason": one_line(error)})
            raise
        _write(path, dict(result) if isinstance(result, Mapping) else {"value": result})
        return result


def one_line(error: BaseException) -> str:
    """The type and the text of an exception, without secrets."""
    return hidden_everywhere(f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": "))


def ending_of(returned: JobReturn) -> Ending:
    """How a job ended that a launcher ran."""
    if returned.status == JobStatus.COMPLETED:
        return _ending(returned.return_value)
    error = returned._return_value  # the property would raise it, after printing it
    return Ending(None, one_line(error) if isinstance(error, BaseException) else "The job gave no result.")


def recorded_ending(folder: Path) -> Ending | None:
    """How a job ended, by the file in its folder; None if it did not end."""
    try:
        content = json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None
    return Ending(None, content["reason"]) if "reason" in content else _ending(content)


def _ending(result: Any) -> Ending:
    fields = result if isinstance(result, Mapping) else {"value": result}
    attributes = {key: fields[key] for key in ATTRIBUTES if fields.get(key) is not None}
    value = fields.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Ending(None, f"The job returned no number, but {value!r}.", attributes)
    if not math.isfinite(value):
        return Ending(None, f"The job returned {value}.", attributes)
    return Ending(float(value), None, attributes)


def _write(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, default=str))
