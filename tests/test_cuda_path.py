"""What the step does on a device other than the CPU, seen without one: tensors of torch's meta device have shapes only.

So each operation that a GPU would be asked for is recorded. What it computes is tested on the CPU.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ridgeline.config import Config, ConfigError
from ridgeline.config.deciding import training_keys
from ridgeline.data import Splits, load_splits
from ridgeline.networks.stacking import rows
from ridgeline.networks.stacking.network import StackedNetwork
from ridgeline.networks.stacking.noise import KeyedNoise, order_N_
from ridgeline.networks.stacking.rows import ALIGNED, Rows
from ridgeline.networks.stacking.twins import BatchNormTwin
from ridgeline.stack import evaluation, networks, orders
from ridgeline.stack.evaluation import evaluation_batch
from ridgeline.stack.fitting import fit
from ridgeline.stack.module import Stack
from ridgeline.stack.networks import EXAMPLES, look, shape_of
from ridgeline.stack.whole_optimizer import WholeOptimizer
from ridgeline.trial.requirements import check_device
from settings import small

META = torch.device("meta")
IMAGES = {"data__standardize": "all"}
EFFECTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "l2": {"regularization__l2": 1e-3},
    "l1": {"regularization__l1": 1e-4},
    "l1, subgradient": {"regularization__l1": 1e-4, "regularization__l1_form": "subgradient"},
    "group lasso": {"regularization__group_lasso": 1e-3},
    "max norm": {"regularization__max_norm": 1.0},
    "dropout": {"regularization__dropout": 0.3, "regularization__input_dropout": 0.2},
    "dropconnect": {"regularization__dropconnect": 0.3},
    "input noise": {"regularization__input_noise": 0.1},
    "gradient noise": {"regularization__gradient_noise": 0.1},
    "clipping": {"optimizer__gradient_clip_val": 0.5},
    "label smoothing": {"regularization__label_smoothing": 0.1},
    "mixup": {"regularization__mixup": 0.4},
    "weight average": {"regularization__weight_average": 0.9},
    "erasing": {**IMAGES, "augmentation__erase": 0.5},
    "augmentation": {
        **IMAGES,
        "augmentation__rotate": 15.0,
        "augmentation__scale": 0.1,
        "augmentation__shift": 0.1,
        "augmentation__flip": 0.5,
        "augmentation__crop": 0.2,
        "augmentation__brightness": 0.2,
        "augmentation__contrast": 0.2,
    },
}
EVERYTHING = {key: value for knobs in EFFECTS.values() for key, value in knobs.items()}
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": {"network__name": "cnn"},
    "cnn with BatchNorm": {"network__name": "cnn", "network__batch_norm": True},
    "residual with stochastic depth": {
        "network___target_": "test_stochastic_depth.Residual",
        "regularization__stochastic_depth": 0.3,
    },
}
OURS_AND_RESIDUAL = [
    pytest.param(name, marks=pytest.mark.verify) if name.startswith("residual") else name for name in NETWORKS
]


class Recorded(TorchDispatchMode):
    """What torch is asked to do: operations with shapes and scalars; copies from the host, which are large or small.

    An operation that waits for the device, or that takes tensors of two devices, raises."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []
        self.copies: list[tuple[int, ...]] = []
        self.launches = 0
        self.storages: list[int] = []
        """Of what the step finds and did not make, each time that an operation takes it."""
        self._made: set[int] = set()
        self._alive: list[Any] = []  # or another storage might get the place of one that is gone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_leaves((args, kwargs or {}))
        tensors = [each for each in given if isinstance(each, Tensor)]
        devices = {each.device.type for each in tensors if each.dim() or each.device == META}
        name = func.overloadpacket.__name__
        result = func(*args, **(kwargs or {}))
        if devices == {"cpu", "meta"} or (devices == {"cpu"} and _is_on(META, result)):
            assert name in ("copy_", "_to_copy"), f"{func} takes tensors of two devices"
            assert tensors[-1].device.type == "cpu", f"{func} copies to the host"
            self.copies.append(tuple(tensors[-1].shape))
        self._note_storages(tensors, tree_leaves(result))
        if "meta" in devices or _is_on(META, result):
            assert name not in self.WAITING, f"{func} waits for the device"
            shown = [tuple(each.shape) if isinstance(each, Tensor) else each for each in given]
            self.launches += not _is_view(func)
            self.operations.append(f"{func} {shown}")
        return result

    def _note_storages(self, taken: list[Tensor], given: list[Any]) -> None:
        storages = [each.untyped_storage() for each in taken if each.device == META]
        places = [storage._cdata for storage in storages]
        self.storages += [place for place in places if place not in self._made]
        results = [each.untyped_storage() for each in given if isinstance(each, Tensor) and each.device == META]
        self._made |= {storage._cdata for storage in results if storage._cdata not in places}
        self._alive += [*storages, *results]


