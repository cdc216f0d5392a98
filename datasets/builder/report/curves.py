"""The section of report.html on sequences: how far the expression has come in each frame, and which frames are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.page import Section
from emonet.datasets.builder.report.pictures import Pictures, spread
from emonet.datasets.curation.onset import OnsetRule
from emonet.datasets.sample import DropReason
from emonet.html.page import Html, chip, code, join, soft, tag
from emonet.labels import Emotion

SHOWN = 24
WIDTH, HEIGHT, EDGE = 200, 90, 8  # of a curve, in its own units
LOWEST, HIGHEST = -0.15, 1.1  # activation that is drawn


@dataclass(frozen=True, slots=True)
class Curve:
    """One sequence. Without a measured activation all frames are drawn at 0."""

    name: str
    emotion: str
    frames: tuple[int, ...]
    activation: tuple[float | None, ...]
    kept: tuple[bool, ...]
    note: str | None  # of the onset: where no rise was found, that


def onset_curves(info: Mapping[str, Any], index: Index) -> Section:
    curves = _curves(index)
    noted = [curve for curve in curves if curve.note]
    rest = [curve for curve in curves if not curve.note]
    rule = OnsetRule.parse(info["options"]["onset"])
    threshold = rule.amount if rule.method == "auto" else None

    def content(_: Pictures) -> Html:
        if not curves:
            return soft("There are no sequences that begin with a neutral face.")
        shown = noted[:SHOWN] + spread(rest, max(0, SHOWN - len(noted)))
        return join(
            _words(len(curves), len(noted), len(shown), rule),
            tag("div", *(_figure(curve, threshold) for curve in shown), class_="curves"),
        )

    return Section("onset", "Onset of expressions", content)


def _curves(index: Index) -> list[Curve]:
    """The sequences in which an onset was looked for."""
    sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, place in enumerate(zip(index.column("source"), index.column("sequence"), strict=True)):
        if place[1] is not None:
            sequences[place].append(row)
    columns = {name: index.column(name) for name in ("emotion", "frame", "activation", "reason", "detail")}
    found = (_curve(name, rows, columns, index.reason) for (_, name), rows in sequences.items())
    return [curve for curve in found if curve is not None]


def _curve(
    name: str, rows: Sequence[int], columns: Mapping[str, list[Any]], final: Sequence[str | None]
) -> Curve | None:
    """None where no onset was looked for."""
    activation = tuple(columns["activation"][row] for row in rows)
    reasons = [columns["reason"][row] for row in rows]
    notes = [columns["detail"][row] for row, reason in zip(rows, reasons, strict=True) if reason is None]
    note = next(filter(None, notes), None)
    if DropReason.ONSET not in reasons and note is None and not any(value is not None for value in activation):
        return None
    emotions = [columns["emotion"][row] for row in rows]
    frames = [columns["frame"][row] for row in rows]
    return Curve(
        name,
        next((emotion for emotion in emotions if emotion != Emotion.NEUTRAL), emotions[0]),
        tuple(range(1, len(rows) + 1)) if None in frames else tuple(frames),
        activation,
        tuple(final[row] is None for row in rows),
        note,
    )


def _words(count: int, noted: int, shown: int, rule: OnsetRule) -> Html:
    which = "" if shown == count else f" {shown:,} are shown{', those without a rise first' if noted else ''}."
    rises = f"{noted or 'none'} of them without a rise" if rule.method == "auto" else "their frames were only counted"
    dashes = "; the dashed line is the rule's share of the apex's activation" if rule.method == "auto" else ""
    return join(
        tag("p", f"{count:,} sequences, {rises}.{which} The rule was ", code(rule), "."),
        soft(f"Activation from 0 to 1 by frame. Filled dots are in the data set, hollow ones were left out{dashes}."),
    )


def _figure(curve: Curve, threshold: float | None) -> Html:
    caption = tag("figcaption", tag("strong", code(curve.name)), chip(curve.emotion))
    first, last = curve.frames[0], curve.frames[-1]
    kept = f"{sum(curve.kept)} of {len(curve.kept)} kept"
    frames = tag("figcaption", tag("span", f"frames {first} to {last}"), tag("span", kept), class_="soft")
    remark = tag("div", curve.note, class_="warning") if curve.note else ""
    return tag("figure", caption, _drawing(curve, threshold), frames, remark)


def _drawing(curve: Curve, threshold: float | None) -> Html:
    unmeasured = all(value is None for value in curve.activation)
    values = [0.0 if unmeasured else value for value in curve.activation]
    across = _across(curve.frames)
    dots = [(x, _down(y), kept) for x, y, kept in zip(across, values, curve.kept, strict=True) if y is not None]
    lines = [_level(0.0), _level(1.0), *([_level(threshold, "threshold")] if threshold is not None else [])]
    if not unmeasured:
        lines.append(tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in dots)))
    marks = (tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_="kept" if kept else None) for x, y, kept in dots)
    words = f"activation in {len(dots)} frames of {curve.name}"
    return tag("svg", *lines, *marks, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=words)


def _across(frames: Sequence[int]) -> list[float]:
    first, last = min(frames), max(frames)
    return [EDGE + (WIDTH - 2 * EDGE) * (frame - first) / max(1, last - first) for frame in frames]


def _down(activation: float) -> float:
    share = (HIGHEST - min(max(activation, LOWEST), HIGHEST)) / (HIGHEST - LOWEST)
    return EDGE + (HEIGHT - 2 * EDGE) * share


def _level(activation: float, kind: str | None = None) -> Html:
    y = f"{_down(activation):.1f}"
    return tag("line", x1=EDGE, x2=WIDTH - EDGE, y1=y, y2=y, class_=kind)
