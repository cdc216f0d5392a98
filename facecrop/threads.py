"""Keep networks and matrix products to one thread, where many of them run side by side."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from threadpoolctl import threadpool_limits


def use_one_thread() -> ExitStack:
    """Let torch, OpenCV and NumPy's matrix products use one thread for each thread that calls them.

    Their own threads gain little for work as small as a face, and wait for each other in busy loops, which makes them
    many times slower where each core has work already. One thread also gives the same results everywhere: several add
    up numbers in another order. Torch and OpenCV are limited only if they are loaded.

    Returns:
        What gives the threads back when it is closed: `with use_one_thread(): ...`. Without, the limits stay.
    """
    restoring = ExitStack()
    restoring.enter_context(threadpool_limits(1, "blas"))
    if (torch := sys.modules.get("torch")) is not None:
        restoring.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
    if (cv2 := sys.modules.get("cv2")) is not None:
        restoring.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)
    return restoring
