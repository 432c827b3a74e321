"""What the benchmark of training says of its networks is so: the products that it times alone are theirs."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rivals.network import network_of
from rivals.workloads import BATCH, WORKLOADS, Workload


@pytest.mark.verify
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_the_operations_of_a_step_are_counted_as_torch_counts_them(workload: Workload) -> None:
    network = network_of(workload)
    with FlopCounterMode(display=False) as counted:
        network(torch.ones(BATCH, workload.sizes[0])).sum().backward()
    assert workload.flop == counted.get_total_flops()
