"""What report.html is made of beside what all pages are: sections that ask for pictures, and their style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emonet.datasets.builder.report.pictures import Pictures
from emonet.html.page import Html, Part, page


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report. `rows` are those whose pictures `content` will ask for."""

    name: str  # of its anchor
    title: str
    content: Callable[[Pictures], Html]
    rows: Sequence[int] = ()


def illustrated_page(sections: Sequence[Section], pictures: Pictures) -> str:
    """The whole file; the first section is its head."""
    return page([Part(section.name, section.title, section.content(pictures)) for section in sections], STYLE)


STYLE = """
.groups, .curves { display: grid; gap: .9rem; }
.groups { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.curves { grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr)); }
.groups > div, .curves > figure { padding: .7rem .9rem; background: var(--card); border-radius: .5rem;
  break-inside: avoid; min-width: 0; }
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
@media (max-width: 30rem) { .groups img { width: 3.25rem; height: 3.25rem; } .groups > div { gap: .5rem; } }
"""
