"""What teachers answered to the fixed views of each image, in a file in the folder of the run.

Each answer is written when it is first given, and then stays. So a run that was killed resumes with the same numbers.
Processes on other machines keep their answers to themselves, and ask again when they are started again.
The file is trusted only together with the state of a run, which says which run it belongs to. After a crash of the
whole machine some answers may be missing. They are asked for again, in other batches, which may change the last bits.
"""

from __future__ import annotations

import math
from pathlib import Path
from socket import gethostname
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.training.distributed import Processes
from emonet.training.sampling import Indices

ANSWERS = "teacher_answers.bin"

Shape = tuple[int, int, int]  # views, images, classes
Half = NDArray[np.float16]


class TeacherAnswers:
    """Answers (views, images, classes); NaN where nobody has asked yet."""

    def __init__(self, answers: Half) -> None:
        self._answers = answers

    def read(self, view: int, places: Indices) -> Half:
        """Return the answers to one view of some images (N, classes)."""
        return np.asarray(self._answers[view, places], np.float16)

    def write(self, view: int, places: Indices, answers: Half) -> None:
        """Write answers where there are none yet."""
        new = find_missing(self.read(view, places))
        self._answers[view, places[new]] = answers[new]


def find_missing(answers: Half) -> NDArray[np.bool_]:
    """Mark the rows that are missing or incomplete (N,)."""
    return np.asarray(np.isnan(answers).any(1), np.bool_)


def open_answers(path: Path, shape: Shape, processes: Processes, *, fresh: bool) -> TeacherAnswers:
    """Open the file of a run, which all its processes on the machine of the first share.

    Args:
        path: The file; the first process creates it where there is none that fits.
        shape: Numbers of views, images and classes.
        processes: All processes of the run.
        fresh: Whether the run begins now, so that an existing file belongs to another run.
    """
    if processes.first and (fresh or not _fits(path, shape)):
        _create(path, shape)
    first_machine = processes.agree_on(gethostname())  # nobody opens the file before it exists
    if first_machine != gethostname() or not _fits(path, shape):
        return TeacherAnswers(_create_unnamed(shape))
    return TeacherAnswers(np.asarray(np.memmap(path, np.float16, "r+", shape=shape)))


def _fits(path: Path, shape: Shape) -> bool:
    return path.is_file() and path.stat().st_size == math.prod(shape) * np.dtype(np.float16).itemsize


def _create_unnamed(shape: Shape) -> Half:
    """Map answers to a file that is gone with the process."""
    with TemporaryFile() as file:
        answers = np.memmap(file, np.float16, "w+", shape=shape)
    answers[:] = np.nan
    return answers


def _create(path: Path, shape: Shape) -> None:
    with write_atomically(path) as temporary:
        answers = np.memmap(temporary, np.float16, "w+", shape=shape)
        answers[:] = np.nan
        answers.flush()
        del answers  # Windows renames no file that is mapped
