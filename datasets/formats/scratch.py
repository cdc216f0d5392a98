"""Temporary files of unpacked data, which do not outlast the process for long, even if it is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from threading import Lock
from typing import IO

from filelock import FileLock, Timeout

PREFIX = "emonet-unpacked-"
LOCK = "lock"
FRESH = 60  # seconds: so new a folder may be about to be locked


class Scratch:
    """A temporary file that is removed when nothing refers to it any more.

    If the process is killed, the next one that unpacks something removes it.
    """

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(dir=_Folder.of(os.getpid()).path)
        self.file = os.fdopen(handle, "wb")
        self.path = Path(name)
        weakref.finalize(self, _remove, self.file, self.path, os.getpid())


class _Folder:
    """The folder in which a process unpacks, locked for as long as the process lives.

    Attributes:
        path: Where it is.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(self.path / LOCK)
        lock.acquire()
        weakref.finalize(self, _remove_folder, lock, self.path, os.getpid())

    @classmethod
    def of(cls, process: int) -> _Folder:
        """Return the folder of this process, made at its first call."""
        with _making:  # threads share it
            if process not in _folders:
                remove_abandoned()
                _folders.clear()  # a fork leaves its parent's alone
                _folders[process] = cls()
            return _folders[process]


_making = Lock()
_folders: dict[int, _Folder] = {}


def remove_abandoned() -> None:
    """Remove what processes that were killed have unpacked."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        try:
            if time.time() - lock.stat().st_mtime < FRESH:
                continue
            with FileLock(lock, timeout=0):
                pass
        except (Timeout, OSError):  # in use, or another user's
            continue
        shutil.rmtree(lock.parent, ignore_errors=True)


def _remove(file: IO[bytes], path: Path, maker: int) -> None:
    file.close()
    if os.getpid() == maker:  # not in a fork: its parent still needs the file
        path.unlink(missing_ok=True)


def _remove_folder(lock: FileLock, path: Path, maker: int) -> None:
    if os.getpid() == maker:
        lock.release()
        shutil.rmtree(path, ignore_errors=True)
