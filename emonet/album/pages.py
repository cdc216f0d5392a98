"""The pages of an album: photos with what chooses among them, and for many photos an index with a link to each page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from emonet.album.card import FACELESS, find_kinds, make_card
from emonet.album.entry import Entry
from emonet.html.render import write_page
from emonet.labels import Emotion
from emonet.prediction.table import UNREADABLE
from facecrop.errors import printable

INDEX = "album.html"
FOLDER = "album"  # the folder of the pages, beside the index
SCRIPT = "album.js"
WORDS = {FACELESS: "no face"}  # on buttons; other kinds are called what they are


@dataclass(frozen=True, slots=True)
class Holdings:
    """What some of the photos hold, in numbers."""

    photos: int
    faces: Counter[str]  # by expression
    kinds: Counter[str]  # photos by kind
    ends: tuple[str, str]  # names of the first and the last

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        return cls(
            photos=len(entries),
            faces=Counter(said.emotion.value for entry in entries for said in entry.result.predictions),
            kinds=Counter(kind for entry in entries for kind in find_kinds(entry)),
            ends=(printable(entries[0].path), printable(entries[-1].path)) if entries else ("", ""),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another page; the script lets it take along what is chosen."""

    name: str
    href: str
    rel: str = ""


@dataclass(frozen=True, slots=True)
class PageLine:
    """A page in the index."""

    href: str
    held: Holdings


def name_of(number: int) -> str:
    """Return the file name of a page, from 1 on."""
    return f"{number:03}.html"


def write_photo_page(
    path: Path,
    entries: Sequence[Entry],
    title: str,
    classes: Sequence[Emotion],
    number: int = 1,
    pages: int = 1,
    footer: str = "",
) -> None:
    """Write a page of photos: the whole album, or one of several pages in the folder beside the index."""
    held = Holdings.of(entries)
    kinds = [kind for kind in (*classes, FACELESS, UNREADABLE) if held.kinds[kind] or pages > 1]
    write_page(
        path,
        "album.html.j2",
        script=SCRIPT,
        title=f"{printable(title)}, page {number} of {pages}" if pages > 1 else printable(title),
        sections={},
        links=[*_links(number, pages)] if pages > 1 else [],
        tiles=_tiles([held]),
        choices={"all": held.photos, **{str(kind): held.kinds[kind] for kind in kinds}},
        words=WORDS,
        cards=map(make_card, entries),
        footer=footer,
    )


def write_index(path: Path, found: Sequence[Holdings], title: str, classes: Sequence[Emotion], footer: str) -> None:
    """Write what there is on all pages, and links to them."""
    faces = sum((held.faces for held in found), Counter[str]())
    write_page(
        path,
        "album_index.html.j2",
        script=SCRIPT,
        title=printable(title),
        sections={},
        tiles=_tiles(found),
        faces={emotion.value: faces[emotion] for emotion in classes},
        pages=[PageLine(f"{FOLDER}/{name_of(number)}", held) for number, held in enumerate(found, start=1)],
        footer=footer,
    )


def _tiles(found: Sequence[Holdings]) -> list[tuple[str, int]]:
    """Numbers for the head of a page; photos without a face, and unreadable ones, only where there are some."""
    rare = {"without a face": FACELESS, "unreadable": UNREADABLE}
    counts = {words: sum(held.kinds[kind] for held in found) for words, kind in rare.items()}
    return [
        ("photos", sum(held.photos for held in found)),
        ("faces", sum(held.faces.total() for held in found)),
        *((words, count) for words, count in counts.items() if count),
    ]


def _links(number: int, pages: int) -> Iterator[Link]:
    yield Link("All pages", f"../{INDEX}")
    if number > 1:
        yield Link("Previous", name_of(number - 1), "prev")
    if number < pages:
        yield Link("Next", name_of(number + 1), "next")
