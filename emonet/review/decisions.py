"""What a person decided about labels and onsets, on disk as soon as it is decided.

The file is an SQLite database with one table, to which rows are only added: an undo is a row, too. Each row is
committed and synchronised before it is answered, so that a killed process or a power failure loses nothing. Several
tabs, and several processes, may write into it.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple

from emonet.database import reporting, transaction
from emonet.datasets.labels import DROP
from emonet.errors import OptionError
from emonet.labels import Emotion

Kind = Literal["label", "onset"]

KEEP = "keep"  # the label is right
NOTHING = ""  # nothing is decided: what an undo goes back to
LABEL_VALUES = (*map(str, Emotion), DROP, KEEP, NOTHING)
ONSET_VALUE = re.compile(r"(onset=\d+)?")

TABLE = (
    "CREATE TABLE IF NOT EXISTS decisions (number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT DEFAULT "
    "CURRENT_TIMESTAMP, key TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL)"
)
LAST = "SELECT value FROM decisions WHERE key = ? AND kind = ? ORDER BY number DESC LIMIT 1"
ADD = "INSERT INTO decisions (key, kind, value) VALUES (?, ?, ?)"
SINCE = "SELECT number, key, kind, value FROM decisions WHERE number > ? ORDER BY number"
WAIT = 10.0  # seconds to wait for another process

FILE = "decisions.sqlite"


class Decision(NamedTuple):
    """One row of the file.

    Attributes:
        number: They rise from 1.
        key: Of an image or a sequence.
        kind: `label` or `onset`.
        value: An expression, `drop`, `keep`, `onset=N`, or nothing where an undo took the decision back.
    """

    number: int
    key: str
    kind: str
    value: str


class ConflictError(OptionError):
    """Another tab or process has decided about the same face meanwhile.

    Attributes:
        value: What was decided there.
    """

    def __init__(self, key: str, value: str) -> None:
        self.value = value
        super().__init__(f"{key} was decided elsewhere meanwhile: {value or 'undone'}")


class Decisions:
    """The decisions in a file, which is made if it is not there.

    Args:
        path: The SQLite database.

    Raises:
        MachineError: The file cannot be read or written.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> decisions = Decisions(Path(tempfile.mkdtemp()) / "decisions.sqlite")
        >>> decisions.add("fer2013/fer0000007", "label", "sad")
        1
        >>> decisions.current()
        {('fer2013/fer0000007', 'label'): 'sad'}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.exporting = threading.Lock()  # corrections.csv is written by one thread at a time
        with self._reporting():
            self._database = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(TABLE)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, key: str, kind: Kind, value: str, expected: str | None = None) -> int:
        """Store a decision.

        Args:
            key: Of an image or a sequence.
            kind: What is decided.
            value: See `Decision`.
            expected: What was decided before, as far as the caller knows; None if that does not matter.

        Returns:
            The number of the decision.

        Raises:
            OptionError: There is no such value.
            ConflictError: Something else was decided before.
        """
        allowed = value in LABEL_VALUES if kind == "label" else ONSET_VALUE.fullmatch(value)
        if kind not in ("label", "onset") or not allowed:
            raise OptionError(f"a decision must be one of {', '.join(LABEL_VALUES[:-1])} or onset=N, got {value!r}")
        with self._lock, self._reporting(), transaction(self._database, "BEGIN IMMEDIATE"):
            before = self._database.execute(LAST, (key, kind)).fetchone()
            if expected is not None and expected != (before or (NOTHING,))[0]:
                raise ConflictError(key, before[0] if before else NOTHING)
            return int(self._database.execute(ADD, (key, kind, value)).lastrowid or 0)

    def since(self, number: int = 0) -> list[Decision]:
        """List the decisions after a number, in the order in which they were made."""
        with self._lock, self._reporting():
            return [Decision(*row) for row in self._database.execute(SINCE, (number,))]

    def current(self) -> dict[tuple[str, str], str]:
        """Return what holds now: (key, kind) -> value, without what was undone."""
        last = {(one.key, one.kind): one.value for one in self.since()}
        return {place: value for place, value in last.items() if value != NOTHING}

    def _reporting(self) -> AbstractContextManager[None]:
        return reporting(self.path, "the decisions in")
