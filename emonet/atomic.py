"""Write files that are complete or not there: under another name first, and renamed when every byte is on the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path

SUFFIX = ".emonet-part"

# What a system answers to a name that it does not take, or that is taken: it is the fault of that file alone.
NAME_ERRORS = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}

Watch = Callable[[Path], None]

_numbers = count()
_watch: ContextVar[Watch] = ContextVar("watch", default=lambda _: None)


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Write a file atomically.

    Yields the name to write to. After the block the file is renamed to `path`; after an error nothing is left. The
    temporary name is short and does not depend on the final one, which may be as long as the system allows.

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
    temporary = path.with_name(f"{os.getpid()}-{next(_numbers)}{SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def find_leftovers(folder: Path) -> list[Path]:
    """List the files that writers left in a folder when they were killed."""
    return list(folder.glob(f"*{SUFFIX}"))


@contextmanager
def watching_writes(watch: Watch) -> Iterator[None]:
    """Tell `watch` of each file that this thread is about to write atomically; what it raises keeps the file."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
