"""The section of report.html on sequences: how far the expression has come in each frame, and which frames are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.images import spread
from emonet.datasets.curation.onset import OnsetRule
from emonet.datasets.sample import DropReason
from emonet.datasets.store import StoreInfo
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

    @property
    def is_measured(self) -> bool:
        return any(value is not None for value in self.activation)

    @property
    def points(self) -> list[tuple[float, float, bool]]:
        """Where each frame is drawn, and whether it is kept."""
        first, last = min(self.frames), max(self.frames)
        step = (WIDTH - 2 * EDGE) / max(1, last - first)
        return [
            (EDGE + step * (frame - first), height_of(0.0 if value is None else value), kept)
            for frame, value, kept in zip(self.frames, self.activation, self.kept, strict=True)
            if value is not None or not self.is_measured
        ]


def height_of(activation: float) -> float:
    """Return how far down an activation is drawn."""
    share = (HIGHEST - min(max(activation, LOWEST), HIGHEST)) / (HIGHEST - LOWEST)
    return EDGE + (HEIGHT - 2 * EDGE) * share


def describe_onsets(info: StoreInfo, index: Index) -> dict[str, Any]:
    """Return the curves of some sequences, those without a rise first."""
    curves = _list_curves(index)
    noted = [curve for curve in curves if curve.note]
    rest = [curve for curve in curves if not curve.note]
    rule = OnsetRule.parse(info.options["onset"])
    is_auto = rule.method == "auto"
    return {
        "count": len(curves),
        "noted": len(noted),
        "curves": noted[:SHOWN] + spread(rest, max(0, SHOWN - len(noted))),
        "rule": rule,
        "is_auto": is_auto,
        "threshold": height_of(rule.amount) if is_auto and rule.amount is not None else None,
        "levels": (height_of(0.0), height_of(1.0)),
        "size_wh": (WIDTH, HEIGHT),
        "edge": EDGE,
    }


def _list_curves(index: Index) -> list[Curve]:
    """The sequences in which an onset was looked for."""
    sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, place in enumerate(zip(index.column("source"), index.column("sequence"), strict=True)):
        if place[1] is not None:
            sequences[place].append(row)
    columns = {name: index.column(name) for name in ("emotion", "frame", "activation", "reason", "detail")}
    found = (_make_curve(name, rows, columns, index.reason) for (_, name), rows in sequences.items())
    return [curve for curve in found if curve is not None]


def _make_curve(
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
