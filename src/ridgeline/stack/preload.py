"""What the fork server imports for the workers that are forked from it."""

import gc

import ridgeline.stack.worker  # noqa: F401

gc.freeze()  # all this stays: looking through it again costs a worker memory, and the server's end a second