def _is_view(func: Any) -> bool:
    """Whether its result lies in the memory of what it gets, which it leaves as it is: nothing is launched for that."""
    aliases = [each.alias_info for each in func._schema.returns]
    return bool(aliases) and all(alias is not None and not alias.is_write for alias in aliases)


def _is_on(device: torch.device, result: Any) -> bool:
    return any(isinstance(each, Tensor) and each.device == device for each in tree_leaves(result))


def on_meta(splits: Splits) -> Splits:
    return replace(splits, train=splits.train.to(META), validation=splits.validation.to(META))


def stack_of(configs: Sequence[Config]) -> Stack:
    """On the meta device. A network is looked at with numbers, as on any device, which lie on the CPU."""
    splits = load_splits(configs[0].data)
    network, shape = configs[0].network, shape_of(splits)
    few = splits.train.features_MI(slice(EXAMPLES))
    is_ours = type(network).__module__.startswith(
        "ridgeline.networks."
    )  # of which nothing is to be proved with numbers
    found = look(network, few, META if is_ours else torch.device("cpu"), shape)
    networks._known[network, shape, few.dtype, "meta", True] = found
    stack = Stack(configs, on_meta(splits)).train()
    stack.optimizers = lambda: stack.optimizer.torch_optimizer  # type: ignore[method-assign,return-value,assignment]
    return stack


def fits(k: int, **knobs: Any) -> list[Config]:
    """All with knobs of their own: where a group of equal ones would be a call of its own, each fit has one."""

    def own(value: Any, i: int) -> Any:
        return value * (1 - i / 1000) if isinstance(value, float) else value

    return [
        small(seed=i, optimizer__lr=1e-3 * (i + 1), **{name: own(value, i) for name, value in knobs.items()})
        for i in range(k)
    ]


def step(stack: Stack, positions_KB: Tensor) -> Recorded:
    with Recorded() as seen:
        stack.training_step(positions_KB, 0)
    return seen


def steps_of(k: int, n: int = 1, **knobs: Any) -> list[Recorded]:
    stack = stack_of(fits(k, **knobs))
    batch = next(iter(stack.train_dataloader()))
    step(stack, batch)  # makes what is kept between steps
    return [step(stack, batch) for _ in range(n)]


CEILINGS = {
    "mlp": (60, 440),
    "cnn": (105, 495),
    "cnn with BatchNorm": (150, 540),
    "residual with stochastic depth": (150, 570),
}
"""Launches of a step with no effect and with all of them, in either precision."""


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_step_is_as_many_operations_for_32_fits_as_for_2_and_one_small_copy(effect: str) -> None:
    (of_2,), (of_32,) = steps_of(2, **EFFECTS[effect]), steps_of(32, **EFFECTS[effect])
    assert len(of_2.operations) == len(of_32.operations)
    (copy,) = of_32.copies
    assert copy[0] <= 6
    assert copy[1] == 32
    assert of_32.launches <= {"augmentation": 140, "erasing": 115, "group lasso": 230}.get(effect, 85)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", pytest.param("tf32", marks=pytest.mark.verify)])
@pytest.mark.parametrize("network", OURS_AND_RESIDUAL)
def test_so_it_is_with_no_effect_and_with_all_within_a_ceiling(network: str, precision: str) -> None:
    for knobs, ceiling in zip(({}, EVERYTHING), CEILINGS[network], strict=True):
        own = {**NETWORKS[network], **knobs, "trainer__precision": precision}
        (of_2,), (of_8,) = steps_of(2, **own), steps_of(8, **own)
        assert len(of_2.operations) == len(of_8.operations)
        assert of_8.launches <= ceiling
        assert len(of_8.copies) == 1


