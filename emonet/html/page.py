"""Pages in one file that load nothing and run nothing but a script of ours: what reports and albums are made of.

All text is escaped in one place, here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.html.style import STYLE
from facecrop.errors import OptionError
from facecrop.images import encode_jpeg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]


VOID = frozenset({"img", "meta"})

# Nothing in the file may load or run anything, whatever the data hold; of scripts only the one with the right hash.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Markup. Every other string is text, and is escaped when it is put into markup."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page, with a heading and an anchor."""

    name: str  # of the anchor
    title: str
    content: Html


class Digits(str):
    """A number that is written out already; tables set it to the right, as they do numbers."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element; `class_` gives the attribute class, and attributes that are None are left out."""
    given = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    opening = f"<{name}{''.join(given)}>"
    return Html(opening if name in VOID else f"{opening}{join(*content)}</{name}>")


def join(*content: object) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(str(part)) for part in content))


def each(name: str, contents: Iterable[object], **attributes: object) -> Html:
    """An element for each of the contents."""
    return join(*(tag(name, content, **attributes) for content in contents))


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Scrolls sideways where it is wider than the page. Numbers stand to the right; fractions are given in percent."""
    found = [*rows]
    kinds = [_kind(value) for value in found[0]] if found else [None] * len(header)
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(header, kinds, strict=True)))
    body = (tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in found)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")


def _kind(value: object) -> str | None:
    return "number" if isinstance(value, int | float | Digits) else None


def _cell(value: object) -> Html:
    text = f"{value:,}" if isinstance(value, int) else percent(value) if isinstance(value, float) else value
    return tag("td", text, class_=_kind(value))


def percent(share: float, places: int = 1) -> Digits:
    return Digits(f"{100 * share:.{places}f} %")


def bars(numbers: Mapping[str, int]) -> Html:
    """A bar for each number, the greatest as long as there is room."""
    most = max(numbers.values(), default=0)
    return tag(
        "div",
        *(
            join(tag("span", name), bar(count / max(most, 1), name), tag("span", f"{count:,}", class_="number"))
            for name, count in numbers.items()
        ),
        class_="bars",
    )


def bar(share: float, kind: str | None = None) -> Html:
    """`kind` is an expression, whose colour it has, or None."""
    return tag("span", tag("i", style=f"width:{100 * share:.2f}%", class_=kind), class_="track")


def chip(emotion: str, more: str = "") -> Html:
    """An expression's name with its colour."""
    return tag("span", tag("i", class_=emotion), emotion, more, class_="chip")


def tiles(figures: Iterable[tuple[str, str]]) -> Html:
    """The main figures, each under its name."""
    return tag("div", *(tag("div", tag("strong", figure), name) for name, figure in figures), class_="tiles")


def facts(found: Iterable[tuple[str, object]]) -> Html:
    """A list of names and what is to be said of each."""
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in found))


def code(value: object) -> Html:
    return tag("code", value)


def fine(text: object) -> Html:
    """What is as it should be."""
    return tag("p", text, class_="fine")


def soft(text: object) -> Html:
    """What explains, or says that there is nothing to show."""
    return tag("p", text, class_="soft")


def warning(text: object, lines: str = "") -> Html:
    """Something to know before the data are used; `lines` are set as they are."""
    return tag("div", tag("p", text), tag("pre", lines) if lines else "", class_="warning")


def picture(image: Picture | None, words: str, **attributes: object) -> Html:
    """A picture in RGB or grey, (height, width, channels); nothing where there is none."""
    if image is None:
        return Html()
    height, width = image.shape[:2]
    return photo(encode_jpeg(image), words, title=words, width=width, height=height, **attributes)


def photo(data: bytes, words: str, **attributes: object) -> Html:
    """A JPEG file as it is, as large as `attributes` or the style make it."""
    return tag("img", src=_data_uri("jpeg", data), alt=words, **attributes)


def drawing(path: Path, words: str, **attributes: object) -> Html:
    """The PNG of a file. Its header says how large it is."""
    data = path.read_bytes()
    width, height = (int.from_bytes(data[place : place + 4]) for place in (16, 20))
    return tag("img", src=_data_uri("png", data), alt=words, width=width, height=height, **attributes)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def page(parts: Sequence[Part], style: str = "", *, script: str = "", links: Iterable[Html] = ()) -> str:
    """The whole file; the first part is its head. `style` is CSS beside that of all pages.

    `script` runs when the page is there; `links` stand before those to the parts.
    """
    anchors = (tag("a", part.title, href=f"#{part.name}") for part in parts[1:])
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", parts[0].title),
        tag("style", Html(STYLE + style)),
    )
    sections = tag("main", *(_section(part, part is parts[0]) for part in parts))
    body = tag("body", tag("nav", *links, *anchors), sections, tag("script", Html(script)) if script else "")
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _policy(script: str) -> str:
    """Allows the script by its hash alone, so that one which got in with the data does not run."""
    if not script:
        return POLICY
    if "</script" in script.lower() or "<!--" in script:
        raise OptionError(f"a script must not hold </script or <!--, which end or hide it, got {script!r}")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"


def _section(part: Part, first: bool) -> Html:
    heading = tag("h1" if first else "h2", part.title)
    return join(Html("\n"), tag("section", heading, part.content, id=part.name), Html("\n"))
