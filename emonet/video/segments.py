"""Segments: the stretches of a track in which one expression is the most probable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from emonet.labels import Emotion
from emonet.video.frames import FrameResult, TrackedPrediction

LEAST_S = 0.3  # an expression that is shown for less time does not end a segment


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a track with one expression.

    Attributes:
        track: The number of the track.
        emotion: The expression.
        from_s: When it begins, in seconds.
        to_s: When it ends: the time of its last frame.
        strength: The mean probability of the expression over its frames.

    Examples:
        >>> from emonet.video import Segment
        >>> Segment(1, "happy", 2.0, 3.5, 0.8).to_dict()
        {'track': 1, 'expression': 'happy', 'from_s': 2.0, 'to_s': 3.5, 'strength': 0.8}
    """

    track: int
    emotion: Emotion
    from_s: float
    to_s: float
    strength: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, as they are in a row of `segments.csv`."""
        return {
            "track": self.track,
            "expression": str(self.emotion),
            "from_s": round(self.from_s, 3),
            "to_s": round(self.to_s, 3),
            "strength": round(self.strength, 4),
        }


@dataclass(slots=True)
class _Run:
    """Frames of one expression, one after another."""

    emotion: Emotion
    from_s: float
    to_s: float
    shares: dict[Emotion, float]  # summed over the frames
    frames: int

    def add(self, other: _Run) -> None:
        self.to_s, self.frames = other.to_s, self.frames + other.frames
        self.shares = {name: share + other.shares[name] for name, share in self.shares.items()}

    def end(self, track: int) -> Segment:
        return Segment(track, self.emotion, self.from_s, self.to_s, self.shares[self.emotion] / self.frames)


class _Open:
    """The segment of a track that may go on, and what may begin the next."""

    def __init__(self, track: int) -> None:
        self._track = track
        self._now: _Run | None = None
        self._next: _Run | None = None

    def add(self, prediction: TrackedPrediction, time_s: float) -> Iterator[Segment]:
        run = _Run(prediction.emotion, time_s, time_s, dict(prediction.probabilities), 1)
        if self._now is None:
            self._now = run
        elif run.emotion == self._now.emotion:
            self._join(run)
        elif self._next is not None and self._next.emotion == run.emotion:
            self._next.add(run)
        else:
            if self._next is not None:  # it was shown too briefly
                self._now.add(self._next)
            self._next = run
        if self._now is not None and self._next is not None and self._next.to_s - self._next.from_s >= LEAST_S:
            yield self._now.end(self._track)
            self._now, self._next = self._next, None

    def _join(self, run: _Run) -> None:
        """Go on with what was shown before, and take what came between as noise."""
        if self._now is not None:
            if self._next is not None:
                self._now.add(self._next)
            self._now.add(run)
            self._next = None

    def end(self) -> Iterator[Segment]:
        if self._now is not None:
            if self._next is not None:
                self._now.add(self._next)
            yield self._now.end(self._track)


def find_segments(results: Iterable[FrameResult], gap_s: float) -> Iterator[Segment]:
    """Yield the segments of all tracks, each when it has ended.

    Args:
        results: The frames, in order.
        gap_s: How long a face may be out of sight: a track that was not seen for longer has ended.
    """
    tracks: dict[int, tuple[_Open, float]] = {}
    for result in results:
        for prediction in result.predictions:
            track = prediction.track
            one = tracks[track][0] if track in tracks else _Open(track)
            tracks[track] = one, result.time_s
            yield from one.add(prediction, result.time_s)
        for track in [track for track, (_, seen_s) in tracks.items() if result.time_s - seen_s > 2 * gap_s + 1]:
            yield from tracks.pop(track)[0].end()
    for one, _ in tracks.values():
        yield from one.end()
