"""A command as its user starts it, and how much of the processors it and its descendants took, moment by moment."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

INTERVAL = 0.1
"""Seconds between looks; one takes about a millisecond."""

TICK = os.sysconf("SC_CLK_TCK")


class CommandFailed(RuntimeError):
    """The command's last lines."""


@dataclass(frozen=True)
class Look:
    """CPU seconds so far at `at` (seconds since 1970): of the command's own process, and of its descendants."""

    at: float
    own: float
    children: float


@dataclass(frozen=True)
class Watched:
    """`seconds`: from the command's start to its end."""

    seconds: float
    looks: list[Look]

    def own_cpu(self, start: float, end: float) -> float:
        """CPU seconds of the command's own process between two moments."""
        return self._between([look.own for look in self.looks], start, end)

    def children_cpu(self, start: float, end: float) -> float:
        """Those of the processes that it started, and that these started."""
        return self._between([look.children for look in self.looks], start, end)

    def _between(self, cpu: Sequence[float], start: float, end: float) -> float:
        before, after = np.interp([start, end], [look.at for look in self.looks], cpu)
        return float(after - before)


def watch(command: Sequence[str], output: Path, cwd: Path, environment: Mapping[str, str]) -> Watched:
    """Run a command to its end, with what it says in a file. Raises CommandFailed at an exit code other than 0."""
    started = time.monotonic()
    looks = [Look(time.time(), 0.0, 0.0)]
    children: dict[int, float] = {}  # one that has ended keeps what it had
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        try:
            while True:
                try:
                    code = process.wait(INTERVAL)
                    break
                except subprocess.TimeoutExpired:
                    looks.append(_look(process.pid, looks[-1].own, children))
        except BaseException:
            process.terminate()
            process.wait()
            raise
    seconds = time.monotonic() - started
    if code != 0:
        said = output.read_text(errors="replace").splitlines()[-15:]
        raise CommandFailed("\n".join([f"exit code {code} of {' '.join(command)}", *said]))
    return Watched(seconds, looks)


def _look(pid: int, own: float, children: dict[int, float]) -> Look:
    cpu, parent = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # a name may hold spaces
        except OSError:  # it has ended
            continue
        one = int(folder.name)
        cpu[one], parent[one] = (int(fields[11]) + int(fields[12])) / TICK, int(fields[1])  # user and system
    for one in parent:
        ancestor = one
        while ancestor := parent.get(ancestor, 0):
            if ancestor == pid:
                children[one] = cpu[one]
    return Look(time.time(), max(own, cpu.get(pid, own)), sum(children.values()))
