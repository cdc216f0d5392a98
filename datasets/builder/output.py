"""The folder a build writes to: what lies there already, what may be taken up again, what is in the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from emonet.atomic import parts, write_atomically
from emonet.datasets.sample import SPLITS
from emonet.datasets.store import CARD, DESCRIPTION, REJECTED, REPORT, Store, open_store
from emonet.errors import OptionError

WORK = ".build"
PLAN = "plan.json"

# Options of the later stages: another choice of them needs no picture to be looked at again.
LATER_OPTIONS = ("undetected", "filter_eval", "leaks", "near", "split", "shares", "dev", "folds", "seed")

_ADVICE = "choose another folder, or overwrite it"

IDENTITY = ("options", "inputs", "versions")  # what makes two builds the same


class BuildFolder:
    """`chunks` and `finished` are under the output until everything is written, and then they are gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / WORK
        self.chunks = self.work / "chunks"
        self.finished = self.work / "finished"

    def finished_store(self, identity: Mapping[str, Any], overwrite: bool) -> Store | None:
        """The data set that is there already, if it is this one. Anything else is refused, unless it may go."""
        if self.path.exists() and not self.path.is_dir():
            raise OptionError(f"{self.path} is a file: a data set is a folder")
        there = self._there()
        if there is not None and (different := _differences(there, identity)):
            if not overwrite:
                raise OptionError(f"{self.path} holds another build: {different}; {_ADVICE}")
            self._clear(keep_chunks=_early(there) == _early(identity))
            there = None
        if there is None and not overwrite and self._foreign():
            raise OptionError(f"{self.path} is not empty and holds no data set; {_ADVICE}")
        if there is not None and (self.path / DESCRIPTION).exists():
            self.remove_work()
            return open_store(self.path)
        return None

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Makes room; what lies there without a dataset.json is what a killed build moved or had not removed yet."""
        for path in self._written():
            path.unlink(missing_ok=True)
        for folder in (self.path, self.work, self.chunks, self.finished):
            folder.mkdir(parents=True, exist_ok=True)
            for part in parts(folder):
                part.unlink()
        with write_atomically(self.work / PLAN) as temporary:
            temporary.write_text(json.dumps(identity), encoding="utf-8")

    def finish(self, info: Mapping[str, Any]) -> Store:
        """Moves everything to its place, dataset.json last."""
        for name in info["files"]:
            (self.finished / name).replace(self.path / name)
        with write_atomically(self.path / DESCRIPTION) as temporary:
            temporary.write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
        self.remove_work()
        return open_store(self.path)

    def remove_work(self) -> None:
        if self.work.exists():
            shutil.rmtree(self.work)

    def _there(self) -> dict[str, Any] | None:
        """The identity of the build that is here, finished or not."""
        if (self.path / DESCRIPTION).exists():
            return open_store(self.path).info
        plan = self.work / PLAN
        stored: dict[str, Any] | None = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else None
        return stored

    def _foreign(self) -> bool:
        """Whether anything is there besides what a build has begun: a README.md may be anybody's."""
        known = {WORK, *(path.name for path in parts(self.path))}
        return self.path.is_dir() and any(path.name not in known for path in self.path.iterdir())

    def _written(self) -> Iterable[Path]:
        yield from (self.path / name for name in (DESCRIPTION, CARD, REJECTED, REPORT))
        for split in SPLITS:
            yield from self.path.glob(f"{split}-*-of-*.parquet")

    def _clear(self, keep_chunks: bool) -> None:
        """Without its dataset.json it is no data set any more, and `begin` removes the rest of it."""
        (self.path / DESCRIPTION).unlink(missing_ok=True)
        if not keep_chunks:
            self.remove_work()


def _early(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What decides about the first stage, in the form in which it is stored."""
    stored: dict[str, Any] = json.loads(json.dumps(identity))
    options = {name: value for name, value in stored["options"].items() if name not in LATER_OPTIONS}
    return {part: stored[part] for part in IDENTITY} | {"options": options}


def _differences(there: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Which options, inputs or versions are not the same, in words."""
    wanted = json.loads(json.dumps(identity))
    found = []
    for part in IDENTITY:
        old, new = there.get(part, {}), wanted[part]
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        found += [f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in names]
    return "; ".join(found)
