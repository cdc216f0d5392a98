"""Several processes that train one network together, as `torchrun` starts them. One process is the simple case."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from emonet.errors import EmonetError, OptionError
from emonet.inference.devices import Machine
from emonet.models import Network
from emonet.training.missing import end_when_told, name_absent, name_missing

# Seconds that gloo's threads get to release the last tensors, also when another process was lost. They need Python's
# lock for that, and a thread that asks for it after the interpreter has ended aborts the process (PyTorch's pull
# request 179291).
RELEASE_SECONDS = 0.1
WAIT_SECONDS = 300.0  # that a process waits for another

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Processes:
    """The rank of this process among all. Each learns its parts of every batch; only the first writes.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
        device: Where tensors must lie to be sent; None where there is nothing to send.
        here: Number of processes on this machine.
    """

    rank: int = 0
    count: int = 1
    device: torch.device | None = None
    here: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def synchronise(self, network: Network, machine: Machine) -> Network:
        """Let batch norm use the statistics of all processes together; its parameters and their names stay.

        On CUDA only: torch offers it nowhere else.
        """
        if self.count == 1 or machine.device.type != "cuda":
            return network
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # not annotated
        return cast("Network", converted)

    def wrap(self, network: nn.Module, machine: Machine) -> nn.Module:
        """Wrap a network so that its gradients are averaged over all processes."""
        if self.count == 1:
            return network
        devices = [machine.device.index] if machine.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def hold_back(self, wrapped: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """Keep the gradients of a part to this process, but for the last part of a batch, which sends their sum."""
        if last or not isinstance(wrapped, nn.parallel.DistributedDataParallel):
            return nullcontext()
        return wrapped.no_sync()

    def ask_first(self, question: Callable[[], Answer]) -> Answer:
        """Return in all processes what the first one answers; what it raises is raised in all.

        Only the first process need see the folder of the run.
        """
        if self.count == 1:
            return question()
        answer, error = self.agree_on(_answer(question) if self.first else None)
        if error is not None:
            raise error
        return cast("Answer", answer)

    def agree_on(self, value: Any) -> Any:
        """Return the first process's value in all processes."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def wait(self) -> None:
        """Wait until the first process is here."""
        self.agree_on(None)

    def sum(self, values: Tensor) -> Tensor:
        """Sum tensors over all processes; all get the result."""
        if self.count == 1:
            return values
        total = values.to(self.device)
        distributed.all_reduce(total)
        return total

    def share_buffers(self, network: nn.Module) -> None:
        """Copy the first process's buffers to all: batch norm keeps statistics of the images of its own process."""
        if self.count > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)

    def gather(self, own: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
        """Join a table (rows, columns) of which each process has its `share`; all get the result."""
        if self.count == 1:
            return own
        table = torch.zeros(rows, own.shape[1], device=self.device)
        table[self.rank :: self.count] = torch.from_numpy(own).to(self.device)
        return np.asarray(self.sum(table).cpu().numpy(), np.float32)


def _answer(question: Callable[[], Answer]) -> tuple[Answer | None, EmonetError | None]:
    try:
        return question(), None
    except EmonetError as error:
        return None, error


@contextmanager
def join_processes(device: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[tuple[Processes, str]]:
    """Join the other processes if `torchrun` started this one, and leave them at the end.

    Args:
        device: The device that was asked for.
        wait_seconds: Seconds that a process waits for another before it gives up.

    Yields:
        This process among the others, and its own device.

    Raises:
        OptionError: Several processes would share a card, or `torchrun` did not start this one.
        TrainingError: Another process does not answer any more.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or distributed.is_initialized():
        yield _find_place(device), device
        return
    if "LOCAL_RANK" not in os.environ:
        raise OptionError(
            "WORLD_SIZE is set and LOCAL_RANK is not: start the processes with torchrun, or unset WORLD_SIZE"
        )
    own = choose_device(device, int(os.environ["LOCAL_RANK"]))
    if own.startswith("cuda"):
        torch.cuda.set_device(own)
    with name_absent(count, wait_seconds):
        _meet("nccl" if own.startswith("cuda") else "gloo", timedelta(seconds=wait_seconds))
    try:
        with name_missing(), end_when_told():
            yield _find_place(own), own
            distributed.barrier(device_ids=[torch.device(own).index] if own.startswith("cuda") else None)
    finally:
        time.sleep(RELEASE_SECONDS)
        distributed.destroy_process_group()


def _meet(backend: str, timeout: timedelta) -> None:
    """Join all processes in one group.

    When torchrun starts processes again, they meet in the same store. There, each attempt needs names of its own: under
    the old names, processes find the addresses of those that were killed.
    """
    store, rank, count = next(rendezvous("env://", timeout=timeout))
    store.set_timeout(timeout)
    prefix = f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    attempt = PrefixStore(prefix, store)
    distributed.init_process_group(backend, store=attempt, rank=rank, world_size=count, timeout=timeout)


def choose_device(device: str, local_rank: int) -> str:
    """Choose the device of one of several processes on this machine: each takes a card of its own.

    Raises:
        OptionError: There are more processes than cards, or one card was asked for by its number.
    """
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


def _find_place(device: str) -> Processes:
    if not distributed.is_available() or not distributed.is_initialized():
        return Processes()
    sends_from = torch.device(device if device.startswith("cuda") else "cpu")
    rank, count = distributed.get_rank(), distributed.get_world_size()
    return Processes(rank, count, sends_from, int(os.environ.get("LOCAL_WORLD_SIZE", count)))
