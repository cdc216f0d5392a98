"""What teachers answered to the fixed views of each picture, in a file of the run's folder.

Each answer is written when it is first given and then stays, so a run that was killed goes on with the same numbers.
The file is trusted only together with the state of a run, which says whose it is. What a crash of the whole machine has
taken from it is asked for again, among other pictures, which may change the last bits.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.training.distributed import Processes
from emonet.training.sampling import Indices

ANSWERS = "teacher_answers.bin"

Shape = tuple[int, int, int]  # views, pictures, classes
Half = NDArray[np.float16]


class TeacherAnswers:
    """Answers by view and picture; NaN where nobody has asked yet."""

    def __init__(self, answers: Half) -> None:
        self._answers = answers

    def read(self, view: int, places: Indices) -> Half:
        """Give the answers to one view of some pictures (N, classes)."""
        return np.asarray(self._answers[view, places], np.float16)

    def write(self, view: int, places: Indices, answers: Half) -> None:
        """Keep answers where there are none yet."""
        new = missing(self.read(view, places))
        self._answers[view, places[new]] = answers[new]


def missing(answers: Half) -> NDArray[np.bool_]:
    """Say which rows are not there, or not whole."""
    return np.asarray(np.isnan(answers).any(1), np.bool_)


def open_answers(path: Path, shape: Shape, processes: Processes, *, fresh: bool) -> TeacherAnswers:
    """Open the file of a run, which all its processes share.

    Args:
        path: Where it is, or is to be.
        shape: The numbers of views, pictures and classes.
        processes: The first of them makes the file if there is none.
        fresh: Whether the run begins, and a file that is there belongs to another.
    """
    if processes.first and (fresh or not _fits(path, shape)):
        _create(path, shape)
    processes.agreed(None)  # nobody opens it before it is there
    return TeacherAnswers(np.asarray(np.memmap(path, np.float16, "r+", shape=shape)))


def _fits(path: Path, shape: Shape) -> bool:
    return path.is_file() and path.stat().st_size == math.prod(shape) * np.dtype(np.float16).itemsize


def _create(path: Path, shape: Shape) -> None:
    with write_atomically(path) as temporary:
        answers = np.memmap(temporary, np.float16, "w+", shape=shape)
        answers[:] = np.nan
        answers.flush()
