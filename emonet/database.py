"""SQLite databases: transactions, errors, and journals that one process has open alone."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from emonet.errors import MachineError, OptionError

JOURNAL = "journal.sqlite"  # in the folder that a run writes
OLD_JOURNAL = "journal.jsonl"  # of albums, before 0.1
_BEGINNINGS = {JOURNAL: b"SQLite format 3\0", OLD_JOURNAL: b'{"format"'}

BESIDE = ("", "-wal", "-shm", "-journal")  # endings of the files that SQLite keeps for one database
WAIT = 1.0  # seconds to wait for a lock: a virus scanner or a dying process may hold one for a moment
PRIMARY = 0xFF  # the part of SQLite's error codes that names the kind of error

logger = logging.getLogger(__name__)


def holds_journal(folder: Path) -> bool:
    """Tell whether a folder is one that a run writes, by its journal."""
    return any(_begins_with(folder / name, beginning) for name, beginning in _BEGINNINGS.items())


def _begins_with(path: Path, beginning: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning
    except OSError:
        return False


def open_database(path: Path, loss: str) -> sqlite3.Connection:
    """Open a database for this process alone; begin a damaged one anew, and warn of the loss.

    Raises:
        OptionError: Another process has it open.
        MachineError: It cannot be opened.
    """
    try:
        return _lock(path)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & PRIMARY
        if code == sqlite3.SQLITE_BUSY:
            raise OptionError(
                f"another run is writing into {path.parent} now; wait for it, or choose another folder"
            ) from error
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise MachineError(f"the journal {path} cannot be opened: {error}") from error
        logger.warning("the journal %s is damaged (%s): %s", path, error, loss)
    for ending in BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return _lock(path)


def _lock(path: Path) -> sqlite3.Connection:
    """Open the database and lock it until it is closed.

    A write-ahead log makes commits cheap (they do not wait for the disk) and stays whole in a power failure. With an
    exclusive lock it needs no memory that processes share, so it works on network drives too. Closing removes it.
    """
    database = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    with ExitStack() as closing:
        closing.callback(database.close)
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {setting}")
        database.execute("BEGIN EXCLUSIVE")  # takes the lock, which the locking mode then keeps
        database.execute("COMMIT")
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        closing.pop_all()  # it is whole and locked, and stays open
    return database


@contextmanager
def reporting(path: Path, what: str = "the journal") -> Iterator[None]:
    """Raise a MachineError for what SQLite cannot do with a file, such as write to a full disk."""
    try:
        yield
    except sqlite3.Error as error:
        raise MachineError(f"{what} {path} cannot be used: {error}") from error


@contextmanager
def transaction(database: sqlite3.Connection, begin: str = "BEGIN") -> Iterator[None]:
    """Keep all that is written inside the block, or nothing of it.

    Args:
        database: Opened with `isolation_level=None`.
        begin: `BEGIN IMMEDIATE` takes the lock at once, where another process may write, too.
    """
    with ExitStack() as undoing:
        database.execute(begin)
        undoing.callback(_roll_back, database)  # also after Ctrl-C, or the next could not begin
        yield
        database.execute("COMMIT")
        undoing.pop_all()


def _roll_back(database: sqlite3.Connection) -> None:
    if database.in_transaction:  # a full disk may have ended it already
        database.execute("ROLLBACK")