@pytest.mark.parametrize("optimizer", [{"name": "adamw", "weight_decay": 0.1}, {"name": "sgd", "momentum": 0.9}])
def test_so_it_is_with_each_optimizer(optimizer: dict[str, Any]) -> None:
    own = {f"optimizer__{name}": value for name, value in optimizer.items()}
    (of_2,), (of_32,) = steps_of(2, regularization__l2=0.1, **own), steps_of(32, regularization__l2=0.1, **own)
    assert len(of_2.operations) == len(of_32.operations)
    assert of_32.launches <= CEILINGS["mlp"][0]


@pytest.mark.parametrize(
    "network", ["mlp", *(pytest.param(n, marks=pytest.mark.verify) for n in NETWORKS if n != "mlp")]
)
def test_each_step_records_the_same_operations_shapes_scalars_and_storages_after_a_refill_too(network: str) -> None:
    """What a captured graph of a step needs."""
    knobs = {**NETWORKS[network], **EVERYTHING}
    stack, others = stack_of(fits(4, **knobs)), fits(9, **knobs)
    batch = next(iter(stack.train_dataloader()))
    step(stack, batch)  # makes what is kept between steps
    first, second = step(stack, batch), step(stack, batch)
    stack.load(2, others[8])
    stack.set_epoch([1.0, 0.5, 0.5, 1.0], stack.configs)
    step(stack, batch)  # a new seed has keys that are not on the device yet
    third = step(stack, batch)
    assert first.operations == second.operations == third.operations
    assert first.storages == second.storages == third.storages


@pytest.mark.parametrize(
    "network", ["mlp", *(pytest.param(n, marks=pytest.mark.verify) for n in NETWORKS if n != "mlp")]
)
def test_what_is_captured_of_a_step_copies_nothing_from_the_host_after_a_refill_either(network: str) -> None:
    knobs = {**NETWORKS[network], **EVERYTHING}
    stack, others = stack_of(fits(4, **knobs)), fits(9, **knobs)
    batch = next(iter(stack.train_dataloader()))
    step(stack, batch)
    stack.load(2, others[8])
    stack.set_epoch([1.0, 0.5, 0.5, 1.0], stack.configs)
    assert isinstance(stack.optimizer, WholeOptimizer)
    stack._prepare()
    with Recorded() as seen:
        stack._step(stack.optimizer.step_, batch)
    assert seen.copies == []


@pytest.mark.parametrize("network", OURS_AND_RESIDUAL)
def test_validation_is_as_many_operations_for_any_number_of_fits_and_no_copy(network: str) -> None:
    seen = []
    for k in (2, 8):
        stack = stack_of(fits(k, **NETWORKS[network])).eval()
        (piece,) = stack.val_dataloader()
        with torch.no_grad(), Recorded() as own:
            stack.validation_step(piece, 0)
        seen.append(own)
    assert len(seen[0].operations) == len(seen[1].operations)
    assert seen[1].copies == []


def test_evaluation_takes_as_many_examples_at_once_as_its_share_of_the_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_stack, large_stack = stack_of(fits(2)), stack_of(fits(8))
    assert small_stack.network.survey.n_values == 64 + 24 + 16 + 10
    # Of 359 examples: a 32nd of a MiB holds 17 of both fits, and 4 of eight.
    for mib, slices in ((1, (22, 90)), (64, (1, 2)), (2**20, (1, 1))):
        monkeypatch.setattr(evaluation, "total_memory", lambda device, mib=mib: mib * 2**20)
        assert tuple(len(stack.val_dataloader()) for stack in (small_stack, large_stack)) == slices
    on_cpu = Stack(fits(2), load_splits(fits(1)[0].data))
    assert len(on_cpu.val_dataloader()) == 3
    monkeypatch.setattr(evaluation, "total_memory", lambda device: 1)
    assert evaluation_batch(large_stack.network) == 1  # less than which cannot be


