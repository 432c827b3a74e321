"""Promises 2, 4 and 5 for workers that Ray places, on a real cluster of one machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgeline.checking import ConfigError
from ridgeline.search import launching
from ridgeline.search.sources import OpenTrials
from ridgeline.stack.records import Row
from ridgeline.stack.source import Fit
from sweeping import Studies, results, table
from test_stacked_study import BAYES, SLOTS, train

pytestmark = pytest.mark.alone

RAY = "hydra.launcher.backend=ray"
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason=launching.INSTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """The folder of a study whose workers are this machine's own."""
    return Studies(tmp_path_factory.mktemp("local"), store).run(*BAYES, *SLOTS, task=train)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster that is there before the study, and after it."""
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield context.address_info["address"]
    ray.shutdown()


def test_ray_without_its_package_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"`ray is installed` must hold .*ridgeline\[ray\]"):
        Studies(tmp_path / "runs", tmp_path / "mlflow.db").run(*BAYES, RAY, task=train)
    assert list(tmp_path.iterdir()) == []


@needs_ray
@pytest.mark.verify
@pytest.mark.parametrize("address", ["127.0.0.1:1"])
def test_cluster_that_is_not_there_is_refused_in_one_line_and_nothing_is_written(address: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=f"`a Ray cluster answers` must hold, but got hydra.launcher.address={address}"
    ):
        Studies(tmp_path / "runs", tmp_path / "mlflow.db").run(*BAYES, RAY, f"hydra.launcher.address={address}")
    assert list(tmp_path.iterdir()) == []


@needs_ray
@pytest.mark.verify
def test_ray_workers_end_with_the_table_of_local_ones(tmp_path: Path, store: Path, local: Path) -> None:
    folder = Studies(tmp_path, store).run(*BAYES, *SLOTS, RAY, task=train)
    assert len(results(folder)) == 14
    assert results(folder) == results(local)


@needs_ray
@pytest.mark.verify
def test_killed_ray_worker_costs_only_time(
    tmp_path: Path, store: Path, local: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a stack, on a cluster that is used by its address."""
    from ridgeline.stack.ray_pool import RayPool

    told, killed, pools = OpenTrials.epoch, list[int](), list[RayPool]()
    start = RayPool._start

    def keep(self: RayPool, workers: range) -> object:
        pools.append(self)
        return start(self, workers)

    def kill(self: OpenTrials, fit: Fit, row: Row) -> bool:
        if not killed and fit.number == 5 and row["epoch"] == 2:
            killed.append(pools[0]._processes[fit.slot % 2])
            os.kill(killed[0], signal.SIGKILL)
        return told(self, fit, row)

    monkeypatch.setattr(RayPool, "_start", keep)
    monkeypatch.setattr(OpenTrials, "epoch", kill)
    folder = Studies(tmp_path, store).run(*BAYES, *SLOTS, RAY, f"hydra.launcher.address={address}", task=train)
    assert len(killed) == 1
    assert killed[0] not in pools[0]._processes.values()
    assert [row["state"] for row in table(folder)] == ["COMPLETE"] * 14
    assert results(folder) == results(local)
