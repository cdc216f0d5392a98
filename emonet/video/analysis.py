"""From frames to results: faces are tracked frame by frame, and classified some frames together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from emonet.labels import Emotion
from emonet.prediction.prediction import Prediction, normalise
from emonet.video.frames import FrameResult, TrackedPrediction
from emonet.video.options import VideoOptions
from emonet.video.reading import Frame
from emonet.video.tracking import FaceTracker, TrackedFace
from facecrop import Image, choose_faces

if TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor

GROUP_FRAMES = 16  # frames that are in memory together: their faces are classified at once
GROUP_PIXELS = 8_000_000

Shares = Mapping[Emotion, float]


class Smoother:
    """Smooths the probabilities of each track exponentially over time.

    Args:
        smooth_s: The time constant in seconds; 0 changes nothing.
        keep_s: How long a track that is not seen is remembered.
    """

    def __init__(self, smooth_s: float, keep_s: float) -> None:
        self._smooth_s, self._keep_s = smooth_s, keep_s
        self._before: dict[int, tuple[float, Shares]] = {}

    @property
    def state(self) -> list[Any]:
        """What it remembers, as plain values for JSON."""
        return [
            [track, time_s, {str(key): share for key, share in shares.items()}]
            for track, (time_s, shares) in self._before.items()
        ]

    def resume(self, state: Sequence[Any]) -> None:
        """Go on from a state."""
        self._before = {
            track: (time_s, {Emotion(name): share for name, share in shares.items()}) for track, time_s, shares in state
        }

    def smooth(self, track: int, time_s: float, shares: Shares) -> Shares:
        """Blend the probabilities of a face with those of its track so far."""
        if self._smooth_s and track in self._before:
            before_s, before = self._before[track]
            keep = math.exp((before_s - time_s) / self._smooth_s)
            shares = normalise({name: keep * before[name] + (1 - keep) * share for name, share in shares.items()})
        self._before[track] = (time_s, shares)
        return shares

    def recall(self, track: int) -> Shares:
        """Return the probabilities that a track had last."""
        return self._before[track][1]

    def forget(self, time_s: float) -> None:
        """Forget the tracks that have ended."""
        self._before = {track: one for track, one in self._before.items() if time_s - one[0] <= self._keep_s}


class _Seen(NamedTuple):
    """A frame with the faces on it, and the tracks of those that are to be classified."""

    frame: Frame
    faces: list[TrackedFace]
    due: set[int]


class VideoAnalysis:
    """Predicts the faces of frames that come one after another.

    Args:
        predictor: What finds and names faces. Its rules say which faces are named.
        options: How faces are followed, and how probabilities are smoothed.
    """

    def __init__(self, predictor: EmotionPredictor, options: VideoOptions | None = None) -> None:
        self.predictor, self.options = predictor, options or VideoOptions()
        self._tracker = FaceTracker(predictor.detector, self.options)
        self._smoother = Smoother(self.options.smooth_s, self.options.gap_s + self.options.classify_s)
        self._classified: dict[int, float] = {}  # when each track was classified last
        self._state: Mapping[str, Any] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What the next frames depend on beside their pixels, as plain values for JSON."""
        times = list(self._classified.items())
        return {"tracker": self._tracker.state, "smoother": self._smoother.state, "classified": times}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a state: the first frame of `analyse` is then the last one that it knows."""
        self._state = state

    def analyse(self, frames: Iterable[Frame], *, live: bool = False) -> Iterator[list[FrameResult]]:
        """Yield the results of some frames after another; with `live`, of each frame at once."""
        return (results for _, results in self.analyse_images(frames, live=live))

    def analyse_images(
        self, frames: Iterable[Frame], *, live: bool = False
    ) -> Iterator[tuple[list[Image], list[FrameResult]]]:
        """Yield the images, too."""
        group: list[_Seen] = []
        for frame in frames:
            if self._state is not None:
                self._tracker.resume(self._state["tracker"], frame.image)
                self._smoother.resume(self._state["smoother"])
                self._classified = dict(self._state["classified"])
                self._state = None
                continue
            faces = self._choose(frame, self._tracker.update(frame.image, frame.time_s))
            due = {one.track for one in faces if self._is_due(one.track, frame.time_s)}
            group.append(_Seen(frame, faces, due))
            pixels = frame.image.shape[0] * frame.image.shape[1] * len(group)
            if live or len(group) == GROUP_FRAMES or pixels >= GROUP_PIXELS:
                yield self._answer(group)
                group = []
        if group:
            yield self._answer(group)

    def _choose(self, frame: Frame, found: list[TrackedFace]) -> list[TrackedFace]:
        """Leave out what the predictor's rules refuse."""
        chosen = {
            id(face) for face in choose_faces(frame.image, [one.face for one in found], self.predictor.rules).faces
        }
        return [one for one in found if id(one.face) in chosen]

    def _is_due(self, track: int, time_s: float) -> bool:
        """Say whether a face is classified on this frame, and remember it."""
        due = time_s - self._classified.get(track, -math.inf) >= self.options.classify_s - 1e-3
        if due:
            self._classified[track] = time_s
        return due

    def _answer(self, group: Sequence[_Seen]) -> tuple[list[Image], list[FrameResult]]:
        faces = [(seen.frame.image, one.face) for seen in group for one in seen.faces if one.track in seen.due]
        answers = iter(self.predictor.classify_faces(faces))
        results = [self._name(seen, answers) for seen in group]
        now = results[-1].time_s
        self._smoother.forget(now)
        kept = self.options.gap_s + self.options.classify_s
        self._classified = {track: time_s for track, time_s in self._classified.items() if now - time_s <= kept}
        return [seen.frame.image for seen in group], results

    def _name(self, seen: _Seen, answers: Iterator[Prediction]) -> FrameResult:
        frame, named = seen.frame, []
        for face in seen.faces:
            due = face.track in seen.due
            if due:
                shares = self._smoother.smooth(face.track, frame.time_s, next(answers).probabilities)
            else:
                shares = self._smoother.recall(face.track)
            named.append(TrackedPrediction(face.face, shares, face.track, face.detected, due))
        named.sort(key=lambda one: one.face.centre)
        return FrameResult(frame.index, frame.time_s, tuple(named))
