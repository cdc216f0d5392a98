"""Counts of photos and of the faces in them, as `emonet predict` and `emonet demo` end with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from emonet.html.formatting import count_of
from facecrop.text import printable

if TYPE_CHECKING:
    from emonet.prediction import PhotoResult

NAMED = 3  # folders that a line names
NAMED_FILES = 5  # that could not be read, each on a line


class Tally:
    """Counts photos and faces as they are done.

    Attributes:
        others: The files that are not photos, by the endings of their names.
        albums: The folders that earlier runs wrote, which are passed over.
        read: Photos that were read.
        unreadable: Photos that could not be read.
        known: Photos that an earlier run had done.

    Args:
        names_unreadable: Whether to name the first photos that could not be read, where nothing else has.
    """

    def __init__(self, *, names_unreadable: bool = False) -> None:
        self.others: Counter[str] = Counter()
        self.albums: Sequence[str] = ()
        self.read = self.unreadable = self.known = 0
        self._faces: Counter[str] = Counter()
        self._unsure: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._names_unreadable = names_unreadable
        self._faults: list[str] = []

    def add(self, result: PhotoResult, *, known: bool = False) -> None:
        """Count a photo and its faces."""
        self.known += known
        self.unreadable += result.error is not None
        self.read += result.error is None
        if result.error is not None and self._names_unreadable and len(self._faults) < NAMED_FILES:
            self._faults.append(f"cannot be read: {printable(str(result.source))}: {result.error.reason}")
        self._faces.update(one.emotion.value for one in result.predictions if not one.unsure)
        self._unsure.update(one.unsure for one in result.predictions if one.unsure)
        self._left_out.update(rejection.reason.value for rejection in result.rejections)

    def __str__(self) -> str:
        """Return a line for the expressions and one for the reasons, and last the number of photos."""
        found = {"faces": self._faces, "unsure": self._unsure, "left out": self._left_out}
        lines = [f"{name}: {format_counts(counts)}" for name, counts in found.items() if counts]
        lines += skipped_lines(self.others, self.albums)
        lines += self._faults
        if self._faults and self.unreadable > len(self._faults):
            lines.append(f"cannot be read: {self.unreadable - len(self._faults):,} more; predictions.csv names them")
        before = f", {self.known:,} of them done before" if self.known else ""
        photos = count_of(self.read + self.unreadable, "photo")
        faces = count_of(self._faces.total() + self._unsure.total(), "face")
        lines.append(f"{photos}{before}: {faces}; {self.unreadable:,} could not be read")
        return "\n".join(lines)


def format_counts(counts: Counter[str]) -> str:
    """Write counts in words, the largest first."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common())


def skipped_lines(others: Counter[str], albums: Sequence[str] = ()) -> Iterator[str]:
    """Yield a line about files that are not photos, by the endings of their names, and one about folders of runs."""
    if others:
        by_ending = Counter({printable(ending) or "without an ending": count for ending, count in others.items()})
        yield f"skipped, because they are not photos: {format_counts(by_ending)}"
    if albums:
        named = ", ".join(map(printable, albums[:NAMED])) + (", ..." if len(albums) > NAMED else "")
        yield f"passed over, because emonet wrote them: {count_of(len(albums), 'folder')} ({named})"
