"""The journal of an album: what was found in each photo so far, so that a stopped run can go on.

The journal is an SQLite database in the album, with a row for each photo. Every photo is committed before the run tells
of it: a killed process loses nothing and doubles nothing. A power failure may cost the last few photos; the next run
looks at them again. One run at a time has the journal open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emonet.album.entry import Entry
from emonet.album.photos import Stamp
from emonet.database import open_database, reporting, transaction

FORMAT = 2
LINES = "journal.jsonl"  # the journal of format 1, a line of JSON for each photo

IDENTITY_TABLE = "CREATE TABLE identity (format INTEGER, identity TEXT)"
PHOTOS_TABLE = "CREATE TABLE photos (name BLOB PRIMARY KEY, stamp TEXT, entry BLOB)"
ADD = "INSERT OR REPLACE INTO photos VALUES (?, ?, ?)"
FIND = "SELECT stamp, entry FROM photos WHERE name = ?"

_Row = tuple[bytes, str, bytes]  # of the table of photos


class Journal:
    """The entries of an album on disk, by the names of their photos.

    A journal of another identity is begun anew. A journal of the old format is taken over.

    Args:
        path: The file of the journal.
        identity: What the entries depend on beside the photos: the model, the detector and so on.

    Raises:
        OptionError: Another run has the journal open.
        MachineError: The journal cannot be read or written.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = open_database(path, "every photo is done again")
        with ExitStack() as closing:
            closing.callback(self._database.close)
            with reporting(self.path):
                self._begin(json.dumps(identity, sort_keys=True))
            closing.pop_all()  # it is ready, and stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def find(self, name: str, stamp: Stamp) -> Entry | None:
        """Return the entry of a photo, None unless the photo was done as it is now."""
        with reporting(self.path):
            row = self._database.execute(FIND, (os.fsencode(name),)).fetchone()
        if row is None or row[0] != json.dumps(stamp):
            return None
        try:
            return Entry.from_dict(json.loads(row[1]))
        except (ValueError, KeyError, TypeError):  # the disk damaged this row: its photo is done again
            return None

    def add(self, name: str, stamp: Stamp, entry: Entry) -> None:
        """Store the entry of a photo in place of an earlier one; from then on, a killed process does not lose it."""
        with reporting(self.path):
            self._database.execute(ADD, _make_row(name, stamp, entry.to_dict()))

    def _begin(self, identity: str) -> None:
        """Keep the rows of this identity; drop all others, and take over those of the old format."""
        database, lines = self._database, self.path.with_name(LINES)
        begun = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'identity'").fetchone()
        if not begun or database.execute("SELECT * FROM identity").fetchone() != (FORMAT, identity):
            with transaction(database):
                database.execute("DROP TABLE IF EXISTS identity")
                database.execute("DROP TABLE IF EXISTS photos")
                database.execute(IDENTITY_TABLE)
                database.execute(PHOTOS_TABLE)
                database.execute("INSERT INTO identity VALUES (?, ?)", (FORMAT, identity))
                database.executemany(ADD, _read_lines(lines, identity))
        lines.unlink(missing_ok=True)


def _make_row(name: str, stamp: Any, entry: Any) -> _Row:
    """Make a row of the table; the name is stored as bytes, because the name of a file need not be text."""
    return os.fsencode(name), json.dumps(stamp), json.dumps(entry).encode()


def _read_lines(path: Path, identity: str) -> Iterator[_Row]:
    """Read the rows of a journal of the old format; those of another identity and damaged ones are left out."""
    if not path.exists():
        return
    head = json.dumps({"format": 1, "identity": json.loads(identity)}, sort_keys=True).encode()
    with path.open("rb") as lines:
        if lines.readline().rstrip() != head:
            return
        for line in lines:
            try:
                stored = json.loads(line)
                row = _make_row(stored["name"], stored["stamp"], stored["entry"])
            except (ValueError, KeyError, TypeError):
                continue
            yield row
