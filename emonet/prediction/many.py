"""Predict many photos side by side: each is read, searched, classified and let go by one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from emonet.errors import ImageError
from emonet.inference.backends import count_threads
from emonet.prediction.prediction import PhotoResult, Prediction
from facecrop.filtering import FilterRules
from facecrop.images import Source
from facecrop.side_by_side import OpenedPhoto, map_photos

if TYPE_CHECKING:
    from emonet.prediction.predictor import EmotionPredictor

GPU_THREADS = 2  # one reads photos while the other's are on the GPU

Name = TypeVar("Name", bound=str | os.PathLike[str] | int)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PhotoAnswer(Generic[Name]):
    """A photo, what was found in it, and the predictions as they lie in the image that was read.

    Attributes:
        photo: The photo; its image may be half as wide and high as the photo is.
        result: In pixels of the photo.
        drawn: The predictions in pixels of the image.
    """

    photo: OpenedPhoto[Name]
    result: PhotoResult
    drawn: tuple[Prediction, ...]


def answer_photos(
    predictor: EmotionPredictor,
    photos: Iterable[tuple[Name, Source | ImageError]],
    finish: Callable[[PhotoAnswer[Name]], Result],
    *,
    threads: int | None = None,
) -> Iterator[Result]:
    """Read and predict photos side by side.

    Args:
        predictor: What finds and reads the faces.
        photos: Names with sources, or with the error that says why there is no source. A name becomes the source of
            its result.
        finish: Is called in the thread of a photo, while the photo is in memory. What it returns is handed on.
        threads: How many photos are worked on at the same time; by default, one for each processor.

    Returns:
        An iterator with what `finish` returned for each photo, in order.
    """
    device = str(predictor.detector.device)  # opened here: what torch and OpenCV may use is set when they are loaded
    scales = _Scales(predictor.side_by_side())
    if threads is None:
        threads = count_threads() if device == "cpu" and str(predictor.machine.device) == "cpu" else GPU_THREADS

    def work(batch: Sequence[OpenedPhoto[Name]]) -> list[Result]:
        return [finish(answer) for answer in scales.answer(batch)]

    return map_photos(photos, work, threads=threads, most=predictor.batch)


class _Scales:
    """Answers photos by the predictor, and those that were read at half their size by one whose rules are halved."""

    def __init__(self, predictor: EmotionPredictor) -> None:
        self._predictor = predictor

    @cached_property
    def _halved(self) -> EmotionPredictor:
        halved, rules, doubts = copy(self._predictor), self._predictor.rules, self._predictor.doubts
        if rules.min_size is not None:
            halved.rules = replace(rules, min_size=rules.min_size / 2)
        if doubts.sure_size is not None:
            halved.doubts = replace(doubts, sure_size=doubts.sure_size / 2)
        return halved

    def answer(self, batch: Sequence[OpenedPhoto[Name]]) -> Iterator[PhotoAnswer[Name]]:
        halved = any(photo.scale == 2 for photo in batch)  # a large photo is a batch of its own
        predictor = self._halved if halved else self._predictor
        reads = [(place, photo.image) for place, photo in enumerate(batch)]
        for photo, seen in zip(batch, predictor.answer(reads), strict=True):
            yield PhotoAnswer(photo, _place_result(photo, seen, self._predictor.rules), seen.predictions)


def _place_result(photo: OpenedPhoto[Name], seen: PhotoResult, rules: FilterRules) -> PhotoResult:
    """Return a result in pixels of the photo, under the photo's name."""
    predictions = tuple(replace(one, face=photo.place(one.face)) for one in seen.predictions)
    rejections = tuple(photo.place_rejection(one, rules) for one in seen.rejections)
    return replace(seen, source=photo.name, predictions=predictions, rejections=rejections)
