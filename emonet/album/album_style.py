"""How the album looks, beside what all pages have."""

from __future__ import annotations

from emonet.html.style import COLOURS

STYLE = """
h1, .name { overflow-wrap: anywhere; }
.controls:not([hidden]) { display: grid; gap: .6rem; margin: 1.4rem 0 1rem; }
.controls > div { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem; }
.controls > p { margin: .2rem 0 0; }
.controls button { display: inline-flex; align-items: center; gap: .4rem; min-height: 2.1rem; padding: .2rem .75rem;
  font: inherit; font-size: .92rem; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 1.1rem; cursor: pointer; }
.controls button:hover { border-color: var(--soft); }
.controls button[aria-pressed=true] { color: var(--paper); background: var(--ink); border-color: var(--ink); }
.controls button i { width: .75rem; height: .75rem; border-radius: .2rem;
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / .22); }
.tiles + .soft { margin-top: .9rem; }
.controls .number { opacity: .75; }
.controls .label { min-width: 3rem; color: var(--soft); font-size: .92rem; }
.bars { max-width: 48rem; }
.album { margin: 1rem 0; align-items: start; }
.album > article { padding: .7rem; background: var(--card); border-radius: .5rem; min-width: 0; break-inside: avoid;
  content-visibility: auto; contain-intrinsic-size: auto 32rem; }
.album p { margin: .3rem 0 0; font-size: .88rem; max-width: none; overflow-wrap: anywhere; }
.album .name { margin: .5rem 0; line-height: 1.35; }
.why { unicode-bidi: isolate; }
.why::first-letter { text-transform: uppercase; }
.photo { position: relative; background: var(--line); border-radius: .25rem; overflow: hidden; }
.photo img, .photo svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.photo img { object-fit: contain; background: none; border-radius: 0; }
.photo rect { fill: none; stroke-width: 2.5; vector-effect: non-scaling-stroke; }
.photo rect.rim { stroke: rgb(0 0 0 / .6); stroke-width: 4.5; }
.photo rect.left-out { stroke: white; stroke-width: 1.5; stroke-dasharray: 4 4; }
.photo rect.field { fill: #14181c; }
.photo text { fill: white; font-weight: 700; text-anchor: middle; dominant-baseline: central; }
.face { margin-top: .35rem; line-height: 1.45; }
.face summary, .face > div { display: grid; grid-template-columns: 1.5rem 4.7rem 1fr 3.6rem .8rem; align-items: center;
  gap: 0 .4rem; }
.face summary { list-style: none; cursor: pointer; font-weight: 600; }
.face summary::-webkit-details-marker { display: none; }
.face summary::after { content: "\\25b8"; color: var(--soft); font-weight: 400; line-height: 1; text-align: right; }
.face[open] summary::after { content: "\\25be"; }
.face > div > :first-child { grid-column: 2; }
.face > div, .face > .soft { font-size: .82rem; }
.face > .soft { margin: .1rem 0 0 1.9rem; }
.face .track { min-width: 0; }
.face > div .track { height: .6rem; }
.face b { width: 1.5rem; padding: .05rem 0; border: 2px solid; border-radius: .2rem; color: white; background: #14181c;
  text-align: center; font-size: .8rem; line-height: 1.1; }
.face b, .photo { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.album summary { border-radius: .2rem; font-size: .9rem; }
.album summary:focus-visible, .controls button:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
.pages > div { overflow-wrap: anywhere; }
.pages p { margin: .3rem 0 0; font-size: .92rem; }
nav.turn { margin-top: 1.5rem; }
@media (max-width: 30rem) { .controls .label { display: none; } }
@media print { .controls:not([hidden]), .face summary::after { display: none; }
  .album { grid-template-columns: repeat(3, 1fr); } .album > article { content-visibility: visible; }
  .face summary, .face > div { grid-template-columns: 1.4rem 3.6rem 1fr 3rem; font-size: .75rem; }
  .album p, .face > .soft { font-size: .7rem; } }
""" + "".join(
    f".photo rect.{emotion} {{ stroke: {colour}; }} .face b.{emotion} {{ border-color: {colour}; }}\n"
    for emotion, colour in COLOURS.items()
)
