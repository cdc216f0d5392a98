"""The page of a film: thumbnails to scrub through, probabilities over time for each track, and the segments."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.html.images import EmbeddedImage, embed_jpeg
from emonet.html.render import write_page
from emonet.labels import Emotion
from emonet.video.frames import FrameResult
from emonet.video.journal import Thumbnail
from emonet.video.segments import Segment, find_segments
from emonet.video.tables import format_segments
from facecrop.text import printable

PAGE = "timeline.html"
FILMS = {"media-src": "'self' file:"}  # for a page that is opened from the disk, `self` is nothing
STEPS = 300  # of the whole film, each with the mean of its frames
WIDE, HIGH = 1000, 100  # of the plots, in their own units
MOST_TRACKS = 24  # that are drawn: those that are seen longest
MOST_ROWS = 500  # of the table
LANE = 10  # thumbnails of the lane
LEAST_S = 0.04  # the length of a film of one frame

Sums = NDArray[np.float64]


class Area(NamedTuple):
    """The area of one expression in the plot of a track."""

    emotion: Emotion
    points: str


class Bar(NamedTuple):
    """A segment in the bar of its track; the places are shares of the film's length."""

    segment: Segment
    to_s: float  # where the bar ends: at the next segment if that begins with the next frame
    left: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class TrackView:
    """What the page shows of a track."""

    number: int
    from_s: float
    to_s: float
    areas: list[Area]
    bars: list[Bar]

    @property
    def heading(self) -> str:
        """Its number, and when it is seen."""
        return f"Track {self.number}, {format_time(self.from_s)} to {format_time(self.to_s)}"


