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

from emonet.labels import Emotion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

QUALITY = 88  # of JPEG

VOID = frozenset({"img", "meta"})

# Nothing in the file may load or run anything, whatever the data hold; of scripts only the one with the right hash.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

# Okabe and Ito's colours, which most colour-blind people tell apart, with grey for their black.
COLOURS = {
    Emotion.ANGRY: "#d55e00",
    Emotion.DISGUST: "#009e73",
    Emotion.FEAR: "#cc79a7",
    Emotion.HAPPY: "#e69f00",
    Emotion.SAD: "#0072b2",
    Emotion.SURPRISE: "#56b4e9",
    Emotion.NEUTRAL: "#8c8c8c",
    Emotion.CONTEMPT: "#f0e442",
}


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
    return tag("img", src=_jpeg(image), alt=words, title=words, width=width, height=height, **attributes)


def _jpeg(image: Picture) -> str:
    import cv2

    grey = bool((image == image[..., :1]).all())
    _, data = cv2.imencode(".jpg", image[..., 0] if grey else image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return _data_uri("jpeg", data.tobytes())


def photo(jpeg: bytes, words: str, **attributes: object) -> Html:
    """A JPEG as it is, as large as `attributes` or the style make it."""
    return tag("img", src=_data_uri("jpeg", jpeg), alt=words, **attributes)


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
        raise ValueError(f"a script must not hold </script or <!--, which end or hide it, got {script!r}")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"


def _section(part: Part, first: bool) -> Html:
    heading = tag("h1" if first else "h2", part.title)
    return join(Html("\n"), tag("section", heading, part.content, id=part.name), Html("\n"))


STYLE = """
:root { --ink: #1d2126; --soft: #5b6470; --paper: #fdfdfc; --card: #f3f4f2; --line: #d9dcd8; --warn: #a33c00;
  --warn-paper: #fff3e8; --fine: #0a6b4f; --bar: #6a7683; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e6e8; --soft: #a3abb5; --paper: #15181b;
  --card: #1f2327; --line: #3a4047; --warn: #ffab70; --warn-paper: #33231a; --fine: #6fcfae; --bar: #8b97a4; } }
* { box-sizing: border-box; }
html { color-scheme: light dark; }
body { margin: 0 auto; max-width: 74rem; padding: 1rem clamp(1rem, 4vw, 2.5rem) 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: clamp(1.6rem, 5vw, 2.2rem); line-height: 1.2; margin: 1.2rem 0 .6rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .6rem; }
p, ul { margin: .5rem 0; max-width: 48rem; }
ul { padding-left: 1.3rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .92rem; }
a { color: inherit; text-underline-offset: .2em; }
code, pre { font: .86rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; unicode-bidi: isolate; }
code { overflow-wrap: break-word; }
pre { overflow-x: auto; padding: .7rem .9rem; background: var(--card); border-radius: .4rem; }
.soft { color: var(--soft); }
.warning { margin: .6rem 0; padding: .4rem .9rem; border-left: .25rem solid var(--warn); background: var(--warn-paper);
  border-radius: .15rem .4rem .4rem .15rem; }
.warning p { margin: .2rem 0; max-width: none; }
.warning pre { margin: .3rem 0; padding: .2rem 0; background: none; }
.fine::before { content: "\\2713\\00a0"; color: var(--fine); font-weight: 700; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
.tiles, .cards { display: grid; gap: .9rem; }
.tiles { grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr)); }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.tiles > div, .cards > div { padding: .7rem .9rem; background: var(--card); border-radius: .5rem; break-inside: avoid;
  min-width: 0; }
.tiles strong { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.cards h3 { margin: 0 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 1.2rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.beside { display: flex; flex-wrap: wrap; gap: 0 4rem; }
.beside > div { max-width: 100%; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .25rem .7rem; align-items: center;
  font-size: .92rem; }
.track { display: block; min-width: 5rem; height: .85rem; background: var(--line); border-radius: .2rem;
  overflow: hidden; }
.track i { display: block; height: 100%; background: var(--bar); border-radius: .2rem; }
td .track { width: 10rem; margin-top: .35rem; }
.chip { display: inline-flex; align-items: baseline; gap: .35rem; margin-right: .7rem; white-space: nowrap; }
.chip i { width: .75rem; height: .75rem; border-radius: .2rem; }
.chip i, .track i { print-color-adjust: exact; -webkit-print-color-adjust: exact;
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / .22); }
figure { margin: 0; break-inside: avoid; }
figcaption { font-size: .88rem; }
img { display: block; background: var(--line); border-radius: .25rem; }
.sheets { display: flex; flex-wrap: wrap; gap: .9rem; }
.sheets img { max-width: 100%; height: auto; margin-top: .2rem; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } nav { display: none; }
  pre { white-space: pre-wrap; } h2, h3 { break-after: avoid; } .wide { overflow: visible; }
  table { font-size: .8rem; } }
""" + "".join(f"i.{emotion}.{emotion} {{ background: {colour}; }}\n" for emotion, colour in COLOURS.items())
