"""A small network of dense layers."""

from itertools import pairwise

from torch import Tensor, nn


class DenseNet(nn.Module):
    """Three hidden layers with BatchNorm and dropout."""

    def __init__(
        self,
        input_size: int = 64,
        lin1_size: int = 64,
        lin2_size: int = 128,
        lin3_size: int = 64,
        output_size: int = 10,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        sizes = [input_size, lin1_size, lin2_size, lin3_size]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(lin3_size, output_size))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))
