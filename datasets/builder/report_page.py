"""The frame of report.html and what its sections are made of. All text is escaped in one place, here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from emonet.datasets.builder.report_pictures import Pictures, data_uri
from emonet.labels import Emotion
from facecrop.images import Image

VOID = frozenset({"img", "meta"})

# Nothing in the file may load or run anything, whatever the data hold.
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
class Section:
    """One part of the report. `rows` are those whose pictures `content` will ask for."""

    name: str  # of its anchor
    title: str
    content: Callable[[Pictures], Html]
    rows: Sequence[int] = ()


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
    return "number" if isinstance(value, int | float) else None


def _cell(value: object) -> Html:
    text = f"{value:,}" if isinstance(value, int) else f"{100 * value:.1f} %" if isinstance(value, float) else value
    return tag("td", text, class_=_kind(value))


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


def picture(image: Image | None, words: str, **attributes: object) -> Html:
    """Nothing where there is no picture."""
    if image is None:
        return Html()
    height, width = image.shape[:2]
    return tag("img", src=data_uri(image), alt=words, title=words, width=width, height=height, **attributes)


def page(sections: Sequence[Section], pictures: Pictures) -> str:
    """The whole file; the first section is its head."""
    links = (tag("a", section.title, href=f"#{section.name}") for section in sections[1:])
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", sections[0].title),
        tag("style", Html(STYLE)),
    )
    body = tag(
        "body",
        tag("nav", *links),
        tag("main", *(_section(section, pictures, section is sections[0]) for section in sections)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _section(section: Section, pictures: Pictures, first: bool) -> Html:
    heading = "h1" if first else "h2"
    return Html("\n" + tag("section", tag(heading, section.title), section.content(pictures), id=section.name) + "\n")


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
.tiles, .cards, .groups, .curves { display: grid; gap: .9rem; }
.tiles { grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr)); }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.groups { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.curves { grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr)); }
.tiles > div, .cards > div, .groups > div, .curves > figure { padding: .7rem .9rem; background: var(--card);
  border-radius: .5rem; break-inside: avoid; min-width: 0; }
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
.faces { display: flex; flex-wrap: wrap; gap: .35rem; margin: .5rem 0 1.6rem; }
.faces img, .groups img { width: 4.25rem; height: 4.25rem; object-fit: contain; flex: none; }
.groups > div { display: flex; gap: .7rem; align-items: start; font-size: .92rem; }
.groups > div > div { min-width: 0; }
.groups ul { list-style: none; padding: 0; margin: .2rem 0 0; }
.groups li { margin: .15rem 0; }
.groups li .soft { white-space: nowrap; }
.curves .warning { font-size: .85rem; padding: .1rem .6rem; }
.curves svg { display: block; width: 100%; height: auto; margin: .3rem 0; }
.curves figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .8rem; }
.curves polyline { fill: none; stroke: var(--bar); stroke-width: 1.5; }
.curves line { stroke: var(--line); stroke-width: 1; }
.curves line.threshold { stroke: var(--warn); stroke-dasharray: 4 3; }
.curves circle { stroke: var(--ink); stroke-width: 1.2; fill: var(--card); }
.curves circle.kept { fill: var(--ink); }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .groups img { width: 3.25rem; height: 3.25rem; } .groups > div { gap: .5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } nav { display: none; }
  pre { white-space: pre-wrap; } h2, h3 { break-after: avoid; } .wide { overflow: visible; }
  table { font-size: .8rem; } }
""" + "".join(f"i.{emotion}.{emotion} {{ background: {colour}; }}\n" for emotion, colour in COLOURS.items())
