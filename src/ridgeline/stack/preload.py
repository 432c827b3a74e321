"""What the fork server imports for the workers that are forked from it, and what it leaves to its parent."""

import gc

import ridgeline.stack.worker  # noqa: F401
from ridgeline.stack.interrupts import leave_to_parent

leave_to_parent()  # it ends with its parent, and so do workers
gc.freeze()  # all this stays: looking through it again costs a worker memory, and the server's end a second
