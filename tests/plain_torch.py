"""The same training without a stack: nn.functional, autograd through the penalty, torch.optim, one fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Splits
from ridgeline.networks.stacking.noise import KeyedNoise, Purpose

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def train_plain(config: Config, splits: Splits, weights: dict[str, Tensor], n_steps: int) -> dict[str, Tensor]:
    """The weights after `n_steps`, from the given ones, with the order and the masks that the fit's seed keys."""
    n_layers = len(config.network.hidden) + 1
    ws = [weights[f"linears.{i}.weight"].t().clone().requires_grad_() for i in range(n_layers)]
    bs = [weights[f"linears.{i}.bias"].clone().requires_grad_() for i in range(n_layers)]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer.name]
    knobs = {"sgd": {"momentum": config.optimizer.momentum, "nesterov": config.optimizer.nesterov}}
    if config.optimizer.name == "adamw":
        knobs["adamw"] = {"weight_decay": config.optimizer.weight_decay}
    optimizer = kind([*ws, *bs], lr=config.optimizer.lr, fused=False, **knobs.get(config.optimizer.name, {}))
    regularization = config.regularization
    penalized = ws if regularization.penalize == "all" else ws[:-1]
    averages = [torch.zeros_like(value) for value in (*ws, *bs)]
    noise = KeyedNoise(torch.device("cpu"))
    activation = ACTIVATIONS[config.network.activation]
    rates = regularization.dropout_rates(n_layers - 1)
    n, batch = len(splits.train.y_N), config.trainer.batch_size
    step, epoch = 0, 0
    while step < n_steps:
        for positions in noise.order_N(config.seed, epoch, n).split(batch):
            masks = _masks(noise, config, step, len(positions), splits.n_features)
            a, y = splits.train.x_NI[positions], splits.train.y_N[positions]
            if regularization.mixup > 0:
                (share,) = noise.betas_K([config.seed], [step], [regularization.mixup])
                a = share * a + (1 - share) * a.roll(1, dims=0)
            if regularization.input_noise > 0:
                (noise_N,) = noise.normals_KN([config.seed], [step], [True], a.numel())
                a = a + regularization.input_noise * noise_N.view(a.shape)
            if regularization.input_dropout > 0:
                a = a * masks[-1] / (1 - regularization.input_dropout)
            dropped = _weight_factors(noise, config, step, ws)
            for i in range(n_layers):
                z = a @ (ws[i] * dropped[i]) + bs[i]
                if i < n_layers - 1:
                    a = activation(z)
                    if rates[i] > 0:
                        a = a * masks[i] / (1 - rates[i])
            penalty = sum(regularization.l2 / 2 * w.square().sum() for w in penalized)
            if regularization.l1_form == "subgradient":
                penalty += sum(regularization.l1 * w.abs().sum() for w in penalized)
                penalty += sum(regularization.group_lasso * len(w) ** 0.5 * w.norm(dim=0).sum() for w in ws[:-1])
            optimizer.zero_grad()
            smoothing = regularization.label_smoothing
            loss = F.cross_entropy(z, y, label_smoothing=smoothing)
            if regularization.mixup > 0:
                loss = share * loss + (1 - share) * F.cross_entropy(z, y.roll(1), label_smoothing=smoothing)
            (loss + penalty).backward()
            if config.optimizer.gradient_clip_val is not None:
                torch.nn.utils.clip_grad_norm_([*ws, *bs], config.optimizer.gradient_clip_val)
            optimizer.step()
            step += 1
            with torch.no_grad():
                _shrink(penalized, ws[:-1], config, optimizer)
                _bound(penalized, config)
                decay = regularization.weight_average
                newest = (1 - decay) / (1 - decay**step)
                for average, value in zip(averages, [*ws, *bs], strict=True):
                    average.mul_(1 - newest).add_(value, alpha=newest)
            if step == n_steps:
                break
        epoch += 1
    named = {f"linears.{i}.weight": w.t() for i, w in enumerate(averages[:n_layers])}
    return named | {f"linears.{i}.bias": b for i, b in enumerate(averages[n_layers:])}


def _shrink(penalized: list[Tensor], hidden: list[Tensor], config: Config, optimizer: torch.optim.Optimizer) -> None:
    """The proximal steps in the metric of the optimizer: of l1, then of the group lasso, its root by bisection."""
    regularization = config.regularization
    if regularization.l1_form != "proximal":
        return
    for w in penalized if regularization.l1 > 0 else []:
        w.copy_(w.sign() * (w.abs() - _step_sizes(w, config, optimizer) * regularization.l1).clamp_min(0))
    for w in hidden if regularization.group_lasso > 0 else []:
        z = w.double()
        moves = _step_sizes(w, config, optimizer).double() * regularization.group_lasso * math.sqrt(len(w))
        low, high = torch.zeros(w.shape[1]).double(), z.norm(dim=0)
        for _ in range(60):
            middle = (low + high) / 2
            is_below = (z / (middle + moves)).norm(dim=0) > 1
            low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
        w.copy_(torch.where((z / moves).norm(dim=0) > 1, z * high / (high + moves), 0))


def _step_sizes(w: Tensor, config: Config, optimizer: torch.optim.Optimizer) -> Tensor:
    """By how much a step moves each weight for a lasting gradient of 1."""
    if config.optimizer.name == "sgd":
        return torch.full_like(w, config.optimizer.lr / (1 - config.optimizer.momentum))
    moment, steps = optimizer.state[w]["exp_avg_sq"], optimizer.state[w]["step"].item()
    corrected = moment / (1 - config.optimizer.betas[1] ** steps)
    return config.optimizer.lr / (corrected.sqrt() + config.optimizer.eps)


def _bound(ws: list[Tensor], config: Config) -> None:
    """The largest norms."""
    for w in ws if config.regularization.max_norm > 0 else []:
        for unit in w.unbind(dim=1):
            norm = math.sqrt(unit.double().square().sum())
            unit.mul_(min(1.0, config.regularization.max_norm / norm) if norm > 0 else 1.0)


def _weight_factors(noise: KeyedNoise, config: Config, step: int, ws: list[Tensor]) -> list[Tensor | float]:
    """DropConnect: 0 for the weights that are dropped, 1 / (1 - rate) for the others; 1 for the first layer's."""
    rate, sizes = config.regularization.dropconnect, [w.numel() for w in ws[1:]]
    if rate == 0:
        return [1.0] * len(ws)
    (bits,) = noise.bits_KN([config.seed], [step], [True], -(-sum(sizes) // 4), Purpose.WEIGHT_MASK)
    pieces = bits.view(torch.int16)[: sum(sizes)].split(sizes)
    kept = [piece.int() < round((1 - rate) * 65536) - 32768 for piece in pieces]
    return [1.0, *(each.view(w.shape) / (1 - rate) for each, w in zip(kept, ws[1:], strict=True))]


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
