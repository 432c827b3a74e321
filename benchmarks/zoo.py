"""Public architectures, each in a few lines, as strangers write them: plain torch, nothing that knows of this project.

The small images (C, H, W) that they are given are read as what each of them is for: flat rows, images, a signal a row,
tokens, or categories. B examples in a batch.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


class BatchNormMLP(nn.Sequential):
    """Linear, BatchNorm, ReLU, Dropout; then the same again, and a Linear."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 128, dropout: float = 0.2) -> None:
        layers: list[nn.Module] = []
        for i, o in pairwise((n_inputs, width, width)):
            layers += [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(width, n_outputs))


class ResidualBlock(nn.Module):
    """x + Linear(Dropout(ReLU(Linear(BatchNorm(x)))))."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.widen = nn.Linear(width, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.dropout(F.relu(self.widen(self.norm(x)))))


class ResidualMLP(nn.Module):
    """A ResNet of tables (Gorishniy et al. 2021)."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 128, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Linear(n_inputs, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, dropout) for _ in range(depth)))
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.norm(self.blocks(self.first(x)))))


class PreNormBlock(nn.Module):
    """BatchNorm, ReLU, convolution, twice, beside a shortcut (He et al. 2016, identity mappings)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(n_in), nn.BatchNorm2d(n_out)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        is_same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(y))) + self.shortcut(x)


class PreNormResNet(nn.Module):
    """A small pre-activation ResNet with its own initialization."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False)
        self.layers = nn.Sequential(PreNormBlock(width, width, 1), PreNormBlock(width, 2 * width, 2))
        self.norm = nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(2 * width, n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.layers(self.stem(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class LeNet(nn.Module):
    """Two convolutions with pooling, then two Linears (LeCun et al. 1998), as in torch's own tutorials."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, channels: tuple[int, int] = (6, 16)) -> None:
        super().__init__()
        n_channels, height, width = input_shape
        self.conv1 = nn.Conv2d(n_channels, channels[0], 5, padding=2)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 3, padding=1)
        self.fc1 = nn.Linear(channels[1] * (height // 4) * (width // 4), 64)
        self.fc2 = nn.Linear(64, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), (2, 2))
        x = torch.flatten(x, 1)  # all but the batch
        return self.fc2(torch.tanh(self.fc1(x)))


class VGG(nn.Module):
    """Stacks of 3 x 3 convolutions between poolings, a classifier with dropout (Simonyan, Zisserman 2015)."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 8) -> None:
        super().__init__()
        n_channels, height, image_width = input_shape
        self.features = nn.Sequential(*self._stage(n_channels, width), *self._stage(width, 2 * width))
        self.classifier = nn.Sequential(
            nn.Linear(2 * width * (height // 4) * (image_width // 4), 64),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(64, n_outputs),
        )

    @staticmethod
    def _stage(n_in: int, n_out: int) -> list[nn.Module]:
        first, second = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)
        return [first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)


class DepthwiseSeparable(nn.Module):
    """Depthwise and pointwise convolutions (Howard et al. 2017, MobileNet)."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False),
            *(nn.BatchNorm2d(width), nn.ReLU6(inplace=True)),
            nn.Conv2d(width, width, 3, stride=2, padding=1, groups=width, bias=False),
            *(nn.BatchNorm2d(width), nn.ReLU6(inplace=True)),
            nn.Conv2d(width, 2 * width, 1, bias=False),
            *(nn.BatchNorm2d(2 * width), nn.ReLU6(inplace=True)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classifier = nn.Linear(2 * width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.body(x))


class UNet(nn.Module):
    """One level of a U-Net (Ronneberger et al. 2015): down, up, and the skipped channels joined to it by a cat."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.before = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.below = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.after = nn.Conv2d(3 * width, width, 3, padding=1)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        skipped = F.relu(self.before(x))
        below = F.relu(self.below(F.avg_pool2d(skipped, 2)))
        up = F.interpolate(below, size=skipped.shape[-2:], mode="nearest")
        x = F.relu(self.after(torch.cat([skipped, up], dim=1)))
        return self.head(x.mean(dim=(2, 3)))


class DenseNet(nn.Module):
    """Each layer sees the channels of all before it (Huang et al. 2017)."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, growth: int = 6, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(input_shape[0], growth, 3, padding=1, bias=False)
        widths = [growth * (i + 1) for i in range(depth)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.convs = nn.ModuleList(nn.Conv2d(width, growth, 3, padding=1, bias=False) for width in widths)
        self.head = nn.Linear(growth * (depth + 1), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return self.head(torch.cat(features, 1).mean((-2, -1)))


class SqueezeExcite(nn.Module):
    """Channels weighed by a gate that sees their means (Hu et al. 2018)."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.squeeze, self.excite = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        b, c, _, _ = (x * gate).shape
        return self.head(F.adaptive_max_pool2d(x * gate, 1).reshape(b, c))


class SignalCNN(nn.Module):
    """Dilated 1-D convolutions over a signal: the rows of an image are its channels."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(input_shape[1], width, 3, padding=1)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=2, dilation=2)
        self.norm2 = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]  # (B, signal, time)
        x = F.gelu(self.norm1(self.conv1(x)))
        x = F.gelu(self.norm2(self.conv2(x)))
        return self.head(x.amax(dim=-1))


class RowGRU(nn.Module):
    """A GRU that reads an image row by row."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 32) -> None:
        super().__init__()
        self.rnn = nn.GRU(input_shape[2], width, batch_first=True)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.rnn(x[:, 0])
        return self.head(outputs[:, -1])


class RowLSTM(nn.Module):
    """A bidirectional LSTM of two layers with the dropout that torch's own LSTM has between them."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.rnn = nn.LSTM(input_shape[2], width, num_layers=2, dropout=0.1, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.rnn(x[:, 0])
        return self.head(torch.cat([hidden[-2], hidden[-1]], dim=1))


class Attention(nn.Module):
    """Self-attention with heads over tokens, written out (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, e = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, e // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(e // self.heads)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, e))


class TokenTransformer(nn.Module):
    """A block of a pre-norm transformer over the rows of an image as tokens, with an Embedding of their places."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.tokens = nn.Linear(input_shape[2], width)
        self.places = nn.Embedding(input_shape[1], width)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        places = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        x = self.tokens(x) + self.places(places)
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm3(x).mean(dim=1))


class CategoryMLP(nn.Module):
    """Categories embedded each in a table of its own, and numbers beside them: what a table's columns ask for."""

    def __init__(self, n_inputs: int, n_outputs: int, n_categories: int = 8, width: int = 64) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.embeddings = nn.ModuleList(nn.Embedding(17, 4) for _ in range(n_categories))
        self.mlp = nn.Sequential(
            nn.Linear(4 * n_categories + n_inputs - n_categories, width), nn.SiLU(), nn.Linear(width, n_outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        categories, numbers = x[:, : self.n_categories], x[:, self.n_categories :]
        codes = (categories * 4 + 8).long().clamp(0, 16)
        embedded = [embedding(codes[:, i]) for i, embedding in enumerate(self.embeddings)]
        return self.mlp(torch.cat([*embedded, numbers], dim=1))


class BagOfCategories(nn.Module):
    """All categories of an example as a bag, the mean of their embeddings, then a small MLP."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 64) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(17 * n_inputs, 16, mode="mean")
        self.register_buffer("first", 17 * torch.arange(n_inputs))
        self.mlp = nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(self.bag((x * 4 + 8).long().clamp(0, 16) + self.first))


class MixtureOfExperts(nn.Module):
    """Experts, and a gate that weighs them for each example (Jacobs et al. 1991)."""

    def __init__(self, n_inputs: int, n_outputs: int, n_experts: int = 4, width: int = 32) -> None:
        super().__init__()
        self.gate = nn.Linear(n_inputs, n_experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, n_outputs)) for _ in range(n_experts)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = F.softmax(self.gate(x), dim=-1)
        outputs = torch.stack([expert(x) for expert in self.experts], dim=1)
        return (weights.unsqueeze(-1) * outputs).sum(dim=1)


class TiedAutoencoder(nn.Module):
    """Encodes, decodes with the same weights, and classifies by both code and what is left over."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Linear(n_inputs, width)
        self.decoder = nn.Linear(width, width)
        self.decoder.weight = nn.Parameter(torch.eye(width) + 0.01 * torch.randn(width, width))
        self.again = nn.Linear(width, width)
        self.again.weight = self.decoder.weight  # tied
        self.head = nn.Linear(width + 1, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        code = torch.tanh(self.encoder(x))
        decoded = F.linear(self.again(torch.tanh(self.decoder(code))), self.encoder.weight.t())
        left = (x - decoded).square().mean(dim=1, keepdim=True)
        return self.head(torch.cat([code, left], dim=1))


class BareParameters(nn.Module):
    """Weights without a layer around them, a scale for each unit (Touvron et al. 2021), and a learned temperature."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 64) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, n_inputs) / math.sqrt(n_inputs))
        self.scale = nn.Parameter(0.1 * torch.ones(width))
        self.temperature = nn.Parameter(torch.tensor(1.0))
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.linear(x, self.weight)
        hidden = hidden + self.scale * F.relu(hidden)
        return self.head(hidden) / self.temperature


class FunctionalDropout(nn.Module):
    """Dropout by a function in forward."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 128) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(n_inputs, width), nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.dropout(F.relu(self.fc1(x)), 0.5, training=self.training))


class GroupNormCNN(nn.Module):
    """Convolutions with GroupNorm (Wu, He 2018)."""

    def __init__(self, input_shape: tuple[int, int, int], n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(input_shape[0], width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, stride=2),
            nn.GroupNorm(4, width),
            nn.SiLU(),
        )
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class SpectralNormMLP(nn.Module):
    """Linears whose weights are divided by their largest singular value (Miyato et al. 2018)."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 64) -> None:
        super().__init__()
        self.fc1 = parametrizations.spectral_norm(nn.Linear(n_inputs, width))
        self.fc2 = parametrizations.spectral_norm(nn.Linear(width, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return 5 * self.fc2(F.leaky_relu(self.fc1(x), 0.1))


class WeightNormMLP(nn.Module):
    """Linears whose weights are a length and a direction (Salimans, Kingma 2016)."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 64) -> None:
        super().__init__()
        self.fc1 = parametrizations.weight_norm(nn.Linear(n_inputs, width))
        self.fc2 = parametrizations.weight_norm(nn.Linear(width, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.elu(self.fc1(x)))


class InPlace(nn.Module):
    """An in-place ReLU on a sum, in-place arithmetic on what a layer gave, and a layer that is used twice."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 64) -> None:
        super().__init__()
        self.first, self.again, self.head = (
            nn.Linear(n_inputs, width),
            nn.Linear(width, width),
            nn.Linear(width, n_outputs),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.relu(self.again(x).add_(x))
        x = self.relu(self.again(x).add_(x))
        return self.head(x)


ZOO: tuple[type[nn.Module], ...] = (
    BatchNormMLP,
    ResidualMLP,
    PreNormResNet,
    LeNet,
    VGG,
    DepthwiseSeparable,
    UNet,
    DenseNet,
    SqueezeExcite,
    SignalCNN,
    RowGRU,
    RowLSTM,
    TokenTransformer,
    CategoryMLP,
    BagOfCategories,
    MixtureOfExperts,
    TiedAutoencoder,
    BareParameters,
    FunctionalDropout,
    GroupNormCNN,
    SpectralNormMLP,
    WeightNormMLP,
    InPlace,
)
