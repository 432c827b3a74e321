"""Rounds in which every rival takes a turn, one at a time, so that a busy machine slows all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from progress import Progress
from rivals.crew import Crew, Rival, Turn
from rivals.workloads import Workload


class Rounds:
    """Processes start when a rival first needs them, and serve all that follow: imports take longer than a slice."""

    def __init__(self, folder: Path, options: dict[str, Any], progress: Progress) -> None:
        self._folder, self._options, self._progress = folder, options, progress
        self._crews: dict[tuple[str, bool, bool], Crew] = {}

    def measure(self, workload: Workload, rivals: Sequence[Rival], rounds: int) -> dict[str, list[Turn]]:
        """The turns of each rival, one a round. Raises CrewFailed."""
        self._progress.say(f"{workload.name}: {len(rivals)} rivals make themselves ready")
        crews = {rival.key: self._crew_of(rival) for rival in rivals}
        for crew in dict.fromkeys(crews.values()):
            crew.prepare([rival for rival in rivals if crews[rival.key] is crew], workload)
        for crew in dict.fromkeys(crews.values()):
            crew.wait_until_ready()
        turns: dict[str, list[Turn]] = {rival.key: [] for rival in rivals}
        for number in range(rounds):
            for rival in rivals:
                self._progress.say(f"{workload.name}, round {number + 1} of {rounds}: ({rival.key}) {rival.title}")
                turns[rival.key].append(crews[rival.key].run(rival.key, seed=number))
        return turns

    def dismiss(self) -> None:
        """End the processes."""
        for crew in self._crews.values():
            crew.dismiss()

    def _crew_of(self, rival: Rival) -> Crew:
        place = rival.module, rival.on_all_cores, rival.fills_gpu
        if place not in self._crews:
            self._crews[place] = Crew(rival, self._folder, self._options)
        return self._crews[place]
