"""What the fork server imports for the workers that are forked from it, and what it leaves to its parent."""

from ridgeline.stack.interrupts import leave_to_parent
from ridgeline.stack.starting import is_started, starts

starts()
import ridgeline.stack.worker  # noqa: E402, F401

leave_to_parent()  # it ends with its parent, and so do workers
is_started()  # looking through all this again would cost a worker memory, and the server's end a second
