"""From frames to results: faces are tracked frame by frame, and classified some frames together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emonet.labels import Emotion
from emonet.prediction.prediction import normalise
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
        if not self._smooth_s:
            return shares
        before_s, before = self._before.get(track, (-math.inf, shares))
        keep = math.exp((before_s - time_s) / self._smooth_s)
        blended = normalise({name: keep * before[name] + (1 - keep) * share for name, share in shares.items()})
        self._before[track] = (time_s, blended)
        return blended

    def forget(self, time_s: float) -> None:
        """Forget the tracks that have ended."""
        self._before = {track: one for track, one in self._before.items() if time_s - one[0] <= self._keep_s}


class VideoAnalysis:
    """Predicts the faces of frames that come one after another.

    Args:
        predictor: What finds and names faces. Its rules say which faces are named.
        options: How faces are followed, and how probabilities are smoothed.
    """

    def __init__(self, predictor: EmotionPredictor, options: VideoOptions | None = None) -> None:
        self.predictor, self.options = predictor, options or VideoOptions()
        self._tracker = FaceTracker(predictor.detector, self.options)
        self._smoother = Smoother(self.options.smooth_s, self.options.gap_s)
        self._state: Mapping[str, Any] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What the next frames depend on beside their pixels, as plain values for JSON."""
        return {"tracker": self._tracker.state, "smoother": self._smoother.state}

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
        group: list[tuple[Frame, list[TrackedFace]]] = []
        for frame in frames:
            if self._state is not None:
                self._tracker.resume(self._state["tracker"], frame.image)
                self._smoother.resume(self._state["smoother"])
                self._state = None
                continue
            group.append((frame, self._choose(frame, self._tracker.update(frame.image, frame.time_s))))
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

    def _answer(self, group: list[tuple[Frame, list[TrackedFace]]]) -> tuple[list[Image], list[FrameResult]]:
        faces = [(frame.image, one.face) for frame, found in group for one in found]
        predictions = iter(self.predictor.classify_faces(faces))
        results = []
        for frame, found in group:
            named = [
                TrackedPrediction(
                    one.face,
                    self._smoother.smooth(one.track, frame.time_s, next(predictions).probabilities),
                    track=one.track,
                    detected=one.detected,
                )
                for one in found
            ]
            named.sort(key=lambda one: one.face.centre)
            results.append(FrameResult(frame.index, frame.time_s, tuple(named)))
        self._smoother.forget(results[-1].time_s)
        return [frame.image for frame, _ in group], results
