"""Read uploads: a bounded number waits, one is read at a time, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, cast

from emonet.app.options import AppLimits
from emonet.errors import EmonetError, OptionError
from emonet.labels import Emotion
from emonet.prediction import EmotionPredictor, PhotoResult, explain
from emonet.prediction.prediction import Prediction
from facecrop import Face, Image, Source, open_detector, read_image
from facecrop.images import limit_size

if TYPE_CHECKING:
    from facecrop.face import Landmarks

LIVE_SHARE = 0.12  # of a camera image's shorter side: the smallest faces that are looked for, as on the page of webpage
AROUND = 0.6  # of a face's size: what is shown around it where it is explained
EXPLAINED_SIDE = 640  # pixels


class BusyError(EmonetError):
    """As many requests wait as may."""

    def __init__(self) -> None:
        super().__init__("busy: too many requests are waiting; try again in a moment")


@dataclass(frozen=True, slots=True)
class AnsweredPhoto:
    """A photo and its result."""

    image: Image
    result: PhotoResult

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the photo's size, the predictions, and what was left out."""
        height, width = self.image.shape[:2]
        return {
            "size_wh": [width, height],
            "predictions": [one.to_dict() for one in self.result.predictions],
            "rejections": [one.to_dict() for one in self.result.rejections],
        }


class PhotoReader:
    """Reads photos and camera images for many users, one at a time.

    Args:
        predictor: What finds and names faces.
        limits: How large a photo may be, and how many may wait.

    Examples:
        >>> import numpy as np
        >>> from emonet import EmotionPredictor
        >>> from emonet.app import PhotoReader
        >>> reader = PhotoReader(EmotionPredictor("emonet_fast", detector="yunet", device="cpu"))
        >>> reader.read(np.zeros((60, 90, 3), np.uint8)).to_dict()["predictions"]
        []
    """

    def __init__(self, predictor: EmotionPredictor, limits: AppLimits | None = None) -> None:
        self.predictor = predictor
        self.limits = limits or AppLimits()
        self._places = BoundedSemaphore(self.limits.queue)
        self._one = Lock()

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes that a face may have."""
        return self.predictor.classes

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places in the queue.

        Raises:
            BusyError: All are taken.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            yield
        finally:
            self._places.release()

    def read(self, source: Source) -> AnsweredPhoto:
        """Read a photo. Take a `place` first.

        Raises:
            ImageError: It is too large, or no photo.
        """
        with self._one:
            image = read_image(source, max_pixels=self.limits.max_pixels, max_bytes=self.limits.max_bytes)
            (result,) = self.predictor.answer([(0, image)])
        return AnsweredPhoto(image, result)

    def read_frame(self, jpeg: bytes) -> AnsweredPhoto:
        """Read an image of a camera, quickly: for faces that are near it."""
        with self._one:
            image = read_image(jpeg, max_pixels=self.limits.max_pixels, max_bytes=self.limits.max_bytes)
            (result,) = self._live.answer([(0, image)])
        return AnsweredPhoto(image, result)

    def explain(self, cut: bytes, face: dict[str, Any], emotion: str) -> Image:
        """Colour on what `cut_around` made of a face what speaks for an expression.

        Raises:
            OptionError: The face is none, or there is no such expression.
            ImageError: The image cannot be read.
            MissingPackageError: PyTorch is not installed.
        """
        with self._one:
            image = read_image(cut, max_pixels=self.limits.max_pixels, max_bytes=self.limits.max_bytes)
            prediction = Prediction(_make_face(face), {_find_emotion(emotion): 1.0})
            return explain(image, prediction, self.predictor)

    @cached_property
    def _live(self) -> EmotionPredictor:
        """The same models, with a detector and without second views, as a camera needs them."""
        detector = open_detector("yunet", min_share=LIVE_SHARE)
        return self.predictor.with_other(detector=detector, turns=False, tta="none")


def cut_around(image: Image, face: Face) -> tuple[Image, Face]:
    """Cut a face with what is around it out of its photo, not larger than it is shown; `explain` takes both back."""
    across, down = AROUND * face.width, AROUND * face.height
    height, width = image.shape[:2]
    left, top = max(0, int(face.box[0] - across)), max(0, int(face.box[1] - down))
    right, bottom = min(width, int(face.box[2] + across) + 1), min(height, int(face.box[3] + down) + 1)
    part = image[top:bottom, left:right]
    shown = limit_size(part, EXPLAINED_SIDE)
    share = shown.shape[1] / part.shape[1], shown.shape[0] / part.shape[0]

    def move(x: float, y: float) -> tuple[float, float]:
        return (x - left) * share[0], (y - top) * share[1]

    landmarks = cast("Landmarks | None", face.landmarks and tuple(move(*point) for point in face.landmarks))
    box = (*move(*face.box[:2]), *move(*face.box[2:]))
    return shown, replace(face, box=box, landmarks=landmarks, raw_box=None)


def _make_face(values: dict[str, Any]) -> Face:
    try:
        return Face.from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"this is no face: {error}") from error


def _find_emotion(name: str) -> Emotion:
    try:
        return Emotion(name)
    except ValueError:
        raise OptionError(f"there is no expression {name!r}; there are {', '.join(Emotion)}") from None
