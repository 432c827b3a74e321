"""Studies from Python: what the command line does, in this process, on data that lie in memory too.

A study of here and one of the command line are the same study: data in memory become a file in the runs folder, and
what is asked for becomes overrides, from which Hydra composes what it would compose of `train.py -m`.
"""
