"""Loss and figures of K fits over a split. K fits, F folds, B batch, N examples, I inputs, O outputs, M measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.data import Split, Splits
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.stack.batches import Slices
from ridgeline.stack.device import total_memory
from ridgeline.stack.networks import EXAMPLES, shape_of, stacked_network
from ridgeline.stack.precision import predict
from ridgeline.tasks.data_loss import DataLoss, Mixing, balanced_weights_FC, mean_K
from ridgeline.tasks.figures import FIGURES

EVALUATION_BATCH = 128
"""Examples a fit at once on a CPU: what layers keep of them stays in the cache."""
EVALUATION_SHARE = 32
"""On other devices, which wait for launches, as many as take one part in so many of the whole memory: that of all, so
that a slice, and with it the last digit of a sum, does not depend on what else is there."""


def evaluation_batch(network: StackedNetwork) -> int:
    """How many examples of each fit are evaluated at once."""
    device = network.rows.state_KS.device
    if device.type == "cpu":
        return EVALUATION_BATCH
    bytes_of_example = 2 * 4 * network.k * network.survey.n_values  # of all fits: what a layer takes, and what it gives
    return max(1, total_memory(device) // EVALUATION_SHARE // bytes_of_example)


def examples_of(split: Split, piece: slice, k: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Features (K, B, I), targets (K, B) and weights, if there are any, (K, B) of these rows of the folds, which `k`
    fits have in turn."""

    def of(values_N: Tensor) -> Tensor:
        values_FB = values_N.unflatten(0, (split.folds, split.n))[:, piece]
        return values_FB.expand(k // split.folds, *values_FB.shape).flatten(0, 1)  # of one fold a view, no copy

    return split.piece_KBI(piece, k), of(split.y_N), None if split.w_N is None else of(split.w_N)


def data_loss_of(config: Config, splits: Splits, k: int) -> DataLoss:
    """The loss of `k` fits, with the weights that the classes have in each one's train split."""
    if config.loss.class_weight is None:
        return DataLoss(config.loss)
    train, shape = splits.train, (splits.folds, splits.train.n)
    weights_FN = None if train.w_N is None else train.w_N.unflatten(0, shape)
    like = torch.empty(0, dtype=train.dtype, device=train.x_NI.device)
    weights_FC = balanced_weights_FC(train.y_N.unflatten(0, shape), splits.n_classes, like, weights_FN)
    return DataLoss(config.loss, weights_FC.repeat(k // splits.folds, 1))


class Measures:
    """The loss and the named figures of each fit over a split, gathered batch after batch.

    Figures that are means are summed; the others are made of all outputs, which are kept until then. Where examples
    have weights, an example counts as much as its weight in all of them.
    """

    def __init__(self, names: Sequence[str], split: Split, splits: Splits, k: int) -> None:
        self.names = ("loss", *names)
        self._figures = [FIGURES[name] for name in names]
        self._sizes = list(split.sizes or (split.n,)) * (k // split.folds)
        self.keeps = any(figure.whole for figure in self._figures)
        self.sums_MK = torch.zeros(len(self.names), k, dtype=split.dtype, device=split.x_NI.device)
        stds = [scaler.target_std for scaler in splits.scalers]
        self._unit_K = self.sums_MK.new_tensor([1.0 if std is None else float(std) for std in stds]).repeat(
            k // len(stds)
        )
        self._seen = list[tuple[Tensor, Tensor]]()
        self._seen_weights = list[Tensor]()

    def reset(self) -> None:
        """Nothing has been seen, as at the start of an epoch."""
        self.sums_MK.zero_()
        self._seen.clear()
        self._seen_weights.clear()

    def add(
        self,
        outputs_KBO: Tensor,
        targets_KB: Tensor,
        loss_K: Tensor,
        piece: slice | None = None,
        weights_KB: Tensor | None = None,
    ) -> None:
        """Take in a batch, in which nothing is mixed, as `sum_up` does, and keep it."""
        self.sum_up(outputs_KBO, targets_KB, loss_K, piece=piece, weights_KB=weights_KB)
        self.keep(outputs_KBO.detach(), targets_KB, weights_KB)

    @torch.no_grad()
    def sum_up(
        self,
        outputs_KBO: Tensor,
        targets_KB: Tensor,
        loss_K: Tensor,
        *,
        piece: slice | None = None,
        mixing: Mixing | None = None,
        weights_KB: Tensor | None = None,
    ) -> None:
        """Add a batch with its mean loss to the sums, which changes tensors alone. `piece`: which rows of a split with
        folds it is, of which some may fill up. `mixing`: a figure that is a mean counts what was mixed in as the loss
        does. `weights_KB`: of the examples, 1 in the mean over the split; None: they have none."""
        count = targets_KB.shape[1] if piece is None else self._count(piece)
        self.sums_MK[0] += loss_K * count
        for i, figure in enumerate(self._figures, start=1):
            if figure.each is not None:
                own_K = mean_K(figure.each(outputs_KBO, targets_KB), weights_KB)
                if mixing is not None:
                    other_KB = figure.each(outputs_KBO, mixing.targets_KB)
                    own_K = mixing.of(own_K, mean_K(other_KB, mixing.weights_KB))
                self.sums_MK[i] += own_K * count

    def keep(self, outputs_KBO: Tensor, targets_KB: Tensor, weights_KB: Tensor | None = None) -> None:
        """Keep the batch itself, where a figure is made of all of them."""
        if self.keeps:
            self._seen.append((outputs_KBO, targets_KB))
            if weights_KB is not None:
                self._seen_weights.append(weights_KB)

    def values_MK(self) -> Tensor:
        """Of all that was taken in, in the order of `names`."""
        values_MK = self.sums_MK / self._count(slice(0, max(self._sizes)))
        for i, figure in enumerate(self._figures, start=1):
            if figure.whole is not None:
                values_MK[i] = self._of_all_K(figure.whole)
            values_MK[i] = figure.finish(values_MK[i])
            if figure.has_unit:
                values_MK[i] *= self._unit_K
        return values_MK

    def _of_all_K(self, whole: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> Tensor:
        outputs_KNO, targets_KN = (torch.cat(batches, dim=1) for batches in zip(*self._seen, strict=True))
        weights_KN = torch.cat(self._seen_weights, dim=1) if self._seen_weights else None
        values_K = torch.empty_like(self._unit_K)
        for size in set(self._sizes):
            fits = [k for k, own in enumerate(self._sizes) if own == size]
            own = None if weights_KN is None else weights_KN[fits, :size]
            values_K[fits] = whole(outputs_KNO[fits, :size], targets_KN[fits, :size], own).to(values_K.dtype)
        return values_K

    def _count(self, piece: slice) -> int | Tensor:
        """How many examples these rows are, of each fit where that differs: a fold that has one less fills up."""
        counts = [max(0, min(size, piece.stop) - piece.start) for size in self._sizes]
        if len(set(counts)) == 1:
            return counts[0]
        return torch.tensor(counts, dtype=self.sums_MK.dtype).to(self.sums_MK.device)


@torch.no_grad()
def measures_on_train(config: Config, rows_KS: Tensor, splits: Splits) -> list[dict[str, float]]:
    """By name, the loss and all figures over the whole train split, dropout off, of fits with these rows and
    the structure of `config`.

    The fits are those of whole trials, fold after fold.
    """
    k = len(rows_KS)
    network = stacked_network(config, k, splits.train.features_MI(slice(EXAMPLES)), shape_of(splits)).eval()
    network.rows.state_KS.copy_(rows_KS)
    data_loss, names = data_loss_of(config, splits, k), (*config.measured("val"), *config.measured("train"))
    measures = Measures(tuple(dict.fromkeys(names)), splits.train, splits, k)
    for piece in Slices(splits.train, evaluation_batch(network)):
        x_KBI, targets_KB, weights_KB = examples_of(splits.train, piece, k)
        outputs_KBO = predict(network, x_KBI, config.trainer.precision)
        loss_K = data_loss.mean_K(outputs_KBO, targets_KB, weights_KB=weights_KB)
        measures.add(outputs_KBO, targets_KB, loss_K, piece=piece, weights_KB=weights_KB)
    return [dict(zip(measures.names, fit, strict=True)) for fit in measures.values_MK().T.tolist()]
