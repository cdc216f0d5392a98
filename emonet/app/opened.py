"""Pages that earlier runs made: albums, timelines and reports in folders that the user named. Nothing else is given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from emonet.errors import MissingFileError
from facecrop.text import as_text

MOST = 500  # pages in the list
DEEPEST = 6  # folders below the one that was named
HANDED_OUT = frozenset(
    {".html", ".jpg", ".jpeg", ".png", ".webp", ".gif", ".svg", ".csv", ".json", ".parquet", ".mp4", ".webm", ".toml"}
)
HEAD = 2048  # bytes of a page in which it says what it may do
RUNS_NETWORKS = b"wasm-unsafe-eval"  # a page that reads photos by itself, which the app's sandbox does not let it do
KINDS = {"album": "album", "timeline": "film", "index": "page", "evaluation": "report", "report": "report"}


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page that can be opened."""

    name: str
    kind: str
    address: str
    written: str


class OpenedFolders:
    """Finds pages in folders, and files that the pages show.

    Args:
        folders: Those that the user named.

    Raises:
        MissingFileError: One of them does not exist.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        if missing := [folder for folder in folders if not folder.is_dir()]:
            raise MissingFileError(f"no such folder: {missing[0]}")
        self._roots = [folder.resolve() for folder in folders]

    def __bool__(self) -> bool:
        return bool(self._roots)

    def pages(self) -> list[OpenedPage]:
        """List the pages, the newest first, without those that cannot run here, such as that of `emonet page`."""
        found = [(path.stat().st_mtime, number, path) for number, path in self._list_pages()]
        ordered = sorted(found, key=lambda one: (-one[0], one[2]))
        runnable = (self._describe(*one) for one in ordered if not _runs_networks(one[2]))
        return list(islice(runnable, MOST))

    def find(self, number: int, path: str) -> Path:
        """Find a file below the folder of that number.

        Raises:
            FileNotFoundError: There is no such file, or it is not below the folder.
        """
        parts = Path(path).parts
        if number >= len(self._roots) or "\0" in path or any(part.startswith(".") for part in parts):
            raise FileNotFoundError(path)
        root = self._roots[number]
        found = (root / path).resolve()
        if not found.is_relative_to(root) or found.suffix.lower() not in HANDED_OUT or not found.is_file():
            raise FileNotFoundError(path)
        return found

    def _list_pages(self) -> Iterator[tuple[int, Path]]:
        for number, root in enumerate(self._roots):
            for folder, inner, names in os.walk(root):
                deep = len(Path(folder).relative_to(root).parts)
                inner[:] = sorted(name for name in inner if not name.startswith(".")) if deep < DEEPEST else []
                paths = [Path(folder, name) for name in names if name.endswith(".html") and name[0] != "."]
                yield from ((number, path) for path in paths if path.is_file() and path.resolve().is_relative_to(root))

    def _describe(self, written: float, number: int, path: Path) -> OpenedPage:
        root = self._roots[number]
        inside = path.relative_to(root).as_posix()
        kind = next((kind for name, kind in KINDS.items() if name in path.stem.lower()), "page")
        when = datetime.fromtimestamp(written).astimezone().strftime("%Y-%m-%d %H:%M")
        name = as_text(f"{root.name}/{inside}")
        return OpenedPage(name, kind, f"/open/{number}/{quote(os.fsencode(inside))}", when)


def _runs_networks(path: Path) -> bool:
    """Tell whether a page asks to run networks: by its head, because such a page has many megabytes."""
    try:
        with path.open("rb") as page:
            return RUNS_NETWORKS in page.read(HEAD)
    except OSError:  # it is gone, or may not be read
        return False
