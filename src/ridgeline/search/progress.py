"""A study's progress on stderr: trials done, failed, the best so far, the time left. Then what is left to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from optuna.study import Study
from optuna.trial import TrialState
from tqdm import tqdm

from ridgeline.config import Config
from ridgeline.search.ranking import Setting, counts, ran


class Progress:
    """A tqdm bar over the trials that count."""

    def __init__(self, study: Study, config: Config, total: int) -> None:
        self.metric = config.metric
        self.bar = tqdm(
            total=total,
            initial=min(len(ran(study)), total),
            desc="study",
            unit="trial",
            file=sys.stderr,
            dynamic_ncols=True,
            mininterval=0.1 if sys.stderr.isatty() else 30.0,  # a log file needs no animation
            disable=not config.trainer.enable_progress_bar,
        )

    def show(self, study: Study, best: Sequence[Setting]) -> None:
        trials = ran(study)
        running = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        tally = counts(trials)
        words = [f"best {self.metric} {best[0].value:.4g}"] if best else []
        counted = {"running": running, "pruned": tally["pruned"], "failed": tally["failed"]}
        words += [f"{count} {state}" for state, count in counted.items() if count]
        self.bar.set_postfix_str(", ".join(words), refresh=False)
        self.bar.update(min(len(trials), self.bar.total) - self.bar.n)

    def say(self, line: str) -> None:
        """A line above the bar."""
        tqdm.write(line, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """One line on stdout: what begins, and when it has ended, how long that took."""
    began = time.monotonic()
    print(f"{what}: ", end="", flush=True)
    try:
        yield
    finally:
        print(f"{time.monotonic() - began:.1f} s", flush=True)
