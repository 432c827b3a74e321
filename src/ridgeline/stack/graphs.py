"""Whole steps as captured graphs: on a GPU the host then launches a step at once, and not its operations one by one.

A graph repeats the operations that it was captured from, on the same memory, with the same numbers wherever these came
from Python. So it stands for a step only while `structure` and the places of all tensors that steps share are what they
were; what differs from step to step is copied to such a place before. A first step with another structure, and the next
few, are done operation by operation; then one is captured, and proved. Both are steps of the training all the same:
none is lost or done twice.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ridgeline.config import Config
from ridgeline.config.optimizer import OwnOptimizerConfig
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.target import reason

WARM = 2
"""Steps operation by operation before one is captured: libraries make what they keep in the first ones."""
MOST = 8
"""Graphs that are kept; they share their memory."""
TOLERANCE = 1e-6
"""Relative to the largest number of a row: operations that add in any order round differently each time."""

log = logging.getLogger(__name__)

Outputs = tuple[Tensor, ...]
Step = Callable[[Tensor], Outputs]
"""Of a batch's positions. Its outputs are what figures of a whole split are made of, if there are any."""


class Capture(Protocol):
    """Of CUDA, or of what a test has in its place."""

    def warm(self, step: Callable[[], Outputs]) -> Outputs:
        """Do the step, where one could be captured."""

    def capture(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        """What repeats the step, which is not done here, and where it leaves what it gives."""


class CudaCapture:
    """Beside the stream on which all else runs, as torch asks for."""

    def __init__(self, device: torch.device) -> None:
        self._stream, self._pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def warm(self, step: Callable[[], Outputs]) -> Outputs:
        here = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            outputs = step()
        here.wait_stream(self._stream)
        return outputs

    def capture(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        graph = torch.cuda.CUDAGraph()
        # The outer one is left after an error too, which `torch.cuda.graph` stays on. Other threads may copy meanwhile.
        with (
            torch.cuda.stream(self._stream),
            torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"),
        ):
            outputs = step()
        return graph.replay, outputs


@dataclass(frozen=True)
class Graph:
    positions_KB: Tensor
    replay: Callable[[], None]
    outputs: Outputs

    def step(self, positions_KB: Tensor) -> Outputs:
        """The next one writes over what this leaves."""
        self.positions_KB.copy_(positions_KB)
        self.replay()
        return tuple(each.clone() for each in self.outputs)


class Graphs:
    """The steps of one stack. `why_not`: why they are not captured; None: they are."""

    def __init__(self, capture: Capture) -> None:
        self.why_not: str | None = None
        self.n_replayed = 0
        self._capture = capture
        self._known: dict[Hashable, Graph] = {}
        self._steps: dict[Hashable, int] = {}

    def step(
        self, step: Step, positions_KB: Tensor, structure: str, changed: Sequence[Tensor], read: Sequence[Tensor]
    ) -> Outputs:
        """Do `step`, one way or the other. `changed`: all tensors that it changes and that outlive it; `read`: others
        that may lie elsewhere some day."""
        if self.why_not is not None:
            return step(positions_KB)
        places = tuple(each.data_ptr() for each in (*changed, *read))
        key = structure, positions_KB.shape, places
        if key in self._known:
            self.n_replayed += 1
            return self._known[key].step(positions_KB)
        if len(self._steps) >= 4 * MOST:
            self._steps.clear()
        self._steps[key] = self._steps.get(key, 0) + 1
        if self._steps[key] <= WARM:
            return self._capture.warm(lambda: step(positions_KB))
        return self._captured(key, step, positions_KB, changed)

    def _captured(self, key: Hashable, step: Step, positions_KB: Tensor, changed: Sequence[Tensor]) -> Outputs:
        """Do the step as before; then capture it, and do it again from where it began: that must come to the same."""
        before: list[Tensor] = []
        after: list[Tensor] = []
        outputs: Outputs = ()
        try:
            own_KB, before = positions_KB.clone(), _copies(changed)
            outputs = self._capture.warm(lambda: step(own_KB))
            after = _copies(changed)
            replay, written = self._capture.capture(lambda: step(own_KB))
            _put(changed, before)
            replay()
            gap = _largest_gap(changed, after)
            if gap > TOLERANCE:
                raise ArithmeticError(f"a captured step differs from the same step by {gap:.0e}")
        except Exception as error:  # of the user's code, or what a device says, which says it again if it is lost
            self._give_up(reason(_first(error)))
            if not after:  # the step has not been done: what goes wrong now would have gone wrong without graphs
                _put(changed, before)
                return step(positions_KB)
        else:
            while len(self._known) >= MOST:
                self._known.pop(next(iter(self._known)))
            self._known[key] = Graph(own_KB, replay, written)
        _put(changed, after)
        return outputs

    def _give_up(self, why: str) -> None:
        self.why_not = why
        self._known.clear()
        say(why)


def digest_of(structure: Hashable) -> str:
    """That of all fits is long, and is asked for in each step."""
    return hashlib.sha256(repr(structure).encode()).hexdigest()


def graphs_on(device: torch.device, config: Config, network: StackedNetwork) -> Graphs | None:
    """None where there are none, or where a step is not the same operations each time."""
    if device.type != "cuda":
        return None
    why = why_not_captured(config, network)
    if why is not None:
        say(why)
        return None
    return Graphs(CudaCapture(device))


def why_not_captured(config: Config, network: StackedNetwork) -> str | None:
    """Code that may read or keep numbers of Python's from step to step, or that looks at a step from within."""
    if isinstance(config.optimizer, OwnOptimizerConfig):
        return f"optimizer._target_={config.optimizer.target.path} counts its steps by itself"
    for name, target in config.regularization.own:
        return f"regularization.{name}._target_={target.path} may count steps by itself"
    for name, callback in config.callbacks.own:
        return f"callbacks.{name}._target_={callback.path} may look at a step from within"
    return None if network.survey.why_other_steps is None else f"of the network, {network.survey.why_other_steps}"


@functools.cache
def say(why: str) -> None:
    """Once in a process."""
    log.warning(f"Steps are launched operation by operation, and not as graphs: {why}.")


def _first(error: BaseException) -> BaseException:
    """That a capture cannot be ended comes of what went wrong in it."""
    return error if error.__context__ is None else _first(error.__context__)


def _copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [each.clone() for each in tensors]


@torch.no_grad()
def _put(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Nothing where `values` were not taken."""
    for each, value in zip(tensors, values, strict=False):
        each.copy_(value)


@torch.no_grad()
def _largest_gap(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Between two numbers, relative to the largest one in their row; where both are NaN there is none."""
    gaps = []
    for ours, theirs in zip(tensors, others, strict=True):
        same = (ours == theirs) | (ours.isnan() & theirs.isnan())
        gap = (ours - theirs).abs().masked_fill(same, 0.0).nan_to_num(torch.inf, torch.inf).flatten(1).amax(1)
        largest = theirs.abs().nan_to_num(0.0, 0.0).flatten(1).amax(1)
        gaps.append((gap / largest.clamp_min(torch.finfo(theirs.dtype).tiny)).max())
    return float(torch.stack(gaps).max())
