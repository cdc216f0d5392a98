"""Run the first stage: share out chunks to worker processes. A chunk that was finished is not done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from itertools import chain
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.rows import has_all_columns
from emonet.datasets.builder.work import Seconds, Workshop
from emonet.errors import MachineError
from facecrop.threads import use_one_thread

AHEAD = 2  # chunks for each worker that are handed out at a time; more would only fill memory

Done = Callable[[str, int, Seconds], None]  # source, images, and the time they took


def chunk_path(folder: Path, chunk: Chunk) -> Path:
    """Name the file of a chunk."""
    return folder / f"{chunk.name}.parquet"


def run_chunks(
    chunks: Iterable[Chunk], folder: Path, options: BuildOptions, devices: Sequence[str], done: Done
) -> None:
    """Write the rows of every chunk into a folder.

    Args:
        chunks: All chunks.
        folder: Where to write; chunks that are there already are not done again.
        options: The build.
        devices: The device of each worker.
        done: Called for each chunk when it is written, and for those that were there.

    Raises:
        MachineError: A worker was killed.
    """
    missing = find_missing(chunks, folder, done)
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
                "a worker was killed, most likely because memory ran out; finished chunks are kept: run again, perhaps "
                "with fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def is_done(path: Path) -> bool:
    """Tell whether the file of a chunk is there, as this version writes it."""
    return path.exists() and has_all_columns(path)


def find_missing(chunks: Iterable[Chunk], folder: Path, done: Done) -> Iterator[Chunk]:
    """Yield the chunks that are still to be done; call `done` with the others."""
    for chunk in chunks:
        if is_done(chunk_path(folder, chunk)):
            done(chunk.source, len(chunk), {})
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
            chunk = running.pop(future)
            done(chunk.source, len(chunk), future.result())


def _work_alone(chunks: Iterator[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
    first = next(chunks, None)
    if first is None:
        return
    workshop = Workshop(options)
    with use_one_thread():
        for chunk in chain([first], chunks):
            done(chunk.source, len(chunk), workshop.work(chunk, chunk_path(folder, chunk)))


_options: BuildOptions  # of a worker process


def _start(options: BuildOptions, free: SimpleQueue[str]) -> None:
    """Make a process a worker on one of the free devices, which ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _options
    _options = replace(options, device=free.get())


@cache
def _open_workshop() -> Workshop:
    """Open the workshop with the first chunk: the reason of an error in `_start` would be lost."""
    workshop = Workshop(_options)
    use_one_thread()
    return workshop


def _end_with_parent() -> None:
    """End with the parent: one that is killed cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(chunk: Chunk, path: Path) -> Seconds:
    return _open_workshop().work(chunk, path)
