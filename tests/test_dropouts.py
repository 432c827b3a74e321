"""A dropout layer's gradient has the factors that its values had. K fits, B batch, W values."""

import pytest
import torch

from ridgeline.networks.stacking.dropouts import Dropout, DropoutOfFit


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", ["relu", None])
@pytest.mark.parametrize("way", ["swapped", "looped"])
def test_the_gradient_has_the_factors_of_the_values_to_the_last_bit(
    way: str, activation: str | None, dtype: torch.dtype
) -> None:
    k, b, w = 2, 64, 32
    layer = Dropout(k, w, dtype=torch.float32, device=torch.device("cpu"), activation=activation)
    layer.set_rates([0.3, 0.6])
    generator = torch.Generator().manual_seed(0)
    layer.bits = torch.randint(-(2**15), 2**15, (k, b, w), dtype=torch.int16, generator=generator)
    x_KBW, grads_KBW = torch.randn(2, k, b, w, generator=generator).to(dtype)
    x_KBW.requires_grad_()
    given_KBW = x_KBW * 1
    if way == "swapped":
        y_KBW = layer(given_KBW)
    else:
        y_KBW = torch.stack([DropoutOfFit(layer, fit)(x_BW) for fit, x_BW in enumerate(given_KBW)])
    y_KBW.backward(grads_KBW)
    passes_KBW = y_KBW != 0
    scale_K11 = torch.tensor([1 / 0.7, 1 / 0.4]).view(k, 1, 1).to(dtype)
    assert y_KBW.dtype == dtype
    assert torch.equal(y_KBW, torch.where(passes_KBW, x_KBW * scale_K11, 0))
    assert torch.equal(x_KBW.grad, torch.where(passes_KBW, grads_KBW * scale_K11, 0))
    share_K = passes_KBW.float().mean((1, 2)) / (0.5 if activation else 1)
    assert torch.allclose(share_K, torch.tensor([0.7, 0.4]), atol=0.05)
