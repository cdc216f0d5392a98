"""The folder that a build writes to: what is there already, what can be resumed, and what is in the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from emonet.atomic import find_leftovers, write_atomically
from emonet.datasets.store import DESCRIPTION, Store, StoreInfo, open_store
from emonet.datasets.store.info import format_description
from emonet.datasets.store.layout import BESIDE, OLD_REJECTED, SHARDS, find_shards
from emonet.errors import DatasetError, OptionError

WORK = ".build"
PLAN = "plan.json"
LOCK = "lock"

# Options of the later stages: after a change of these no image has to be read again.
LATER_OPTIONS = (
    *("undetected", "filter_eval", "leaks", "near", "split", "shares"),
    *("learn_validation", "dev", "folds", "seed"),
)

_ADVICE = "choose another folder, or use --overwrite"

IDENTITY = ("options", "inputs", "versions")  # what makes two builds the same


def check_output(out: str | os.PathLike[str], inputs: Mapping[str, str]) -> None:
    """Refuse a folder inside an input, where the next build would read what this one wrote.

    Args:
        out: Where to write.
        inputs: Reader -> path.

    Raises:
        OptionError: It is inside an input, or is one.
    """
    for name, path in inputs.items():
        if Path(path).is_dir() and Path(out).resolve().is_relative_to(Path(path).resolve()):
            raise OptionError(f"{out} is inside {path}, which {name} is read from: write to a folder outside it")


class BuildFolder:
    """The folder of a data set.

    Its subfolder `.build` with `chunks`, `finished` and the lock is there until the build has ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / WORK
        self.chunks = self.work / "chunks"
        self.finished = self.work / "finished"

    def find_finished(self, identity: Mapping[str, Any], overwrite: bool) -> Store | None:
        """Open the data set if this build has finished already.

        Raises:
            OptionError: Something else is in the folder and must not be overwritten.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OptionError(f"{self.path} is a file: a data set is a folder")
        there = self._read_identity(overwrite)
        if there is not None and (different := _describe_differences(there, identity)):
            if not overwrite:
                raise OptionError(f"{self.path} holds another build: {different}; {_ADVICE}")
            there = None
        if there is None and not overwrite and self._holds_other_files():
            raise OptionError(f"{self.path} is not empty and holds no data set: choose another folder")
        return open_store(self.path) if there is not None and (self.path / DESCRIPTION).exists() else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other builds out of the folder; the system frees the lock of a process that is killed.

        Raises:
            OptionError: Another build is at work in it.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.work / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            message = f"another build is writing to {self.path}: wait until it has ended, or choose another folder"
            raise OptionError(message) from error
        try:
            yield
        finally:
            if [path.name for path in self.work.iterdir()] == [LOCK]:
                with suppress(OSError):  # on Windows the lock removes its file itself
                    (self.work / LOCK).unlink()
            lock.release()
            with suppress(OSError):  # there is something in it
                self.work.rmdir()

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Make room for a build.

        Shards without a dataset.json are from a build that was killed while it ended: they are removed.
        """
        there = self._read_identity(overwrite=True)  # or `find_finished` has refused it
        (self.path / DESCRIPTION).unlink(missing_ok=True)  # first: it is no data set any more
        if there is None or _early_part(there) != _early_part(identity):
            self.remove_work()
        for path in self._list_written():
            path.unlink(missing_ok=True)
        places = {self.finished / SHARDS, *((self.finished / name).parent for name in BESIDE)}
        for folder in (self.path, self.work, self.chunks, *sorted(places)):
            folder.mkdir(parents=True, exist_ok=True)
            for part in find_leftovers(folder):
                part.unlink()
        with write_atomically(self.work / PLAN) as temporary:
            temporary.write_text(json.dumps(identity), encoding="utf-8")

    def finish(self, info: StoreInfo) -> Store:
        """Move everything to its place, dataset.json last, and open the data set."""
        for name in info.files:
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.finished / name).replace(self.path / name)
        with write_atomically(self.path / DESCRIPTION) as temporary:
            temporary.write_text(format_description(info), encoding="utf-8", newline="\n")
        self.remove_work()
        return open_store(self.path)

    def remove_work(self) -> None:
        """Remove what the build no longer needs: all but the lock, which ends with the build."""
        for folder in (self.chunks, self.finished):
            if folder.exists():
                shutil.rmtree(folder)
        (self.work / PLAN).unlink(missing_ok=True)

    def _read_identity(self, overwrite: bool) -> dict[str, Any] | None:
        """Read the identity of the build that is here, finished or not; of one to overwrite it may be unknown."""
        if (self.path / DESCRIPTION).exists():
            try:
                info = open_store(self.path).info
            except DatasetError as error:
                if overwrite:
                    return None
                raise OptionError(f"{error}; {_ADVICE}") from error
            return {part: dict(getattr(info, part)) for part in IDENTITY}
        plan = self.work / PLAN
        stored: dict[str, Any] | None = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else None
        return stored

    def _holds_other_files(self) -> bool:
        """Tell whether there are files that no build has made; a README.md may be the user's."""
        known = {WORK, *(path.name for path in find_leftovers(self.path))}
        return self.path.is_dir() and any(path.name not in known for path in self.path.iterdir())

    def _list_written(self) -> Iterable[Path]:
        yield from (self.path / name for name in (DESCRIPTION, *BESIDE, OLD_REJECTED))
        yield from find_shards(self.path)


def _early_part(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an identity that decides about the first stage, as it is stored."""
    stored: dict[str, Any] = json.loads(json.dumps(identity))
    options = {name: value for name, value in stored["options"].items() if name not in LATER_OPTIONS}
    return {part: stored[part] for part in IDENTITY} | {"options": options}


def _describe_differences(there: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Say which options, inputs or versions differ."""
    wanted = json.loads(json.dumps(identity))
    found = []
    for part in IDENTITY:
        old, new = there.get(part, {}), wanted[part]
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if part == "inputs":  # hashes, which say nothing to a reader
            found += [f"{name} {_describe_input(name in old, name in new)}" for name in names]
        else:
            found += [f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in names]
    return "; ".join(found)


def _describe_input(was: bool, is_now: bool) -> str:
    return "has other data than then" if was and is_now else "is new" if is_now else "is left out"
