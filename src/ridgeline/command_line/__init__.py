"""The command line: what was typed, what Hydra composes of it, what is printed, and where results may be written."""
