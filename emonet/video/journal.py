"""The journal of a run over a film: the results so far, so that a stopped run can go on.

The journal is an SQLite database in the folder of the output. Results are committed together with the state that the
next frame depends on: a killed process loses no frame and doubles none, and the tracks go on as if it had not been.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from emonet.database import open_database, reporting, transaction
from emonet.errors import OptionError
from emonet.video.frames import FrameResult

FORMAT = 1
TABLES = {
    "about": "(identity TEXT, state TEXT)",
    "frames": "(number INTEGER PRIMARY KEY, time_s REAL, result BLOB)",
    "thumbnails": "(number INTEGER PRIMARY KEY, time_s REAL, jpeg BLOB)",
}
THUMBNAILS = 96  # at most: then every other one goes, and they are made half as often


class Thumbnail(NamedTuple):
    """A small copy of a frame."""

    time_s: float
    jpeg: bytes


class VideoJournal:
    """The results of a film on disk, in order.

    Args:
        path: The file of the journal.
        identity: What the results depend on: the film, the model, the options. A journal of another identity is begun
            anew, but not one of another film.
        keep: Whether a journal of another identity is kept all the same, because its frames do not come back.

    Attributes:
        new: Whether it holds nothing of an earlier run.

    Raises:
        OptionError: Another run has the journal open, or it is that of something else, such as an album or another
            film.
        MachineError: The journal cannot be read or written.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, keep: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = open_database(path, "every frame is read again")
        with ExitStack() as closing:
            closing.callback(self._database.close)
            with reporting(path):
                self.new = self._begin({"format": FORMAT, **identity}, keep=keep)
            closing.pop_all()  # it is ready, and stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    @property
    def state(self) -> dict[str, Any]:
        """What was stored with the last results; empty at the beginning."""
        (state,) = self._ask("SELECT state FROM about").fetchone()
        found: dict[str, Any] = json.loads(state)
        return found

    @property
    def frames(self) -> int:
        """The number of frames that are done."""
        (count,) = self._ask("SELECT COUNT(*) FROM frames").fetchone()
        return int(count)

    @property
    def length_s(self) -> float:
        """The time of the last frame."""
        (last,) = self._ask("SELECT MAX(time_s) FROM frames").fetchone()
        return last or 0.0

    def add(self, results: Sequence[FrameResult], thumbnails: Sequence[Thumbnail], state: Mapping[str, Any]) -> None:
        """Store results with the state after them, all or nothing."""
        rows = [
            (one.index, one.time_s, zlib.compress(json.dumps(one.to_dict()["predictions"]).encode(), 1))
            for one in results
        ]
        with reporting(self.path), transaction(self._database):
            self._database.executemany("INSERT INTO frames VALUES (?, ?, ?)", rows)
            self._database.executemany("INSERT INTO thumbnails VALUES (NULL, ?, ?)", thumbnails)
            self._database.execute("UPDATE about SET state = ?", (json.dumps(state),))

    def thin_thumbnails(self) -> bool:
        """Drop every other thumbnail if there are too many, and say whether there were."""
        (count,) = self._ask("SELECT COUNT(*) FROM thumbnails").fetchone()
        if count <= THUMBNAILS:
            return False
        numbers = [number for (number,) in self._ask("SELECT number FROM thumbnails ORDER BY number").fetchall()]
        with reporting(self.path):
            dropped = [(number,) for number in numbers[1::2]]
            self._database.executemany("DELETE FROM thumbnails WHERE number = ?", dropped)
        return True

    def read(self) -> Iterator[FrameResult]:
        """Read the results in order; only one of them is in memory."""
        rows = self._ask("SELECT number, time_s, result FROM frames ORDER BY number")
        for number, time_s, stored in rows:
            predictions = json.loads(zlib.decompress(stored))
            yield FrameResult.from_dict({"index": number, "time_s": time_s, "predictions": predictions})

    def thumbnails(self) -> list[Thumbnail]:
        """Read the thumbnails in order."""
        rows = self._ask("SELECT time_s, jpeg FROM thumbnails ORDER BY number").fetchall()
        return [Thumbnail(*row) for row in rows]

    def _ask(self, question: str) -> sqlite3.Cursor:
        with reporting(self.path):
            return self._database.execute(question)

    def _begin(self, identity: Mapping[str, Any], *, keep: bool) -> bool:
        """Make the tables, unless those of this identity are there; tell whether they were made."""
        database = self._database
        there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        begun = "about" in there
        if there and not begun:
            raise OptionError(f"{self.path} is the journal of something else: choose another folder")
        told = json.dumps(identity, sort_keys=True)
        if begun:
            (before,) = database.execute("SELECT identity FROM about").fetchone()
            if keep or before == told:
                return False
            if _name_film(json.loads(before)) != _name_film(identity):
                raise OptionError(f"{self.path.parent} holds what was found in another film: choose another folder")
        with transaction(database):
            for name, columns in TABLES.items():
                database.execute(f"DROP TABLE IF EXISTS {name}")
                database.execute(f"CREATE TABLE {name} {columns}")
            database.execute("INSERT INTO about VALUES (?, '{}')", (told,))
        return True


def _name_film(identity: Mapping[str, Any]) -> Any:
    """Return what stays of a film when its file is written again."""
    film = identity["film"]
    return film["name"] if isinstance(film, Mapping) else film
