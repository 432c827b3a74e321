"""Python's search for garbage while a process starts: a fifth of a start's time, for nothing that is loaded is garbage.

Coarse instead of off: an entry point that forgets `search_garbage_as_usual` looks for garbage seldom, but it does.
"""

from __future__ import annotations

import gc

USUAL = gc.get_threshold()
COARSE = (100_000, 50, 1000)
"""Objects more than were there before, after which the young ones are looked through; so often then, the older ones."""


def search_garbage_seldom() -> None:
    """Look for garbage seldom, until `search_garbage_as_usual`."""
    gc.set_threshold(*COARSE)


def search_garbage_as_usual() -> None:
    """Look for it as usual; what was loaded until now is not looked through again. What follows may be called often."""
    if gc.get_threshold() == COARSE:  # once: what a training has left must not be frozen
        gc.freeze()
        gc.set_threshold(*USUAL)
