"""All parameters of a fit in one contiguous row: what per-fit optimizers, penalties and best weights work on.

K fits, P parameters of one fit, W of them weights (the first W of a row; biases follow).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Rows:
    """Moves a network's parameters into rows, of which the modules keep views, and gathers their gradients."""

    def __init__(self, network: nn.Module) -> None:
        named = sorted(network.named_parameters(), key=lambda item: item[0].endswith("bias"))  # stable: weights first
        example = named[0][1]
        k = example.shape[0]
        sizes = [p[0].numel() for _, p in named]
        self.n_weights = sum(size for (name, _), size in zip(named, sizes, strict=True) if not name.endswith("bias"))
        self.values_KP = torch.empty(k, sum(sizes), dtype=example.dtype, device=example.device)
        self.grads_KP = torch.zeros_like(self.values_KP)
        self._shapes = {name: tuple(p.shape[1:]) for name, p in named}
        self._grads: list[tuple[nn.Parameter, Tensor]] = []
        offset = 0
        for (_, parameter), size in zip(named, sizes, strict=True):
            view = self.values_KP[:, offset : offset + size].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            self._grads.append((parameter, self.grads_KP[:, offset : offset + size].view(parameter.shape)))
            offset += size

    @property
    def weights_KW(self) -> Tensor:
        return self.values_KP[:, : self.n_weights]

    def differentiate(self, losses_K: Tensor) -> None:
        """Overwrite the gradient rows: d loss_k / d row_k. The sum keeps fits apart: no loss depends on another row.

        The stack-aware layers overwrite their parameters' `grad`, which are views of the rows.
        """
        for parameter, grad in self._grads:  # anew each time: Lightning sets them to None when it starts
            parameter.grad = grad
        losses_K.sum().backward()

    def clip_gradients_(self, max_norm_K: Tensor) -> None:
        """Scale each fit's gradient down to its own largest norm; infinity leaves it as it is."""
        norm_K = torch.linalg.vector_norm(self.grads_KP, dim=1)
        # As in torch.nn.utils.clip_grad_norm_; infinite limits would give inf / inf where a gradient overflows.
        factor_K = torch.where(max_norm_K.isinf(), 1.0, (max_norm_K / (norm_K + 1e-6)).clamp(max=1.0))
        self.grads_KP.mul_(factor_K.unsqueeze(1))

    def unpack(self, row_P: Tensor) -> dict[str, Tensor]:
        """One fit's row as named tensors without the axis K, on the CPU."""
        tensors: dict[str, Tensor] = {}
        offset = 0
        for name, shape in self._shapes.items():
            size = torch.Size(shape).numel()
            tensors[name] = row_P[offset : offset + size].view(shape).detach().cpu().clone()
            offset += size
        return tensors