class Steps:
    """Sums of the probabilities of each track in each step of the film."""

    def __init__(self, length_s: float, classes: Sequence[Emotion]) -> None:
        self._length_s, self._classes = length_s, classes
        self._sums: dict[int, dict[int, Sums]] = defaultdict(dict)
        self.spans: dict[int, tuple[float, float]] = {}  # from when to when each track is seen

    def watch(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """Pass results on, and add them up."""
        for result in results:
            step = min(STEPS - 1, int(STEPS * result.time_s / self._length_s))
            for one in result.predictions:
                row = np.array([*(one.probabilities[name] for name in self._classes), 1.0])
                steps = self._sums[one.track]
                steps[step] = steps[step] + row if step in steps else row
                self.spans[one.track] = self.spans.get(one.track, (result.time_s, 0.0))[0], result.time_s
            yield result

    def draw(self, track: int, gap_s: float) -> list[Area]:
        """Return the areas of a track, one above the other; where the face is out of sight they end."""
        steps = self._sums[track]
        apart = max(1, round(STEPS * gap_s / self._length_s))
        return [
            Area(name, points)
            for part in _split(sorted(steps), apart)
            for name, points in self._draw_part(part, np.stack([steps[step][:-1] / steps[step][-1] for step in part]))
        ]

    def _draw_part(self, part: Sequence[int], shares: Sums) -> Iterator[tuple[Emotion, str]]:
        across = [part[0], *(step + 0.5 for step in part), part[-1] + 1]
        shares = np.concatenate([shares[:1], shares, shares[-1:]])
        tops = np.concatenate([np.zeros((len(shares), 1)), shares.cumsum(axis=1)], axis=1)
        for place, name in enumerate(self._classes):
            upper = _points(across, tops[:, place + 1])
            lower = _points(across, tops[:, place])[::-1]
            yield name, " ".join([*upper, *lower])


def write_timeline(
    results: Iterable[FrameResult],
    folder: Path,
    *,
    title: str,
    classes: Sequence[Emotion],
    length_s: float,
    frames: int,
    gap_s: float,
    thumbnails: Sequence[Thumbnail] = (),
    film: str = "",
    fault: str = "",
    footer: str = "",
) -> tuple[Path, list[Segment]]:
    """Write the page of a film.

    Args:
        results: The frames, in order.
        folder: Where `timeline.html` is written.
        title: Its heading.
        classes: The classes of the predictor.
        length_s: The time of the last frame.
        frames: The number of frames.
        gap_s: How long a face may be out of sight.
        thumbnails: Small copies of some frames, in order.
        film: The address of the film, as seen from the page; nothing without one.
        fault: Why the film ended too early.
        footer: A line at the end.

    Returns:
        The path of the page, and the segments of all tracks.
    """
    length_s = max(length_s, LEAST_S)
    steps = Steps(length_s, classes)
    segments = sorted(find_segments(steps.watch(results), gap_s), key=lambda one: (one.from_s, one.track))
    longest = sorted(steps.spans, key=lambda track: steps.spans[track][0] - steps.spans[track][1])
    shown = sorted(longest[:MOST_TRACKS], key=lambda track: steps.spans[track][0])
    write_page(
        folder / PAGE,
        "timeline.html.j2",
        script="timeline.js",
        more_policy=FILMS if film else None,
        title=printable(title),
        sections={"tracks": "Tracks", "segments": "Segments"},
        tiles=[("length", format_time(length_s)), ("frames", frames), ("tracks", len(longest))],
        fault=fault,
        film=film,
        length=round(length_s, 3),
        lane=list(_choose_lane(thumbnails, length_s)),
        tracks=[_view(track, steps, segments, length_s, gap_s, 1.5 * length_s / max(1, frames - 1)) for track in shown],
        hidden=len(longest) - len(shown),
        classes=classes,
        rows=segments[:MOST_ROWS],
        more=max(0, len(segments) - MOST_ROWS),
        table=_embed_table(segments),
        time=format_time,
        wide=WIDE,
        high=HIGH,
        footer=footer,
    )
    return folder / PAGE, segments


def format_time(seconds: float) -> str:
    """Write a time as players do, with tenths: `1:02.5`."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    words = f"{rest // 10:02}.{rest % 10}"
    return f"{hours}:{minutes:02}:{words}" if hours else f"{minutes}:{words}"


def _view(
    track: int, steps: Steps, segments: Sequence[Segment], length_s: float, gap_s: float, near_s: float
) -> TrackView:
    own = [one for one in segments if one.track == track]
    bars = []
    for one, after in zip_longest(own, own[1:]):
        to_s = after.from_s if after is not None and after.from_s - one.to_s <= near_s else one.to_s
        words = f"{one.emotion}, {format_time(one.from_s)} to {format_time(one.to_s)}, {one.strength:.0%}"
        bars.append(Bar(one, to_s, one.from_s / length_s, max(0.0, to_s - one.from_s) / length_s, words))
    return TrackView(track, *steps.spans[track], steps.draw(track, gap_s), bars)


def _split(steps: Sequence[int], apart: int) -> Iterator[list[int]]:
    """Split steps where more than so many are missing between two."""
    numbers = np.cumsum([0, *(after - before > apart for before, after in pairwise(steps))])
    for _, part in groupby(zip(numbers, steps, strict=True), key=lambda pair: int(pair[0])):
        yield [step for _, step in part]


def _points(across: Sequence[float], shares: Sums) -> list[str]:
    return [f"{WIDE * step / STEPS:.1f},{HIGH * (1 - share):.1f}" for step, share in zip(across, shares, strict=True)]


def _choose_lane(thumbnails: Sequence[Thumbnail], length_s: float) -> Iterator[EmbeddedImage]:
    """Choose as many thumbnails as fit, each the one nearest to the middle of its part of the film."""
    count = min(LANE, len(thumbnails))
    for place in range(count):
        middle = (place + 0.5) / count * length_s
        yield embed_jpeg(min(thumbnails, key=lambda one: abs(one.time_s - middle)).jpeg)


def _embed_table(segments: Sequence[Segment]) -> str:
    return f"data:text/csv;base64,{base64.b64encode(format_segments(segments).encode()).decode()}"
