"""The data loss: what each example adds to J.

A loss is a frozen dataclass: its fields are the keys of the group `loss`, its methods compute it, and torch is imported
inside of them. A new loss is one class here and one file in conf/loss/.

K fits, B batch, C classes. Outputs are (K, B, C) in classification and (K, B, 1) in regression; targets are (K, B).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from ridgeline.checking import OF_TARGET, ConfigError, require
from ridgeline.target import Target, is_target, reason

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Task = Literal["classification", "regression"]

AUTO, OWN = "auto", "own"
"""In place of a loss's name: the one that is usual for the task; the user's own, which `loss._target_` names."""


@dataclass(frozen=True)
class Loss:
    """`class_weight=balanced`: an example of class c counts N / (C * N_c), of N training examples N_c in c, so that
    rare classes count as much as frequent ones (King, Zeng 2001; scikit-learn's formula). `task`: None is either."""

    task: ClassVar[Task | None]

    name: str = AUTO
    class_weight: Literal["balanced"] | None = None

    @classmethod
    def choose(cls, tree: Mapping[str, Any], path: str) -> type[Loss]:
        """The loss that these keys describe."""
        if not isinstance(tree, Mapping):
            return cls
        name = tree.get("name", OWN if is_target(tree) else AUTO)
        require(name in LOSSES, f"{path}.name in {{{', '.join([AUTO, *LOSSES])}}}", f"{path}.name", name)
        return LOSSES[str(name)]

    def prove(self, task: Task, n_outputs: int, device: Any = "cpu") -> None:
        """Raise ConfigError unless it gives what it should, where that is not known before it is tried."""

    def prepared(self, outputs_KBO: Tensor) -> Any:
        """What several calls of the other methods for the same outputs share."""
        return outputs_KBO

    def each_KB(self, prepared: Any, targets_KB: Tensor) -> Tensor:
        """The loss of each example."""
        raise NotImplementedError

    def kinks(self, outputs_KBO: Tensor, targets_KB: Tensor) -> Tensor | None:
        """On which side of each of its kinks the loss of each example is, as booleans; None: it has none."""
        return None


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Of the softmax of the outputs, in nats."""

    task: ClassVar[Task] = "classification"

    name: str = "cross_entropy"

    def prepared(self, outputs_KBO: Tensor) -> Tensor:
        """Log-probabilities (K, C, B). With the classes in the middle the softmax runs along the batch, four times as
        fast."""
        from torch.nn import functional as F

        return F.log_softmax(outputs_KBO.transpose(1, 2), dim=1)

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.nll_loss(prepared, targets_KB, reduction="none")

    def smooth_K(self, prepared: Tensor, weights_KC: Tensor | None = None, weights_KB: Tensor | None = None) -> Tensor:
        """The mean loss if every class were right to the same part: what label smoothing mixes in. With weights of
        classes and of examples."""
        if weights_KC is not None:
            prepared = prepared * weights_KC.unsqueeze(2)
        if weights_KB is not None:
            prepared = prepared * weights_KB.unsqueeze(1)
        return -prepared.mean(dim=(1, 2))


@dataclass(frozen=True)
class Hinge(Loss):
    """The sum over the other classes j of max(0, s_j - s_y + 1) (Weston, Watkins 1999), s the outputs."""

    task: ClassVar[Task] = "classification"

    name: str = "hinge"

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        target_logits_KB1 = prepared.gather(2, targets_KB.unsqueeze(2))
        margins_KBC = (prepared - target_logits_KB1 + 1).clamp_min(0)
        margins_KBC = margins_KBC.scatter(2, targets_KB.unsqueeze(2), 0)  # j == y does not count
        return margins_KBC.sum(dim=2)

    def kinks(self, outputs_KBO: Tensor, targets_KB: Tensor) -> Tensor:
        return outputs_KBO - outputs_KBO.gather(2, targets_KB.unsqueeze(2)) > -1


@dataclass(frozen=True)
class Focal(Loss):
    """-(1 - p)^gamma * log p, p the probability of the example's class: what is certain and right counts less (Lin et
    al. 2017)."""

    task: ClassVar[Task] = "classification"

    name: str = "focal"
    gamma: float = 2.0

    def check(self) -> None:  # below 1 the slope is infinite at p = 1
        require(self.gamma >= 1, "loss.gamma >= 1", "loss.gamma", self.gamma)

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        log_p_KB = prepared.log_softmax(2).gather(2, targets_KB.unsqueeze(2)).squeeze(2)
        return -((-log_p_KB.expm1()) ** self.gamma) * log_p_KB


@dataclass(frozen=True)
class MSE(Loss):
    """The squared difference to the target, in units of the targets' variance in the train split."""

    task: ClassVar[Task] = "regression"

    name: str = "mse"

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        return (prepared.squeeze(2) - targets_KB).square()


@dataclass(frozen=True)
class MAE(Loss):
    """The absolute difference to the target, in units of the targets' standard deviation in the train split."""

    task: ClassVar[Task] = "regression"

    name: str = "mae"

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        return (prepared.squeeze(2) - targets_KB).abs()

    def kinks(self, outputs_KBO: Tensor, targets_KB: Tensor) -> Tensor:
        return outputs_KBO.squeeze(2) > targets_KB