def test_a_fit_group_a_call_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a number that the host reads."""

    def a_call_a_fit(optimizer: WholeOptimizer) -> None:
        for values_P, grads_P in zip(optimizer._rows.values_KP, optimizer._rows.grads_KP, strict=True):
            values_P.sub_(grads_P)

    monkeypatch.setattr(WholeOptimizer, "step_", a_call_a_fit)
    (of_2,), (of_32,) = steps_of(2), steps_of(32)
    assert len(of_2.operations) < len(of_32.operations)
    monkeypatch.setattr(WholeOptimizer, "step_", lambda optimizer: optimizer._rows.grads_KP.sum().item())
    with pytest.raises((AssertionError, RuntimeError), match=r"waits for the device|item\(\)"):
        steps_of(2)


def test_gradients_of_bfloat16_products_are_written_as_float32() -> None:
    (seen,) = steps_of(2, trainer__precision="bf16-mixed")
    products = [name for name in seen.operations if name.startswith("aten.bmm.dtype")]
    assert len(products) == 3
    assert all("torch.float32" in name for name in products)


@pytest.mark.parametrize("network", OURS_AND_RESIDUAL)
def test_each_tensor_of_each_fit_begins_at_a_multiple_of_32_numbers(network: str) -> None:
    odd = {"data__name": "wine", "network__hidden": [7]} if network == "mlp" else {}
    rows = stack_of(fits(3, **odd, **NETWORKS[network])).rows
    assert rows.state_KS.stride(0) % ALIGNED == 0 == rows.values_KP.shape[1] % ALIGNED
    for slot in rows.slots.values():
        for view_K in (rows.value_K(slot), rows.grad_K(slot)):
            assert view_K is None or (view_K.storage_offset() % ALIGNED, view_K.stride(0) % ALIGNED) == (0, 0)
    assert Rows([*rows.slots.values()], 3, dtype=torch.float32, device=torch.device("cpu")).used_P is None


def test_zeros_between_tensors_stay_and_change_no_fit(digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, where rows have none, given them."""
    numbers = {key: value for knobs in EFFECTS.values() for key, value in knobs.items() if "augmentation" not in key}
    for without in ("data__standardize", "regularization__dropout", "regularization__gradient_noise"):
        numbers.pop(without)
    for hidden in ("all", "hidden"):
        knobs = {**numbers, "network__hidden": [7], "regularization__penalize": hidden, "trainer__max_epochs": 1}
        dense = fit(fits(2, **knobs), digits)
        with monkeypatch.context() as patched:
            patched.setattr(rows, "alignment", lambda device: ALIGNED)
            spread = fit(fits(2, **knobs), digits)
            noisy = Stack(fits(2, **knobs, regularization__gradient_noise=0.1), digits)
        for ours, theirs in zip(spread, dense, strict=True):
            assert ours.history[-1]["train/objective"] == pytest.approx(theirs.history[-1]["train/objective"], rel=1e-4)
            for name, tensor in theirs.weights.items():
                torch.testing.assert_close(ours.weights[name], tensor, rtol=1e-3, atol=1e-5)
    noisy.optimizers = lambda: noisy.optimizer.torch_optimizer  # type: ignore[method-assign,return-value,assignment]
    noisy.training_step(next(iter(noisy.train_dataloader())), 0)
    used_P = noisy.rows.used_P
    assert used_P is not None
    assert int(used_P.sum()) == 64 * 7 + 7 + 7 * 10 + 10 < len(used_P)
    assert not noisy.rows.values_KP[:, used_P == 0].any()


