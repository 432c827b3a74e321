"""Networks: a file each, found by `network.name`. Each is an ordinary `nn.Module`, of which `stacking` makes K fits.

A file has a frozen, checked dataclass `Network`, which imports no torch, and whose `build` makes the module.
"""
