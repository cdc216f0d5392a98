"""Running the first stage: chunks are shared out among worker processes, and finished ones are never done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import chain
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.work import Seconds, Workshop
from emonet.errors import MachineError

AHEAD = 2  # chunks a worker that are handed out: more would only fill memory

Done = Callable[[Chunk, Seconds], None]


def chunk_path(folder: Path, chunk: Chunk) -> Path:
    return folder / f"{chunk.name}.parquet"


def run_chunks(
    chunks: Iterable[Chunk], folder: Path, options: BuildOptions, devices: Sequence[str], done: Done
) -> None:
    """Has every chunk's rows written into the folder, by a worker on each of the devices.

    `done` is called for each chunk, also for those that were there.
    """
    missing = _missing(chunks, folder, done)
    if len(devices) == 1:
        _work_alone(missing, folder, replace(options, device=devices[0]), done)
        return
    context = multiprocessing.get_context("spawn")  # neither torch's threads nor CUDA outlive a fork
    free = context.SimpleQueue()
    for device in devices:
        free.put(device)
    with ProcessPoolExecutor(len(devices), context, _start, (options, free)) as pool:
        try:
            _share_out(missing, folder, pool, AHEAD * len(devices), done)
        except BrokenProcessPool as error:
            raise MachineError(
                "a worker was killed, most likely for want of memory; what is done stays: run again, perhaps with "
                "fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _missing(chunks: Iterable[Chunk], folder: Path, done: Done) -> Iterator[Chunk]:
    for chunk in chunks:
        if chunk_path(folder, chunk).exists():
            done(chunk, {})
        else:
            yield chunk


def _share_out(chunks: Iterator[Chunk], folder: Path, pool: ProcessPoolExecutor, ahead: int, done: Done) -> None:
    running: dict[Future[Seconds], Chunk] = {}
    exhausted = False
    while running or not exhausted:
        while len(running) < ahead and not exhausted:
            chunk = next(chunks, None)
            exhausted = chunk is None
            if chunk is not None:
                running[pool.submit(_work, chunk, chunk_path(folder, chunk))] = chunk
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            done(running.pop(future), future.result())


def _work_alone(chunks: Iterator[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
    first = next(chunks, None)
    if first is None:
        return
    workshop = Workshop(options)
    with one_thread():
        for chunk in chain([first], chunks):
            done(chunk, workshop.work(chunk, chunk_path(folder, chunk)))


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV and torch in one thread while the block runs."""
    before = _use_threads(1, 1)
    try:
        yield
    finally:
        _use_threads(*before)


def _use_threads(of_opencv: int, of_torch: int) -> tuple[int, int]:
    """Sets the numbers of threads, torch's only if a detector has loaded it; returns what they were.

    Results must not depend on them, and more than one would add up numbers in another order.
    """
    import cv2

    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 1
    cv2.setNumThreads(of_opencv)
    if torch:
        torch.set_num_threads(of_torch)
    return before


_options: BuildOptions  # of a worker process


def _start(options: BuildOptions, free: SimpleQueue[str]) -> None:
    """Makes a process a worker on one of the free devices, with an eye on its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _options
    _options = replace(options, device=free.get())


@cache
def _workshop() -> Workshop:
    """Opened with the first chunk: an error in `_start` would break the pool, and its reason would be lost."""
    workshop = Workshop(_options)
    _use_threads(1, 1)
    return workshop


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(chunk: Chunk, path: Path) -> Seconds:
    return _workshop().work(chunk, path)
