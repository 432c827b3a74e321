"""Networks of K fits: plain modules with a leading axis K."""

from ridgeline.networks.layers import Dropout, Linear
from ridgeline.networks.mlp import MLP, class_count, layer_sizes

__all__ = ["MLP", "Dropout", "Linear", "class_count", "layer_sizes"]
