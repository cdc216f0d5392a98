"""Write files that are complete or not there: under another name first, and renamed when they are written."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

SUFFIX = ".emonet-part"

# What a system answers to a name that it does not take, or that is taken: it is the fault of that file alone.
NAME_ERRORS = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}

Watch = Callable[[Path], None]

_watch: ContextVar[Watch] = ContextVar("watch", default=lambda _: None)


@contextmanager
def write_atomically(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a file atomically.

    Yields the name to write to. After the block the file is renamed to `path`; after an error nothing is left. The
    temporary name is short and does not depend on the final one, which may be as long as the system allows. A part
    of it is random, for processes on two machines may have the same number.

    Args:
        path: The file.
        durable: Wait until every byte is on the disk. Not needed for what the next run would write anew.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "figures.json"
        >>> with write_atomically(path) as temporary:
        ...     _ = temporary.write_text("{}")
        ...     path.exists()
        False
        >>> path.read_text()
        '{}'
    """
    _watch.get()(path)
    temporary = path.with_name(f"{os.getpid()}-{os.urandom(8).hex()}{SUFFIX}")
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def find_leftovers(folder: Path) -> list[Path]:
    """List the files that writers left in a folder when they were killed."""
    return list(folder.glob(f"*{SUFFIX}"))


def remove_abandoned(folder: Path) -> None:
    """Remove what killed writers left in a folder and below it; writers that run keep theirs.

    Where one run at a time has the folder to itself, `find_leftovers` is enough.
    """
    waiting = [folder] if folder.is_dir() else []
    while waiting:
        here = waiting.pop()
        waiting.extend(path for path in here.iterdir() if path.is_dir() and not path.is_symlink())
        for part in find_leftovers(here):
            if not _is_running(part.name.partition("-")[0]):
                with suppress(OSError):  # Windows keeps files that are open
                    part.unlink()


def _is_running(writer: str) -> bool:
    """Tell whether the process with a number is another one that runs; on Windows, nobody is asked."""
    if not (writer.isascii() and writer.isdigit()) or int(writer) == os.getpid() or sys.platform == "win32":
        return False
    try:
        os.kill(int(writer), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is another user's
    return True


@contextmanager
def watching_writes(watch: Watch) -> Iterator[None]:
    """Tell `watch` of each file that this thread is about to write atomically; what it raises keeps the file."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
