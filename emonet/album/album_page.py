"""The pages of an album: photos with what chooses among them, and above many pages one that leads to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from emonet.album.album_card import FACELESS, card, kinds
from emonet.album.album_script import SCRIPT
from emonet.album.album_style import STYLE
from emonet.album.entry import Entry
from emonet.html.page import Html, Part, bars, code, join, page, soft, tag, tiles
from emonet.labels import Emotion
from emonet.prediction.table import UNREADABLE
from facecrop.errors import printable

INDEX = "album.html"
FOLDER = "album"  # the folder of the pages, beside the index

WORDS = {FACELESS: "no face", UNREADABLE: "unreadable"}
ORDERS = {"name": "by name", "surest": "surest first", "unsurest": "least sure first"}
NOTE = (
    "An expression is what a face looks like to the model, and the percentage is how sure the model is. "
    "Neither says what somebody felt."
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What some of the photos hold, in numbers."""

    photos: int
    faces: Counter[str]  # by expression
    kinds: Counter[str]  # photos, by what they are found as
    ends: tuple[str, str]  # names of the first and the last

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        return cls(
            photos=len(entries),
            faces=Counter(said.emotion.value for entry in entries for said in entry.result.predictions),
            kinds=Counter(kind for entry in entries for kind in kinds(entry)),
            ends=(entries[0].path, entries[-1].path) if entries else ("", ""),
        )


def name_of(number: int) -> str:
    """The file of a page, from 1 on."""
    return f"{number:03}.html"


def photo_page(
    entries: Sequence[Entry],
    title: str,
    classes: Sequence[Emotion],
    number: int = 1,
    pages: int = 1,
    footer: str = "",
) -> str:
    """A page of photos: the whole album, or one of several pages in the folder beside the index."""
    held = Holdings.of(entries)
    links = [*_links(number, pages)] if pages > 1 else []
    content = join(
        _figures([held]),
        soft(NOTE),
        _controls(held, [kind for kind in (*classes, FACELESS, UNREADABLE) if held.kinds[kind] or pages > 1]),
        tag("div", *map(card, entries), class_="cards album"),
        tag("nav", *links, class_="turn") if links else "",
        soft(footer) if footer else "",
    )
    heading = f"{printable(title)}, page {number} of {pages}" if pages > 1 else printable(title)
    return page([Part("top", heading, content)], STYLE, script=SCRIPT, links=links)


def index_page(found: Sequence[Holdings], title: str, classes: Sequence[Emotion], footer: str = "") -> str:
    """What there is on all pages, and links to them."""
    faces = sum((held.faces for held in found), Counter[str]())
    content = join(
        _figures(found),
        soft(NOTE),
        tag("h3", "Faces by expression"),
        bars({emotion.value: faces[emotion] for emotion in classes}),
        tag("h3", "Pages"),
        tag("div", *(_to_page(number, held) for number, held in enumerate(found, start=1)), class_="cards pages"),
        soft(footer) if footer else "",
    )
    return page([Part("top", printable(title), content)], STYLE, script=SCRIPT)


def _figures(found: Sequence[Holdings]) -> Html:
    rare = {"without a face": FACELESS, "unreadable": UNREADABLE}
    counts = {
        "photos": sum(held.photos for held in found),
        "faces": sum(held.faces.total() for held in found),
        **{words: count for words, kind in rare.items() if (count := sum(held.kinds[kind] for held in found))},
    }
    return tiles((words, f"{count:,}") for words, count in counts.items())


def _controls(held: Holdings, shown: Sequence[str]) -> Html:
    """Hidden until the script is there to answer them."""
    choices = [_choice("all", "all", held.photos)]
    choices += [_choice(kind, WORDS.get(kind) or join(tag("i", class_=kind), kind), held.kinds[kind]) for kind in shown]
    orders = [tag("button", words, type="button", name="sort", value=order) for order, words in ORDERS.items()]
    return tag(
        "div",
        tag("div", tag("span", "Show", class_="label"), *choices, role="group", aria_label="Show"),
        tag("div", tag("span", "Sort", class_="label"), *orders, role="group", aria_label="Sort"),
        tag("p", role="status", class_="soft"),
        class_="controls",
        hidden="",
    )


def _choice(kind: str, words: str, count: int) -> Html:
    return tag("button", words, tag("span", f"{count:,}", class_="number"), type="button", name="show", value=kind)


def _links(number: int, pages: int) -> Iterator[Html]:
    """Of class `page`, which the script gives what is chosen to take along."""
    yield tag("a", "All pages", href=f"../{INDEX}", class_="page")
    if number > 1:
        yield tag("a", "Previous", href=name_of(number - 1), rel="prev", class_="page")
    if number < pages:
        yield tag("a", "Next", href=name_of(number + 1), rel="next", class_="page")


def _to_page(number: int, held: Holdings) -> Html:
    first, last = map(printable, held.ends)
    link = tag("a", f"Page {number}", href=f"{FOLDER}/{name_of(number)}", class_="page")
    figures = f"{held.photos:,} photos, {held.faces.total():,} faces"
    return tag("div", tag("strong", link), tag("p", code(first), " to ", code(last)), tag("p", figures, class_="soft"))
