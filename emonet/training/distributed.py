"""Several processes that train one network together, as `torchrun` starts them; one process is the simple case."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from emonet.devices import Machine
from emonet.training.sampling import Indices

# Seconds that gloo's threads are given to let go of the last tensors. They need Python's lock for that, and a thread
# that asks for it when the interpreter has ended aborts the process (PyTorch's pull request 179291).
LETTING_GO = 0.1


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among all. Each takes its share of every batch; the first alone writes and scores."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Indices) -> Indices:
        return batch[self.rank :: self.count]

    def joined(self, network: nn.Module, machine: Machine) -> nn.Module:
        """The network, its gradients averaged over all processes."""
        if self.count == 1:
            return network
        devices = [machine.device.index] if machine.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def agreed(self, value: Any) -> Any:
        """What the first process says, in all."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def summed(self, values: torch.Tensor) -> torch.Tensor:
        if self.count > 1:
            distributed.all_reduce(values)
        return values


@contextmanager
def joined_processes(device: str) -> Iterator[tuple[Processes, str]]:
    """This process's place, and its device; both from the environment that `torchrun` sets."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or distributed.is_initialized():
        yield _place(), device
        return
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield _place(), device
        distributed.barrier()
        time.sleep(LETTING_GO)
    finally:
        distributed.destroy_process_group()


def _place() -> Processes:
    if not distributed.is_available() or not distributed.is_initialized():
        return Processes()
    return Processes(distributed.get_rank(), distributed.get_world_size())
