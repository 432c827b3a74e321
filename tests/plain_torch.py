"""The same training without a stack: nn.functional, autograd through the penalty, torch.optim, one fit."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.noise import KeyedNoise

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def train_plain(config: Config, splits: Splits, weights: dict[str, Tensor], n_steps: int) -> dict[str, Tensor]:
    """The weights after `n_steps`, from the given ones, with the order and the masks that the fit's seed keys."""
    n_layers = len(config.network.hidden) + 1
    ws = [weights[f"linears.{i}.weight"].clone().requires_grad_() for i in range(n_layers)]
    bs = [weights[f"linears.{i}.bias"].clone().requires_grad_() for i in range(n_layers)]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer.name]
    knobs = {"sgd": {"momentum": config.optimizer.momentum, "nesterov": config.optimizer.nesterov}}
    if config.optimizer.name == "adamw":
        knobs["adamw"] = {"weight_decay": config.optimizer.weight_decay}
    optimizer = kind([*ws, *bs], lr=config.optimizer.lr, fused=False, **knobs.get(config.optimizer.name, {}))
    noise = KeyedNoise(torch.device("cpu"))
    activation = ACTIVATIONS[config.network.activation]
    rates = config.regularization.dropout_rates(n_layers - 1)
    n, batch = len(splits.train.y_N), config.trainer.batch_size
    step, epoch = 0, 0
    while step < n_steps:
        for positions in noise.order_N(config.seed, epoch, n).split(batch):
            masks = _masks(noise, config, step, len(positions), splits.n_features)
            a = splits.train.x_NI[positions]
            if config.regularization.input_dropout > 0:
                a = a * masks[-1] / (1 - config.regularization.input_dropout)
            for i in range(n_layers):
                z = a @ ws[i] + bs[i].squeeze(0)
                if i < n_layers - 1:
                    a = activation(z)
                    if rates[i] > 0:
                        a = a * masks[i] / (1 - rates[i])
            penalty = sum(config.regularization.l1 * w.abs().sum() for w in ws)
            penalty += sum(config.regularization.l2 / 2 * w.square().sum() for w in ws)
            optimizer.zero_grad()
            (F.cross_entropy(z, splits.train.y_N[positions]) + penalty).backward()
            if config.optimizer.gradient_clip_val is not None:
                torch.nn.utils.clip_grad_norm_([*ws, *bs], config.optimizer.gradient_clip_val)
            optimizer.step()
            step += 1
            if step == n_steps:
                break
        epoch += 1
    named = {f"linears.{i}.weight": w.detach() for i, w in enumerate(ws)}
    return named | {f"linears.{i}.bias": b.detach() for i, b in enumerate(bs)}


def _masks(noise: KeyedNoise, config: Config, step: int, batch: int, n_features: int) -> list[Tensor]:
    """The units kept: a mask a hidden layer, the input's last."""
    widths = [*config.network.hidden, n_features]
    rates = [*config.regularization.dropout_rates(len(config.network.hidden)), config.regularization.input_dropout]
    total = sum(widths) * batch
    (bits,) = noise.bits_KN([config.seed], [step], [True], -(-total // 4))
    pieces = bits.view(torch.int16)[:total].split([width * batch for width in widths])
    return [
        piece.view(batch, width).int() < round((1 - rate) * 65536) - 32768
        for piece, width, rate in zip(pieces, widths, rates, strict=True)
    ]
