"""What a captured graph of CUDA does, on a CPU: the operations of a step again, on the same memory, with the same
numbers of Python's.

Neither runs Python between the operations, neither keeps what the step found alive, and capturing does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from ridgeline.stack.graphs import Outputs

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")
"""CUDA cannot capture what the host waits for."""


class Emulated:
    """In the place of `CudaCapture`. `n_captured`: graphs so far."""

    def __init__(self) -> None:
        self.n_captured = 0

    def warm(self, step: Callable[[], Outputs]) -> Outputs:
        return step()

    def capture(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        recording = Recording()
        try:
            with recording:
                outputs = step()
        finally:
            recording.undo()
        recording.let_go()
        self.n_captured += 1
        return recording.replay, outputs


class Found:
    """A tensor that the step found and did not make. It may be gone when the step is repeated."""

    def __init__(self, tensor: Tensor) -> None:
        self._storage = tensor.untyped_storage()._weak_ref()
        self._layout = tensor.dtype, tensor.storage_offset(), tensor.size(), tensor.stride()

    def there(self) -> Tensor:
        storage = torch.UntypedStorage._new_with_weak_ptr(self._storage)
        assert storage is not None, "the graph reads memory that is not the step's any more"
        dtype, *place = self._layout
        return torch.empty(0, dtype=dtype).set_(storage, *place)


class Recording(TorchDispatchMode):
    """Of each operation: what it is, the tensors and numbers that it takes, and the tensors that it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, list[Any], Any, list[Any]]] = []
        self._made: set[int] = set()
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITING, f"{func} waits for the device"
        given, form = tree_flatten((args, kwargs or {}))
        self._remember(func, args, kwargs or {})
        result = func(*args, **(kwargs or {}))
        taken = [each.untyped_storage()._cdata for each in given if isinstance(each, Tensor)]
        results = tree_leaves(result)
        for each in results:
            if isinstance(each, Tensor) and each.untyped_storage()._cdata not in taken:
                self._made.add(each.untyped_storage()._cdata)
        self.calls.append((func, given, form, results))
        return result

    def _remember(self, func: Any, args: Any, kwargs: Any) -> None:
        """What the operation writes to and the step did not make."""
        for i, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = kwargs.get(argument.name) if argument.name in kwargs else (args[i] if i < len(args) else None)
            for each in tree_leaves(value):
                if isinstance(each, Tensor):
                    storage = each.untyped_storage()
                    if storage._cdata not in self._made and storage._cdata not in self._before:
                        self._before[storage._cdata] = storage, storage.clone()

    def undo(self) -> None:
        """Capturing launches nothing."""
        for storage, before in self._before.values():
            storage.copy_(before)
        self._before.clear()

    def let_go(self) -> None:
        """Of what the step found; a single number goes with the call."""
        for _, given, _, results in self.calls:
            for each in (given, results):
                each[:] = [self._found(value) for value in each]

    def _found(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.dim() or value.untyped_storage()._cdata in self._made:
            return value.detach() if isinstance(value, Tensor) else value
        return Found(value)

    @torch.no_grad()
    def replay(self) -> None:
        for func, given, form, results in self.calls:
            args, kwargs = tree_unflatten([_there(each) for each in given], form)
            again = tree_leaves(func(*args, **kwargs))
            for old, new in zip(results, again, strict=True):
                if isinstance(new, Tensor):
                    place = _there(old)
                    if (place.data_ptr(), place.stride()) != (new.data_ptr(), new.stride()):
                        place.copy_(new)


def _there(value: Any) -> Any:
    return value.there() if isinstance(value, Found) else value