def test_a_thread_draws_the_orders_of_the_next_epoch_and_they_are_what_the_fits_would_draw(
    digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training's own thread draws those of its first epoch, and of a fit that has taken another's place."""
    drawn: list[tuple[int, int, bool]] = []

    def noted(generator: torch.Generator, seed: int, epoch: int, into_N: Tensor) -> Tensor:
        drawn.append((seed, epoch, threading.current_thread() is threading.main_thread()))
        return order_N_(generator, seed, epoch, into_N)

    monkeypatch.setattr(orders, "order_N_", noted)
    stack, n, noise = Stack(fits(2), digits), digits.train.n, KeyedNoise(torch.device("cpu"))
    taken = [torch.cat(list(stack.train_dataloader()), dim=1)]
    for record in stack.records:
        record.epoch = 1
    stack.load(1, small(seed=7))
    taken.append(torch.cat(list(stack.train_dataloader()), dim=1))
    stack.records[0].epoch, stack.records[1].epoch = 2, 1
    taken.append(torch.cat(list(stack.train_dataloader()), dim=1))  # of fit 0 the last one: nothing comes after it
    for order_KN, clocks in zip(taken, [[(0, 0), (1, 0)], [(0, 1), (7, 0)], [(0, 2), (7, 1)]], strict=True):
        assert [order_N.tolist() for order_N in order_KN] == [noise.order_N(*clock, n).tolist() for clock in clocks]
    stack._orders.take([(7, 3), (7, 2)], [None] * 2)  # waits for the thread
    in_advance = [(0, 1), (0, 2), (1, 1), (7, 1), (7, 2)]
    assert sorted(drawn) == sorted(
        [(seed, 0, True) for seed in (0, 1, 7)] + [(*c, False) for c in in_advance] + [(7, 3, True)]
    )
    halves_N = order_N_(torch.Generator(), 3, 4, torch.empty(n, dtype=torch.int32))
    assert halves_N.tolist() == noise.order_N(3, 4, n).tolist()


def test_results_are_collected_where_the_stack_trained_and_reach_the_host_in_one_copy(
    digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Lightning's Trainer moves the stack to the CPU."""
    seen: list[str] = []
    storages: set[int] = set()
    unpack, teardown = StackedNetwork.unpack, SingleDeviceStrategy.teardown

    def noted(network: StackedNetwork, row_S: Tensor) -> dict[str, Tensor]:
        seen.append("collected")
        storages.add(row_S.untyped_storage()._cdata)
        return unpack(network, row_S)

    monkeypatch.setattr(StackedNetwork, "unpack", noted)
    monkeypatch.setattr(SingleDeviceStrategy, "teardown", lambda own: (seen.append("ended"), teardown(own)))
    fit(fits(3, trainer__max_epochs=1), digits)
    assert seen == ["collected"] * 3 + ["ended"]
    assert len(storages) == 1


def test_an_epoch_has_one_copy_of_its_orders_and_a_refill_few_of_its_numbers() -> None:
    stack = stack_of(fits(8, **EVERYTHING))
    with Recorded() as seen:
        list(stack.train_dataloader())
    assert seen.copies == [(8, stack.splits.train.n)]
    stack.load(3, fits(20, **EVERYTHING)[15])
    with Recorded() as seen:
        stack.set_epoch([1.0] * 8, stack.configs)
        stack.set_epoch([1.0] * 8, stack.configs)
    assert len(seen.copies) <= 12
    assert len(list(stack.val_dataloader())) == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "adam"},
        {"name": "adamw", "weight_decay": 0.1},
        {"name": "sgd", "momentum": 0.9},
        {"name": "sgd", "momentum": 0.9, "nesterov": True},
        {"name": "sgd"},
    ],
    ids=str,
)
def test_one_call_for_all_rows_does_what_torchs_fused_optimizers_do(digits: Splits, optimizer: dict[str, Any]) -> None:
    """Within rounding; a fit that begins in a row later, with a rate of its own, included."""
    knobs = {f"optimizer__{name}": value for name, value in optimizer.items()}
    configs = [small(seed=i, optimizer__lr=0.01 * (i + 1), **knobs) for i in range(3)]
    theirs, ours = (Stack(configs, digits) for _ in range(2))
    ours.optimizer = WholeOptimizer(configs[0].optimizer, ours.rows)
    for k, config in enumerate(configs):
        ours.optimizer.load(k, config)
    for stack in (theirs, ours):
        stack.optimizers = lambda stack=stack: stack.optimizer.torch_optimizer  # type: ignore[method-assign]
    for n_epoch in range(2):
        for stack in (theirs, ours):
            stack.set_epoch([1.0, 0.5, 1.0], stack.configs)
            for i, batch in enumerate(stack.train_dataloader()):
                stack.training_step(batch, i)
        torch.testing.assert_close(ours.rows.values_KP, theirs.rows.values_KP, rtol=1e-4, atol=1e-5)
        sizes = [stack.optimizer.step_sizes_KW(50, stack.steps) for stack in (ours, theirs)]
        torch.testing.assert_close(*sizes, rtol=1e-4, atol=1e-6)
        if n_epoch == 0:
            for stack in (theirs, ours):
                stack.load(1, small(seed=7, optimizer__lr=0.002, **knobs))


