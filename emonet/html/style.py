"""How all pages look, and the colours of expressions on them and in drawings."""

from __future__ import annotations

from emonet.labels import Emotion

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
