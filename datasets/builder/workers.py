"""The processes of this machine that share the work of a build: how many, on which devices, and what they are given."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from multiprocessing.queues import SimpleQueue
from typing import TypeVar

from emonet.datasets.builder.options import BuildOptions
from emonet.errors import MachineError, OptionError
from facecrop.detectors import detector_device
from facecrop.devices import count_cards
from facecrop.machine import MOST_PROCESSES, count_processors
from facecrop.threads import use_one_thread

# A process takes some hundred megabytes of a GPU before its first image, and one or two gigabytes more for a batch. Two
# processes keep a GPU busy.
WORKERS_PER_CARD = 2
AHEAD = 2  # tasks for each worker that are handed out at a time; more would only fill memory

Task = TypeVar("Task")
Result = TypeVar("Result")
Part = TypeVar("Part")


class Workers:
    """Processes of this machine that share out tasks. One worker alone is the process that asks.

    Threads would hinder each other: our work is many short calls of NumPy, and Python runs in one thread at a time.

    Args:
        devices: The device of each worker.
        pool: The processes; None for one worker alone.
    """

    def __init__(self, devices: Sequence[str], pool: ProcessPoolExecutor | None = None) -> None:
        self.devices = devices
        self._pool = pool

    @property
    def alone(self) -> bool:
        """Whether the process that asks does the work."""
        return self._pool is None

    def run(self, tasks: Iterable[Task], work: Callable[[Task], Result]) -> Iterator[tuple[Task, Result]]:
        """Do tasks, and yield each with its result as soon as it is done, in any order.

        Args:
            tasks: What is to be done; only some are taken ahead.
            work: Does one task. It is pickled, unless one worker is alone.

        Raises:
            MachineError: A worker was killed.
        """
        if self._pool is None:
            with use_one_thread():
                yield from ((task, work(task)) for task in tasks)
            return
        waiting = iter(tasks)
        try:
            running = {self._pool.submit(work, task): task for task in islice(waiting, AHEAD * len(self.devices))}
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
                    running.update((self._pool.submit(work, task), task) for task in islice(waiting, 1))
        except BrokenProcessPool as error:
            raise MachineError(
                "a worker was killed, most likely because memory ran out; finished chunks are kept: run again, perhaps "
                "with fewer workers"
            ) from error

    def run_tasks(self, tasks: Iterable[Task], work: Callable[[Task], Result]) -> list[Result]:
        """Do tasks, and return what `work` returned for each, in order."""
        done = {place: result for (place, _), result in self.run(enumerate(tasks), partial(_work_on_second, work))}
        return [done[place] for place in range(len(done))]

    def run_groups(
        self,
        tasks: Iterable[Task],
        divide: Callable[[Task], Iterable[tuple[int, Part]]],
        groups: int,
        work: Callable[[list[Part]], Result],
    ) -> list[Result]:
        """Divide what is in tasks into groups, each of which is worked on in one piece.

        Args:
            tasks: What is to be divided.
            divide: Yields parts of a task, each with the number of its group.
            groups: How many groups there are.
            work: Works on the parts of a group.

        Returns:
            What `work` returned for each group that has parts, in order.
        """
        parts: list[list[Part]] = [[] for _ in range(groups)]
        for group, part in chain.from_iterable(map(divide, tasks)):
            parts[group].append(part)
        return self.run_tasks(filter(None, parts), work)


@contextmanager
def open_workers(devices: Sequence[str]) -> Iterator[Workers]:
    """Start a worker for each device, with the first tasks; one alone is this process."""
    if len(devices) == 1:
        yield Workers(devices)
        return
    context = multiprocessing.get_context("spawn")  # neither torch's threads nor CUDA outlive a fork
    free = context.SimpleQueue()
    for device in devices:
        free.put(device)
    pool = ProcessPoolExecutor(len(devices), context, _start, (free,))
    try:
        yield Workers(devices, pool)
    finally:
        pool.shutdown(cancel_futures=True)


_device: str  # of a worker process


def own_device() -> str:
    """Return the device of the worker process that asks."""
    return _device


def _start(free: SimpleQueue[str]) -> None:
    """Make a process a worker on one of the free devices, which ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    use_one_thread()
    global _device
    _device = free.get()


def _end_with_parent() -> None:
    """End with the parent: one that is killed cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work_on_second(work: Callable[[Task], Result], pair: tuple[int, Task]) -> Result:
    return work(pair[1])


def worker_devices(options: BuildOptions, chunks: int, workers: int | None = None) -> list[str]:
    """Choose the device of each worker.

    There is a worker for each core of the processor, or at most WORKERS_PER_CARD for each GPU; `cuda` without a number
    means all GPUs. There are never more workers than chunks.

    Args:
        options: The build.
        chunks: How many pieces of work there are.
        workers: How many are wanted; a GPU takes no more than WORKERS_PER_CARD.

    Returns:
        A device for each worker.

    Raises:
        OptionError: `workers` is below 1, or there is no such device.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"workers must be 1 or more, got {workers}")
    places = _list_devices(detector_device(options.detector, options.device))
    wanted = min(workers or count_processors(), chunks, MOST_PROCESSES)
    count = wanted if places == ["cpu"] else min(wanted, WORKERS_PER_CARD * len(places))
    return [places[index % len(places)] for index in range(count)]


def _list_devices(device: str) -> list[str]:
    return [f"cuda:{card}" for card in range(count_cards())] if device == "cuda" else [device]
