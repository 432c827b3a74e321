"""K fits that differ in batchable hyperparameters alone, trained as one model.

`fitting.fit` trains a stack here and now; `stream.Stream` keeps the stacks of worker processes full. Lightning takes
seconds to import, so this package imports none of its modules: a process that only sends fits to workers goes without.
"""

from ridgeline.processes import preload

preload("ridgeline.stack.preload")
