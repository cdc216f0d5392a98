"""When another process of a training is gone, or this one is told to end: one error that says so, and what to do."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from torch import distributed

from emonet.errors import TrainingError

# Seconds in which all processes notice that one is gone. Then torchrun, which has noticed it too, ends them.
NOTICE_SECONDS = 2.0
CONNECTION_WORDS = ("/gloo/", "Gloo", "NCCL", "caused pair closure")  # gloo names its file in most messages
GO_ON = "Start all processes again with the same command: the run goes on from its last saved state"


@contextmanager
def name_absent(count: int, seconds: float) -> Iterator[None]:
    """Turn the error of processes that do not meet into one that says what to look at.

    Raises:
        TrainingError: Not all processes have come in time.
    """
    try:
        yield
    except RuntimeError as error:
        if not _tells_of_connection(error):
            raise
        raise TrainingError(
            f"the {count} processes did not meet within {seconds:.0f} seconds: start all of them, and let them reach "
            f"the first machine by its address and port ({str(error).partition('. ')[0]})"
        ) from error


@contextmanager
def name_missing() -> Iterator[None]:
    """Turn the error of a broken connection into one that names the process which does not answer.

    Raises:
        TrainingError: Another process was killed, hangs, or its machine cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        if not _tells_of_connection(error):
            raise
        if _handles_signals():  # torchrun may tell this process to end before it has said why
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        rank, count = distributed.get_rank(), distributed.get_world_size()
        raise TrainingError(
            f"{_name_silent(rank, count)} not answer process {rank}: it was killed, it ended with an error of "
            f"its own, or its machine cannot be reached. {GO_ON}"
        ) from error


def _tells_of_connection(error: RuntimeError) -> bool:
    """Return whether an error is of torch's communication; gloo's are plain RuntimeErrors with one of these words."""
    return isinstance(error, distributed.DistError) or any(word in str(error) for word in CONNECTION_WORDS)


def _name_silent(rank: int, count: int) -> str:
    """Name the processes that do not say within some seconds that they have noticed the error, too."""
    others = set(range(count)) - {rank}
    if count > 2:
        try:
            others = _wait_for_notice(rank, others)
        except RuntimeError:  # the store lies with the first process or its machine
            others = {0}
    numbers = " and ".join(map(str, sorted(others)))
    return f"processes {numbers} of {count} do" if len(others) > 1 else f"process {numbers or '?'} of {count} does"


def _wait_for_notice(rank: int, others: set[int]) -> set[int]:
    store = distributed.distributed_c10d._get_default_store()
    store.set(_make_key(rank), "noticed")
    until = time.monotonic() + NOTICE_SECONDS
    while others and time.monotonic() < until:
        others = {other for other in others if not store.check([_make_key(other)])}
        time.sleep(0.1)
    return others


def _make_key(rank: int) -> str:
    return f"emonet: process {rank} has noticed an error"


@contextmanager
def end_when_told() -> Iterator[None]:
    """Turn SIGTERM into an error: torchrun sends it to all processes when one has failed."""
    if not _handles_signals():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _handles_signals() -> bool:
    """Return whether this is the main thread; Python lets no other handle signals."""
    return threading.current_thread() is threading.main_thread()


def _raise_told(_number: int, _frame: FrameType | None) -> None:
    raise TrainingError(f"told to end (SIGTERM), as torchrun does when another process has failed. {GO_ON}")
