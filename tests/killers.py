"""What goes wrong in the Python processes of Spark, which import this module by its name."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emonet.errors import DatasetError


@dataclass(frozen=True)
class Killing:
    """Kills the process which reads it, the first time or always; otherwise it is another image.

    Attributes:
        image: The other image.
        sign: A file that is written the first time.
        always: Whether to kill whenever it is read.
    """

    image: Any
    sign: Path
    always: bool = False

    def read(self):
        if self.always or not self.sign.exists():
            kill(self.sign)
        return self.image.read()


def kill(sign):
    sign.write_text("")
    os.kill(os.getpid(), signal.SIGKILL)


def divide_by_digit(folder, number):
    """Divide numbers by their last digit; the process is killed the first time."""
    if number == 5 and not (folder / "divided").exists():
        kill(folder / "divided")
    yield number % 10, number


def add_up(folder, numbers):
    """Add up a group of numbers; the process is killed the first time."""
    if 3 in numbers and not (folder / "added").exists():
        kill(folder / "added")
    return sum(numbers)


def fail(reason):
    raise DatasetError("table.csv", reason, 3)


def divide(number):
    return 1 / number
