"""(b) Plain torch on tensors, one trial at a time: what a careful user writes by hand.

In bfloat16 by torch.autocast. `channels_last`: images lie so that a CPU convolves them faster.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from rivals.crew import ROUNDED, Clock, Done, Slice, Task
from rivals.files import read_splits
from rivals.network import network_of, penalty
from rivals.workloads import BATCH, EVALUATION_BATCH, L2, LR


def prepare(task: Task) -> Slice:
    splits, device = read_splits(task.workload, task.folder, task.device), torch.device(task.device)
    workload, fused, l2_in = task.workload, task.options["fused"], task.options["l2_in"]
    x_NI, y_N = splits.train.x_NI, splits.train.y_N
    validation = splits.validation
    rounds = partial(torch.autocast, device.type, torch.bfloat16, task.precision == ROUNDED)

    def run(seed: int, clock: Clock) -> Done:
        torch.manual_seed(1000 * seed + task.index)
        network = network_of(workload).to(device)
        if task.options.get("channels_last"):
            network.to(memory_format=torch.channels_last)
        decay = 0.0 if l2_in == "loss" else L2
        optimizer = torch.optim.Adam(network.parameters(), lr=LR, weight_decay=decay, fused=fused or None)
        val_loss = float("nan")
        steps = 0
        for epoch in range(workload.epochs):
            sums_2 = torch.zeros(2, device=device)
            for at_B in torch.randperm(len(y_N), device=device).split(BATCH):
                with rounds():
                    logits_BC, targets_B = network(x_NI[at_B]), y_N[at_B]
                loss = F.cross_entropy(logits_BC.float(), targets_B)
                optimizer.zero_grad()
                (loss + penalty(network) if l2_in == "loss" else loss).backward()
                optimizer.step()
                with torch.no_grad():
                    sums_2[0] += loss * len(at_B)
                    sums_2[1] += (logits_BC.argmax(1) != targets_B).sum()
                steps += epoch > 0
            network.eval()
            with torch.no_grad():
                sums_2.zero_()
                parts = (validation.x_NI.split(EVALUATION_BATCH), validation.y_N.split(EVALUATION_BATCH))
                for x_BI, targets_B in zip(*parts, strict=True):
                    with rounds():
                        logits_BC = network(x_BI)
                    sums_2[0] += F.cross_entropy(logits_BC.float(), targets_B, reduction="sum")
                    sums_2[1] += (logits_BC.argmax(1) != targets_B).sum()
                val_loss = float(sums_2[0]) / len(validation.y_N)
            network.train()
            if epoch == 0:
                clock.start()
        clock.stop()
        return Done(steps, val_loss)

    return run
