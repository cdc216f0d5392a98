"""What `emonet faces` prints: a JSON array as it goes, or a table at the end."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import typer

from facecrop import Face, Selection
from facecrop.errors import ImageError, printable


class Listing:
    """Counts the photos that could be read and those that could not; the subclasses print them."""

    def __init__(self) -> None:
        self.read = self.unreadable = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, path: Path, outcome: Selection | ImageError) -> None:
        if isinstance(outcome, ImageError):
            self.unreadable += 1
            self.show(path, Selection((), ()), outcome.reason)
        else:
            self.read += 1
            self.show(path, outcome, None)

    def show(self, path: Path, selection: Selection, error: str | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class JsonListing(Listing):
    """One array, an object a line, written while the photos are read."""

    def __init__(self) -> None:
        super().__init__()
        self._opening = "["

    def show(self, path: Path, selection: Selection, error: str | None) -> None:
        entry: dict[str, Any] = {
            "photo": printable(path),
            "faces": [face.to_dict() for face in selection.faces],
            "rejections": [rejection.to_dict() for rejection in selection.rejections],
            "error": error,
        }
        typer.echo(f"{self._opening}\n{json.dumps(entry)}", nl=False)
        self._opening = ","

    def close(self) -> None:
        typer.echo("[]" if self._opening == "[" else "\n]")


class TableListing(Listing):
    """A row a face, photos by their place in the folder, and the sums below."""

    def __init__(self, source: Path) -> None:
        super().__init__()
        self._source = source
        from rich.table import Column, Table

        photo = Column("photo", overflow="fold", min_width=16)
        note = Column("why not", overflow="fold", min_width=20)
        self._table = Table(photo, "face", "score", "size", "roll", note, box=None)
        self._faces = 0

    def show(self, path: Path, selection: Selection, error: str | None) -> None:
        from rich.text import Text

        place = path.name if path == self._source else path.relative_to(self._source)
        name = Text(printable(place))  # as it is: brackets in a name are no markup
        if error:
            self._table.add_row(name, "", "", "", "", Text(f"cannot be read: {error}"))
        for face in selection.faces:
            self._table.add_row(name, *_columns(face), "")
        for rejection in selection.rejections:
            self._table.add_row(name, *_columns(rejection.face), Text(rejection.detail))
        self._faces += len(selection.faces)

    def close(self) -> None:
        from rich.console import Console

        console = Console()
        console.print(self._table)
        console.print(f"{self._faces} faces in {self.read} photos; {self.unreadable} files could not be read")


def _columns(face: Face | None) -> tuple[str, str, str, str]:
    if face is None:
        return "", "", "", ""
    box = " ".join(f"{value:.0f}" for value in face.box)
    return box, f"{face.score:.3f}", f"{face.size:.0f} px", "" if face.roll is None else f"{face.roll:+.0f}°"
