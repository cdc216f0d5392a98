"""The journal of an album: what was found in each photo so far, so that a stopped run can go on.

The journal is an SQLite database in the album. It has a row for each photo and each maker: the model and the settings
that answered. Answers of several makers lie side by side, and a run goes on with those of its own. Every photo is
committed before the run tells of it: a killed process loses nothing and doubles nothing. A power failure may cost the
last few photos; the next run looks at them again. One run at a time has the journal open.

It also lists the files that runs wrote into the album, and what each annotated copy was made from: see `output.py`.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from emonet.album.entry import Entry
from emonet.album.photos import Stamp
from emonet.database import OLD_JOURNAL, open_database, reporting, transaction
from emonet.errors import OptionError

FORMAT = 4  # 3 did not know the folder of the photos; 2 had one maker and no list of files; 1 was a file of lines
TABLES = {
    "album": "(format INTEGER, title TEXT, place TEXT)",
    "makers": "(number INTEGER PRIMARY KEY, identity TEXT UNIQUE)",
    "photos": "(name BLOB, maker INTEGER, stamp TEXT, entry BLOB, PRIMARY KEY (name, maker))",
    "written": "(path BLOB PRIMARY KEY, photo BLOB, maker INTEGER, stamp TEXT)",
}
OLD_TABLES = {"identity", "photos"}  # of format 2

ADD = "INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?)"
FIND = "SELECT stamp, entry FROM photos WHERE name = ? AND maker = ?"
FORGET_CHANGED = "DELETE FROM photos WHERE name = ? AND stamp <> ?"  # of other makers: the photo is another one now


class WrittenFile(NamedTuple):
    """A file in the album that a run wrote.

    Attributes:
        path: Below the album, with slashes.
        photo: The photo that it is a copy of; None for tables and pages.
        maker: The maker of the predictions in it.
        stamp: The stamp of the photo that it was made from.
    """

    path: str
    photo: str | None = None
    maker: int | None = None
    stamp: Stamp | None = None


class Journal:
    """The entries of an album on disk, by the names of their photos.

    A journal of an older format is taken over.

    Args:
        path: The file of the journal.
        identity: What the entries depend on beside the photos: the model, the detector and so on.
        title: The name of the folder of photos.
        place: What tells that folder from others.

    Attributes:
        maker: The number of the identity.
        unlisted: Whether there was a journal that listed no files: one of an older format, or a damaged one.

    Raises:
        OptionError: Another run has the journal open, or it is one of something else or of a newer version.
        MachineError: The journal cannot be read or written.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], title: str = "", place: str = "") -> None:
        self.path = path
        there = path.exists() or path.with_name(OLD_JOURNAL).exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = open_database(path, "every photo is done again")
        with ExitStack() as closing:
            closing.callback(self._database.close)
            with reporting(self.path):
                self._database.execute("PRAGMA secure_delete = ON")  # thumbnails of deleted photos are overwritten
                begun = self._begin(title, place)
                self.maker = _number_maker(self._database, json.dumps(identity, sort_keys=True))
            closing.pop_all()  # it is ready, and stays open
        self.unlisted = begun and there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    @property
    def title(self) -> str:
        """The name of the folder of photos that the last run looked at; empty if it is not known."""
        ((title,),) = self._ask("SELECT title FROM album")
        return str(title)

    @property
    def place(self) -> str:
        """What tells that folder from others; empty if it is not known."""
        ((place,),) = self._ask("SELECT place FROM album")
        return str(place)

    def note_folder(self, title: str, place: str) -> None:
        """Store which folder of photos was looked at."""
        self._ask("UPDATE album SET title = ?, place = ?", title, place)

    @property
    def names(self) -> set[str]:
        """The names of all photos that any maker answered."""
        return set(self.stamps)

    @property
    def stamps(self) -> dict[str, Stamp]:
        """The stamps of all photos that any maker answered, by their names."""
        rows = self._ask("SELECT DISTINCT name, stamp FROM photos")
        return {os.fsdecode(name): tuple(json.loads(stamp)) for name, stamp in rows}

    def find(self, name: str, stamp: Stamp) -> Entry | None:
        """Return the entry of a photo, None unless this maker did the photo as it is now."""
        row = next(iter(self._ask(FIND, os.fsencode(name), self.maker)), None)
        if row is None or row[0] != json.dumps(stamp):
            return None
        try:
            return Entry.from_dict(json.loads(row[1]))
        except (ValueError, KeyError, TypeError):  # the disk damaged this row: its photo is done again
            return None

    def add(self, name: str, stamp: Stamp, entry: Entry) -> None:
        """Store the entry of a photo in place of an earlier one; from then on, a killed process does not lose it."""
        key, told = os.fsencode(name), json.dumps(stamp)
        with reporting(self.path), transaction(self._database):
            self._database.execute(FORGET_CHANGED, (key, told))
            self._database.execute(ADD, (key, self.maker, told, json.dumps(entry.to_dict()).encode()))

    def forget(self, names: Iterable[str]) -> None:
        """Remove what all makers answered about some photos."""
        keys = [(os.fsencode(name),) for name in names]
        with reporting(self.path), transaction(self._database):
            self._database.executemany("DELETE FROM photos WHERE name = ?", keys)

    def list_written(self) -> list[WrittenFile]:
        """List the files that runs wrote."""
        return [_make_written(*row) for row in self._ask("SELECT path, photo, maker, stamp FROM written")]

    def find_written(self, path: str) -> WrittenFile | None:
        """Find a file among those that runs wrote."""
        rows = self._ask("SELECT path, photo, maker, stamp FROM written WHERE path = ?", os.fsencode(path))
        return _make_written(*rows[0]) if rows else None

    def note_written(self, file: WrittenFile) -> None:
        """List a file, before it is written."""
        photo = None if file.photo is None else os.fsencode(file.photo)
        stamp = None if file.stamp is None else json.dumps(file.stamp)
        row = (os.fsencode(file.path), photo, file.maker, stamp)
        self._ask("INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?)", *row)

    def forget_written(self, path: str) -> None:
        """Take a file off the list, after it was removed."""
        self._ask("DELETE FROM written WHERE path = ?", os.fsencode(path))

    def _ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        with reporting(self.path):
            return self._database.execute(question, values).fetchall()

    def _begin(self, title: str, place: str) -> bool:
        """Make the tables, or take over those of an older format; tell whether they were made."""
        database, lines = self._database, self.path.with_name(OLD_JOURNAL)
        there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "album" in there:
            self._check_format()
        elif there and there != OLD_TABLES:
            raise OptionError(f"{self.path} is the journal of something else: choose another folder")
        else:
            with transaction(database):
                old = _take_old(database) if there else list(_read_lines(lines))
                for table, columns in TABLES.items():
                    database.execute(f"CREATE TABLE {table} {columns}")
                known = ("", "") if old else (title, place)
                database.execute("INSERT INTO album VALUES (?, ?, ?)", (FORMAT, *known))
                for identity, name, stamp, entry in old:
                    database.execute(ADD, (name, _number_maker(database, identity), stamp, entry))
        lines.unlink(missing_ok=True)
        return "album" not in there

    def _check_format(self) -> None:
        ((found,),) = self._database.execute("SELECT format FROM album").fetchall()
        if found == 3:
            with transaction(self._database):
                self._database.execute("ALTER TABLE album ADD COLUMN place TEXT DEFAULT ''")
                self._database.execute("UPDATE album SET format = ?", (FORMAT,))
        elif found != FORMAT:
            raise OptionError(
                f"{self.path} is of format {found}, and this version of emonet reads {FORMAT} and older ones: "
                "update emonet, or choose another folder"
            )


