"""Networks of K fits: plain modules with a leading axis K."""

from ridgeline.networks.layers import Dropout, Linear
from ridgeline.networks.mlp import MLP

__all__ = ["MLP", "Dropout", "Linear"]