@dataclass(frozen=True)
class Huber(Loss):
    """Half the squared difference up to `delta` standard deviations of the targets, and beyond it the line that goes on
    from there: delta * (|difference| - delta / 2) (Huber 1964)."""

    task: ClassVar[Task] = "regression"

    name: str = "huber"
    delta: float = 1.0

    def check(self) -> None:
        require(self.delta > 0, "loss.delta > 0", "loss.delta", self.delta)

    def each_KB(self, prepared: Tensor, targets_KB: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.huber_loss(prepared.squeeze(2), targets_KB, reduction="none", delta=self.delta)


class LossFunction(Target):
    """A function of (outputs, targets), or a class whose objects are such functions."""

    GIVEN = ("reduction",)
    FIRST = 2


@dataclass(frozen=True)
class OwnLoss(Loss):
    """A function of the user's own, as torch's with reduction="none": it gets the outputs (B, C) and the labels (B,) of
    a fit, in regression both as (B,), and gives the loss of each example (B,).

    A call a fit: so no fit can be in another one's loss, and its bits are those that it has alone.
    """

    task: ClassVar[Task | None] = None

    name: str = OWN
    function: LossFunction | None = field(default=None, metadata=OF_TARGET)

    def check(self) -> None:
        require(self.function is not None, "loss._target_ is given with loss=own", "loss._target_", "null")

    def prove(self, task: Task, n_outputs: int, device: Any = "cpu") -> None:
        """Try it on a batch, as training and evaluation call it. Evaluation takes slices of a split, so a batch and its
        halves must have the same losses; training follows their gradient, in the outputs alone."""
        import torch

        numbers = torch.Generator().manual_seed(0)
        outputs_1BO = torch.randn(1, 8, n_outputs, generator=numbers).to(device)
        labels_1B = torch.arange(8, device=device)[None] % n_outputs
        targets_1B = labels_1B if task == "classification" else torch.randn(1, 8, generator=numbers).to(device)
        before = outputs_1BO.clone(), targets_1B.clone()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of shapes that do not fit, for example: that is an error here
            with torch.no_grad():
                whole_1B = self.each_KB(outputs_1BO, targets_1B)
                if not (torch.equal(outputs_1BO, before[0]) and torch.equal(targets_1B, before[1])):
                    self._refuse("leaves outputs and targets as they are", "changed them in place")
                halves = zip(outputs_1BO.split(4, 1), targets_1B.split(4, 1), strict=True)
                halves_1B = torch.cat([self.each_KB(*half) for half in halves], 1)
                again_1B = self.each_KB(outputs_1BO, targets_1B)
            followed_1B = self.each_KB(outputs_1BO.requires_grad_(), targets_1B)
        if not _are_close(whole_1B, again_1B):
            self._refuse("gives the same outputs the same losses each time", "other losses the second time")
        if not _are_close(whole_1B, halves_1B):
            self._refuse("gives each example a loss that does not depend on the others", "other losses of half a batch")
        followed = _followed(followed_1B)
        if not any(leaf is outputs_1BO for leaf in followed):
            self._refuse("has a gradient in the outputs", "losses without one")
        for leaf in followed:
            if leaf is not outputs_1BO:
                shape = tuple(leaf.shape)
                self._refuse(
                    "trains nothing of its own, for training steps along the network's weights alone",
                    f"a parameter of shape {shape}",
                )

    def each_KB(self, prepared: Any, targets_KB: Tensor) -> Tensor:
        import torch

        assert self.function is not None
        outputs_KBO = prepared.squeeze(2) if targets_KB.is_floating_point() else prepared
        function = _made(self.function, outputs_KBO.device, outputs_KBO.dtype)
        try:
            losses = [function(*fit) for fit in zip(outputs_KBO, targets_KB, strict=True)]
        except Exception as error:
            self._refuse("can be called with outputs and targets", reason(error), error)
        n, given = targets_KB.shape[1], losses[0]
        if isinstance(given, torch.Tensor) and given.shape == () and n != 1:
            self._refuse(f"gives {n} losses for {n} examples", 'one number: reduction="none" keeps them apart')
        if not isinstance(given, torch.Tensor) or given.shape != (n,):
            shown = tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
            self._refuse(f"gives {n} losses for {n} examples", f"the shape {shown}")
        return torch.stack(losses)

    def _refuse(self, rule: str, found: str, cause: Exception | None = None) -> NoReturn:
        assert self.function is not None
        raise ConfigError(f"`loss._target_ {rule}` must hold, but {self.function.path} has {found}.") from cause


@functools.cache
def _made(function: LossFunction, device: torch.device, dtype: torch.dtype) -> Callable[..., Tensor]:
    """The function, whose own tensors, as weights of the classes, are where the outputs are and of their type."""
    import torch

    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return function.function(reduction="none")
    finally:
        torch.set_default_dtype(usual)


def _are_close(a: Tensor, b: Tensor) -> bool:
    import torch

    return torch.allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)


def _followed(losses: Tensor) -> list[Tensor]:
    """The tensors whose gradient the losses have."""
    found: list[Tensor] = []
    seen: set[Any] = set()
    left: list[Any] = [losses.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # where a gradient ends
            found.append(node.variable)
        left += [parent for parent, _ in node.next_functions]
    return found


LOSSES: dict[str, type[Loss]] = {each().name: each for each in Loss.__subclasses__()}
"""By name. Of each task the first is the usual one."""


def usual_loss(task: Task) -> str:
    """The name of the loss that `loss=auto` means."""
    return next(name for name, each in LOSSES.items() if each.task == task)
