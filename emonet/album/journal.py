"""What was said of the photos of a folder so far, on disk: a run that was stopped, or killed, goes on from it.

A line of JSON for each photo, in the order they were done. A photo that has changed since gets another line, and the
last one counts. Nothing of the file but where each photo's line begins is kept in memory. One run at a time writes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from emonet.album.entry import Entry
from emonet.album.photos import Stamp
from emonet.errors import OptionError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    stamp: Stamp


class Journal:
    """Photos go by their names below the folder, as the system has them. `identity` is what the answers depend on
    beside the photos: a journal of another is begun anew."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        head = json.dumps({"format": FORMAT, "identity": identity}, sort_keys=True).encode() + b"\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("r+b" if path.exists() else "w+b")
        _claim(self._file, path.parent)
        if self._file.readline() == head:
            self._lines = dict(self._read())
        else:
            self._lines = {}
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read(self) -> Iterator[tuple[str, _Line]]:
        """The lines after the head; one that was not finished is cut off, and a damaged one counts for nothing."""
        start = self._file.tell()
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                self._file.seek(start)
                self._file.truncate()
                return
            try:
                stored = json.loads(line)
                size, changed = stored["stamp"]
                yield stored["name"], _Line(start, (size, changed))
            except (ValueError, KeyError, TypeError):  # a disk's doing; its photo is done again
                pass
            start += len(line)

    def knows(self, name: str, stamp: Stamp) -> bool:
        """Whether the photo was done as it is now."""
        line = self._lines.get(name)
        return line is not None and line.stamp == stamp

    def add(self, name: str, stamp: Stamp, entry: Entry) -> None:
        """Writes a line; it is with the system when this returns, so that killing the process does not lose it."""
        start = self._file.seek(0, 2)
        stored = {"name": name, "stamp": stamp, "entry": entry.to_dict()}  # json writes names that are no text, too
        self._file.write(json.dumps(stored).encode() + b"\n")
        self._file.flush()
        self._lines[name] = _Line(start, stamp)

    def __getitem__(self, name: str) -> Entry:
        self._file.seek(self._lines[name].start)
        return Entry.from_dict(json.loads(self._file.readline())["entry"])


def _claim(file: IO[bytes], folder: Path) -> None:
    """Raises if another run writes the file now. The system lets go of it when a process ends, however that happens."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OptionError(f"another run is writing into {folder} now; wait for it, or choose another folder") from None
    except OSError:  # a file system without locks
        pass
