"""What the fork server imports for the workers that are forked from it, and what it leaves to its parent."""

from ridgeline.stack.garbage import search_garbage_as_usual, search_garbage_seldom
from ridgeline.stack.interrupts import leave_to_parent

search_garbage_seldom()
import ridgeline.stack.worker  # noqa: E402, F401

leave_to_parent()  # it ends with its parent, and so do workers
search_garbage_as_usual()  # looking through all this again would cost a worker memory, and the server's end a second
