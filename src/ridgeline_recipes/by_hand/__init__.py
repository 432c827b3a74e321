"""A network by hand, in NumPy, beside the same network as Ridgeline trains it."""
