"""Several processes that train one network together, as `torchrun` starts them; one process is the simple case."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from emonet.errors import OptionError
from emonet.inference.devices import Machine
from emonet.training.sampling import Indices

# Seconds that gloo's threads are given to let go of the last tensors. They need Python's lock for that, and a thread
# that asks for it when the interpreter has ended aborts the process (PyTorch's pull request 179291).
LETTING_GO = 0.1


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among all. Each takes its share of every batch; the first alone writes and scores."""

    rank: int = 0
    count: int = 1
    device: torch.device | None = None  # where tensors must lie to be sent; None where there is nothing to send

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
        distributed.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes, in each."""
        if self.count == 1:
            return values
        total = values.to(self.device)
        distributed.all_reduce(total)
        return total

    def share_buffers(self, network: nn.Module) -> None:
        """Give all processes the first one's buffers: each keeps statistics of its own pictures in batch norm."""
        if self.count > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)

    def gathered(self, own: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
        """All rows of a table (rows, columns) of which each process has its `share`."""
        if self.count == 1:
            return own
        table = torch.zeros(rows, own.shape[1], device=self.device)
        table[self.rank :: self.count] = torch.from_numpy(own).to(self.device)
        return np.asarray(self.summed(table).cpu().numpy(), np.float32)


@contextmanager
def joined_processes(device: str) -> Iterator[tuple[Processes, str]]:
    """This process's place, and its device; both from the environment that `torchrun` sets.

    Raises:
        ValueError: One card was asked for by its number, for several processes.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or distributed.is_initialized():
        yield _place(device), device
        return
    own = own_device(device, int(os.environ["LOCAL_RANK"]))
    if own.startswith("cuda"):
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.startswith("cuda") else "gloo")
    try:
        yield _place(own), own
        distributed.barrier(device_ids=[torch.device(own).index] if own.startswith("cuda") else None)
        time.sleep(LETTING_GO)
    finally:
        distributed.destroy_process_group()


def own_device(device: str, local_rank: int) -> str:
    """The device of one of several processes on this machine: each takes a graphics card of its own."""
    if device.startswith("cuda:"):
        raise OptionError(
            f"device {device!r} is one card, and several processes need one each: say cuda, or start one process"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cuda":
        return device
    if local_rank >= torch.cuda.device_count():
        raise OptionError(
            f"process {local_rank + 1} on this machine finds no card of its own: there are "
            f"{torch.cuda.device_count()}; start fewer with --nproc-per-node, or say --device cpu"
        )
    return f"cuda:{local_rank}"


def _place(device: str) -> Processes:
    if not distributed.is_available() or not distributed.is_initialized():
        return Processes()
    sends_from = torch.device(device if device.startswith("cuda") else "cpu")
    return Processes(distributed.get_rank(), distributed.get_world_size(), sends_from)
