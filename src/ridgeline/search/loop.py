"""A study goes on from the state that its storage is in, to its goal or to Ctrl-C."""

from __future__ import annotations

import logging

from ridgeline.search.ask_tell import AskTell
from ridgeline.search.launching import Launcher
from ridgeline.search.one_by_one import run_one_by_one
from ridgeline.search.resume import close_running, put_in_order
from ridgeline.search.streaming import Streaming

log = logging.getLogger(__name__)


def run_to_goal(trials: AskTell, launcher: Launcher) -> None:
    """Train the trials that are left. Raises StudyStopped, or KeyboardInterrupt when all trials are in order."""
    streaming = None
    if launcher.stack is not None and launcher.can_stream(trials.plan):
        streaming = Streaming(trials, launcher.stack, launcher.master)
    elif trials.plan.config.search.pruner is not None:
        log.warning("search.pruner prunes in the stack launcher alone: each trial trains to its end.")
    takes_up = streaming.takes_up if streaming is not None else lambda trial: False
    try:
        put_in_order(trials, takes_up)
        if streaming is not None:
            streaming.run()
        run_one_by_one(trials, launcher.launch)  # also what a stream has left: trials that a kill took half-way
    except KeyboardInterrupt:
        trials.records.hasten()
        trials.records.interrupt_trials("interrupted")
        close_running(trials, takes_up)
        raise
    trials.check_failures()