def test_a_checkpoint_holds_what_the_one_call_needs(digits: Splits) -> None:
    configs = [small(seed=i, optimizer__lr=0.01 * (i + 1)) for i in range(2)]
    first, second = (Stack(configs, digits) for _ in range(2))
    for stack in (first, second):
        stack.optimizer = WholeOptimizer(configs[0].optimizer, stack.rows)
        stack.optimizers = lambda stack=stack: stack.optimizer.torch_optimizer  # type: ignore[method-assign]
        stack.set_epoch([1.0, 1.0], stack.configs)
    batches = list(first.train_dataloader())
    first.training_step(batches[0], 0)
    second.load_state_dict(first.state_dict())
    second.rows.state_KS.copy_(first.rows.state_KS)
    second.optimizer.torch_optimizer.load_state_dict(copy.deepcopy(first.optimizer.torch_optimizer.state_dict()))
    for own, other in zip(first.records, second.records, strict=True):
        other.step = own.step
    for stack in (first, second):
        stack.training_step(batches[1], 1)
    assert torch.equal(first.rows.values_KP, second.rows.values_KP)


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 4, 4)], ids=str)
def test_batch_norm_of_all_fits_at_once_is_that_of_each(shape: tuple[int, ...]) -> None:
    k, channels = 3, shape[1]
    layer = nn.BatchNorm1d(channels) if len(shape) == 2 else nn.BatchNorm2d(channels)
    x = torch.randn(k * shape[0], *shape[1:])
    seen = []
    for way in ("one_by_one", "at_once"):
        twin = BatchNormTwin(layer, k)
        for name in ("weight", "bias"):
            twin.register_parameter(name, nn.Parameter(torch.linspace(0.5, 1.5, k * channels).view(k, channels)))
        for name, value in (("running_mean", 0.0), ("running_var", 1.0)):
            twin.register_buffer(name, torch.full((k, channels), value))
        own = x.clone().requires_grad_()
        y = getattr(twin, way)(own, True)
        (y * torch.linspace(0, 1, y.numel()).view(y.shape)).sum().backward()
        with torch.no_grad():
            evaluated = getattr(twin, way)(x, False)
        seen.append([y, own.grad, twin.weight.grad, twin.bias.grad, twin.running_mean, twin.running_var, evaluated])
    for ours, theirs in zip(*seen, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_words_are_those_of_a_fits_own_step_however_its_steps_reached_the_device() -> None:
    noise = KeyedNoise(torch.device("cpu"))
    copied = noise._counted_KN([3, 4], 5, [7, 8], 10)
    noise.set_clock([7, 8], torch.tensor([7, 8]))
    assert torch.equal(noise._counted_KN([3, 4], 5, [7, 8], 10), copied)
    noise.set_clock([8, 8], torch.tensor([8, 8]))
    assert torch.equal(noise._counted_KN([3, 4], 5, [7, 8], 10), copied)  # of other steps than the clock's
    assert not torch.equal(noise._counted_KN([3, 4], 5, [8, 8], 10), copied)


def test_a_checkpoint_of_another_kind_of_device_is_refused(tmp_path: Path) -> None:
    """The states of the optimizers have another form there."""
    config = small()
    config = replace(config, trainer=replace(config.trainer, ckpt_path=str(tmp_path / "last.ckpt"), accelerator="cpu"))
    torch.save({"trainings": [training_keys(config)], "device": "cuda"}, tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match="is cuda as in the checkpoint` must hold"):
        check_device(config)


@pytest.mark.verify
def test_the_script_for_a_gpu_runs_on_a_cpu_and_says_what_it_could_not(tmp_path: Path) -> None:
    script, out = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py", tmp_path / "gpu.json"
    subprocess.run([sys.executable, str(script), "--device", "cpu", "--quick", "--out", str(out)], check=True)
    report = json.loads(out.read_text())
    assert report["not_run"].keys() == {"tests", "graphs", "memory"}
    assert all(own["as_promised"] for own in report["equal"].values())
    assert len(report["launches"]) == 4
    assert report["steps"]
    assert report["epochs"]
    assert report["workers"].keys() == {"1 of 8", "2 of 4"}
