"""The annotated film: a copy with boxes, tracks and expressions drawn into it, which browsers play (WebM, VP8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from emonet.atomic import write_atomically
from emonet.errors import MachineError
from emonet.prediction import draw
from emonet.video.frames import FrameResult
from emonet.video.reading import LEAST_SHARE, Frame, load_opencv, silence
from facecrop.images import Image

NAME = "annotated.webm"
CODEC = "VP80"
MOST_SIDE = 1920  # pixels
MOST_RATE = 60.0  # frames a second: the film has a steady rate, whatever that of the original
LETTERS = (12, 1 / 7)  # height of a track's number: the least in pixels, and as a share of the face's width


class FilmWriter:
    """Writes frames with their times at a steady rate: each is shown until the next one.

    Args:
        path: The file, whose name ends in .webm.
        rate: Frames a second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, min(max(rate, 1.0), MOST_RATE)
        self._writer: Any = None
        self._size_wh = (0, 0)
        self._written = 0
        self._last: Image | None = None

    def add(self, image: Image, time_s: float) -> None:
        """Show an image from a time on."""
        self._fill(time_s)
        self._last = image

    def close(self) -> None:
        """Write the last frame and end the file."""
        if self._last is not None:
            self._fill((self._written + 1) / self._rate)
        if self._writer is not None:
            self._writer.release()

    def check(self) -> None:
        """Look whether the file holds what was written: OpenCV does not say that a disk is full.

        Raises:
            MachineError: It does not.
        """
        cv2 = load_opencv()
        with silence():
            capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
            count = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
            capture.release()
        if count < max(1, LEAST_SHARE * self._written - 2):
            raise MachineError(f"{self._path.parent / NAME} could not be written whole: is the disk full?")

    def _fill(self, until_s: float) -> None:
        if self._last is None:
            return
        if self._writer is None:
            self._writer = self._open(self._last)
        cv2 = load_opencv()
        pixels = cv2.cvtColor(cv2.resize(self._last, self._size_wh), cv2.COLOR_RGB2BGR)
        while self._written / self._rate < until_s - 1e-6:
            self._writer.write(pixels)
            self._written += 1

    def _open(self, image: Image) -> Any:
        cv2 = load_opencv()
        height, width = image.shape[:2]
        factor = min(1.0, MOST_SIDE / max(height, width))
        self._size_wh = (max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2))
        with silence():
            writer = cv2.VideoWriter(
                str(self._path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*CODEC), self._rate, self._size_wh
            )
        if not writer.isOpened():
            raise MachineError(f"{self._path}: a film cannot be written here")
        return writer


@contextmanager
def open_annotated(folder: Path, rate: float) -> Iterator[FilmWriter]:
    """Write the annotated film of a folder, whole or not at all."""
    with write_atomically(folder / NAME) as temporary:
        film = temporary.with_name(f"{temporary.name}.webm")  # the ending tells OpenCV the format
        writer = FilmWriter(film, rate)
        try:
            yield writer
            writer.close()
            if film.exists():
                writer.check()
                film.replace(temporary)
            else:
                temporary.touch()
        finally:
            film.unlink(missing_ok=True)


def annotate_film(frames: Iterable[Frame], results: Iterable[FrameResult], folder: Path, rate: float) -> None:
    """Write the annotated film from the frames of a film and their results."""
    found = iter(results)
    with open_annotated(folder, rate) as writer:
        for frame in frames:
            result = next(found, None)
            if result is None:  # the film is longer than what was looked at
                break
            writer.add(draw_frame(frame.image, result), frame.time_s)


def draw_frame(image: Image, result: FrameResult) -> Image:
    """Draw the predictions of a frame into a copy of it, with the number of each track."""
    if not result.predictions:
        return image
    canvas = PIL.Image.fromarray(draw(image, result.predictions))
    pen = ImageDraw.Draw(canvas)
    for one in result.predictions:
        font = ImageFont.load_default(max(LETTERS[0], round(LETTERS[1] * one.face.width)))
        place = (max(0.0, one.box[0]) + 3, max(0.0, one.box[1]) + 2)
        pen.text(place, str(one.track), "white", font, stroke_width=2, stroke_fill="black")
    return np.array(canvas)