_OldRow = tuple[str, bytes, str, bytes]  # identity, name, stamp, entry


def _make_written(path: bytes, photo: bytes | None, maker: int | None, stamp: str | None) -> WrittenFile:
    made_from = None if stamp is None else tuple(json.loads(stamp))
    return WrittenFile(os.fsdecode(path), None if photo is None else os.fsdecode(photo), maker, made_from)


def _number_maker(database: sqlite3.Connection, identity: str) -> int:
    database.execute("INSERT OR IGNORE INTO makers (identity) VALUES (?)", (identity,))
    (number,) = database.execute("SELECT number FROM makers WHERE identity = ?", (identity,)).fetchone()
    return int(number)


def _take_old(database: sqlite3.Connection) -> Iterable[_OldRow]:
    """Put the tables of format 2 aside, and return their rows."""
    (_, identity) = database.execute("SELECT * FROM identity").fetchone() or (2, "{}")
    database.execute("ALTER TABLE photos RENAME TO old_photos")
    rows = database.execute("SELECT name, stamp, entry FROM old_photos").fetchall()
    database.execute("DROP TABLE old_photos")
    database.execute("DROP TABLE identity")
    return [(identity, name, stamp, entry) for name, stamp, entry in rows]


def _read_lines(path: Path) -> Iterator[_OldRow]:
    """Read the rows of a journal of format 1; damaged ones are left out."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        try:
            identity = json.dumps(json.loads(lines.readline())["identity"], sort_keys=True)
        except (ValueError, KeyError, TypeError):
            return
        for line in lines:
            try:
                stored = json.loads(line)
                name, stamp, entry = os.fsencode(stored["name"]), json.dumps(stored["stamp"]), stored["entry"]
            except (ValueError, KeyError, TypeError):
                continue
            yield identity, name, stamp, json.dumps(entry).encode()
