"""Predict the faces of a film in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from os import PathLike
from typing import Any

from emonet.prediction import EmotionPredictor
from emonet.video.analysis import VideoAnalysis
from emonet.video.frames import FrameResult
from emonet.video.options import VideoOptions
from emonet.video.reading import Film, open_video
from facecrop import Image

DETECTOR = "yunet"  # quick enough for films; its boxes are mapped to those of the models' own detector


def predict_video(
    source: str | PathLike[str] | int | Iterable[Image] | Iterable[tuple[float, Image]],
    predictor: EmotionPredictor | None = None,
    *,
    fps: float = 30.0,
    **options: Any,
) -> Iterator[FrameResult]:
    """Find the faces of a film and their expressions, frame by frame.

    Faces are detected on some frames and followed on those between, and keep their `track`. Probabilities are smoothed
    along each track. Only some frames are in memory, however long the film is.

    Args:
        source: The path of a film, the number of a camera, or whatever yields images, or pairs of a time in seconds and
            an image. Images are RGB uint8 arrays.
        predictor: What finds and names faces; None takes the bundled model with the detector `yunet`.
        fps: Images a second of an iterator that gives no times.
        options: Fields of `VideoOptions`: `every`, `rate`, `detect_s`, `gap_s`, `classify_s` and `smooth_s`.

    Returns:
        An iterator with a result for each frame that was looked at, in order.

    Raises:
        VideoError: The film or the camera cannot be opened; or the film ends too early, which is raised after the last
            result.
        MissingFileError: There is no such file.
        OptionError: An option has a value that is not allowed.

    Examples:
        >>> import numpy as np
        >>> from emonet import predict_video
        >>> film = (np.full((90, 120, 3), brightness, np.uint8) for brightness in (0, 128, 255))
        >>> for result in predict_video(film, fps=25):  # frames without a face
        ...     print(result.index, result.time_s, result.predictions)
        0 0.0 ()
        1 0.04 ()
        2 0.08 ()
    """
    chosen = VideoOptions(**options)
    video = open_video(source, fps=fps)
    return _yield_results(video, VideoAnalysis(predictor or _bundled(), chosen), chosen)


def _yield_results(video: Film, analysis: VideoAnalysis, options: VideoOptions) -> Iterator[FrameResult]:
    for group in analysis.analyse(video.read(options), live=video.live):
        yield from group
    if video.fault is not None:
        raise video.fault


@cache
def _bundled() -> EmotionPredictor:
    return EmotionPredictor(detector=DETECTOR, tta="none")
