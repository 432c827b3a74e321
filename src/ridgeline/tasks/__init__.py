"""What is predicted: a class, or a number. A task owns its losses and the figures that tell how well it is done.

The package names them without importing torch, for a configuration is checked long before anything trains.
"""
