"""The convolutional network of MNIST-1D's authors (Greydanus, Kobak 2024), as its paper has it: plain torch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Signal1D(nn.Module):
    """Three convolutions of stride 2 over a row of numbers, then a linear layer."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 25) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, width, 5, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.third = nn.Conv1d(width, width, 3, stride=2, padding=1)
        length = (n_inputs - 3) // 2 + 1
        for _ in range(2):
            length = (length - 1) // 2 + 1
        self.head = nn.Linear(width * length, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.unsqueeze(1)))
        x = F.relu(self.third(F.relu(self.second(x))))
        return self.head(x.flatten(1))
