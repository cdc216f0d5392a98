"""Keep networks and matrix products to one thread, where many of them run side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from threading import Lock, Thread, get_ident
from typing import NamedTuple

from threadpoolctl import ThreadpoolController, threadpool_limits


def use_one_thread() -> ExitStack:
    """Let torch, OpenCV and NumPy's matrix products use one thread for each thread that calls them.

    Their own threads gain little for work as small as a face, and wait for each other in busy loops, which makes them
    many times slower where each core has work already. One thread also gives the same results everywhere: several add
    up numbers in another order. Torch and OpenCV are limited only if they are loaded.

    The limits are of the whole process: of several threads that ask for them, the first sets them and the last gives
    the threads back.

    Returns:
        What gives the threads back when it is closed: `with use_one_thread(): ...`. Without, the limits stay.
    """
    leaving = ExitStack()
    leaving.callback(_limits.leave, _limits.enter())
    return leaving


class _Limits:
    """The limits of this process, and how many threads there were before the first that wanted them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside: list[int] = []  # threads, each as often as it has entered
        self._before: dict[str, int] = {}

    def enter(self) -> int:
        """Set the limits, and return the thread that wants them."""
        thread = get_ident()
        with self._lock:
            self._inside.append(thread)
            for pool in _list_pools():
                self._before.setdefault(pool.name, pool.size)
                pool.set_size(1)
            _let_others_set()
        return thread

    def leave(self, thread: int) -> None:
        """Give the threads back, but not while others want the limits.

        Torch, and some libraries of matrix products, keep a number for each thread and one for new threads. So they are
        given back here, and taken again elsewhere.
        """
        with self._lock:
            self._inside.remove(thread)
            if thread not in self._inside:
                _limit(self._before)
                if self._inside:
                    again = Thread(target=_limit)
                    again.start()
                    again.join()
            if not self._inside:
                self._before.clear()


class _Pool(NamedTuple):
    """The threads of a package or a library, and what sets their number."""

    name: str
    size: int
    set_size: Callable[[int], object]


def _list_pools() -> Iterator[_Pool]:
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        yield _Pool(library.filepath, library.num_threads, library.set_num_threads)
    if (torch := sys.modules.get("torch")) is not None:
        yield _Pool("torch", torch.get_num_threads(), torch.set_num_threads)
    if (cv2 := sys.modules.get("cv2")) is not None:
        yield _Pool("cv2", cv2.getNumThreads(), cv2.setNumThreads)


def _limit(before: Mapping[str, int] | None = None) -> None:
    """Set all to one thread, or to what they had before."""
    for pool in _list_pools():
        pool.set_size(1 if before is None else before.get(pool.name, pool.size))
    _let_others_set()


def _let_others_set() -> None:
    """Set nothing, but let other threads set the numbers of OpenBLAS after this one (threadpoolctl 3.8)."""
    with threadpool_limits(None, "blas"):
        pass


_limits = _Limits()
