"""Frames with their times, from films, cameras and iterators. OpenCV decodes.

OpenCV and PyAV were tried on films with a variable frame rate, B frames and each of the three rotations (MP4, MOV,
Matroska, WebM, MPEG-TS): both give each frame's own time, and OpenCV turns the frames upright by itself. OpenCV was
taken because it is installed anyway, opens cameras by number on each system, and its wheel holds no part under the GPL;
PyAV's wheel brings x264 and x265, which are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from emonet.errors import MissingFileError, OptionError, VideoError
from emonet.video.faults import NO_FRAME, explain_unreadable, find_cut
from emonet.video.options import VideoOptions
from facecrop.images import Image, check_image, is_image_file
from facecrop.packages import importing

if TYPE_CHECKING:
    import cv2

MAX_PIXELS = 100_000_000  # of a frame
MOVING = (".gif", ".webp", ".avif", ".apng")  # photos by their names, which may hold films
LEAST_SHARE = 0.95  # of the frames that a film announces: with fewer it ends too early
QUIET = {"OPENCV_FFMPEG_LOGLEVEL": "-8"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is looked at.

    Attributes:
        index: Its number in the film, from 0.
        time_s: When it is shown, in seconds after the first frame.
        image: RGB uint8, the right way up.
    """

    index: int
    time_s: float
    image: Image


class Film(Protocol):
    """What frames are read from.

    Attributes:
        name: For messages and headings.
        live: Whether frames that are not taken in time are lost.
        frames: How many there will be, or roughly so; None if nobody knows.
        fault: After reading: why the film ended too early.
    """

    name: str
    live: bool
    frames: int | None
    fault: VideoError | None

    def read(self, options: VideoOptions, after: int = -1) -> Iterator[Frame]:
        """Yield the frames to look at; with `after`, first that frame itself, and then those after it."""
        ...


class Sampling:
    """Decides which frames are looked at, from the first frame on."""

    def __init__(self, options: VideoOptions) -> None:
        self._every, self._step = options.every, 1 / options.rate if options.rate else 0.0
        self._due = 0.0

    def wants(self, index: int, time_s: float) -> bool:
        """Say whether a frame is looked at. To be asked for each frame, in order."""
        if index % self._every or time_s < self._due - 1e-6:
            return False
        if self._step:
            late = time_s - self._due > self._step  # after a gap, where times are uneven
            self._due = (time_s if late else self._due) + self._step
        return True


def open_video(source: Any, *, fps: float = 30.0) -> Film:
    """Open a film, a camera or an iterator of images.

    Args:
        source: A path, the number of a camera, or what yields images or pairs of a time in seconds and an image.
        fps: Images a second of an iterator that gives no times.

    Raises:
        VideoError: It cannot be opened.
        MissingFileError: There is no such file.
        OptionError: `fps` is not above 0, or the source is none of these.
    """
    if isinstance(source, bool) or not isinstance(source, int | str | os.PathLike | Iterable):
        raise OptionError(f"source must be a film, the number of a camera or an iterator of images, got {source!r}")
    if not fps > 0:
        raise OptionError(f"fps must be above 0, got {fps!r}")
    if isinstance(source, int):
        from emonet.video.camera import Camera

        return Camera(source)
    return FilmFile(Path(source)) if isinstance(source, str | os.PathLike) else ImageStream(source, fps)


class FilmFile:
    """A film on disk."""

    live = False

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise MissingFileError(f"no such film: {path}")
        if path.is_dir():
            raise VideoError(path, "this is a folder; give one film")
        if is_image_file(path) and path.suffix.lower() not in MOVING:
            raise VideoError(path, "this is a photo; emonet predict reads photos")
        self.path, self.name = path, path.name
        self.fault: VideoError | None = None
        capture = self._open()
        self.rate = capture.get(load_opencv().CAP_PROP_FPS)
        count = capture.get(load_opencv().CAP_PROP_FRAME_COUNT)
        self.frames = round(count) if 0 < count < 1e9 and self.rate < 1000 else None
        capture.release()

    def read(self, options: VideoOptions, after: int = -1) -> Iterator[Frame]:
        """Yield the frames to look at, one decoded ahead; at the end, `fault` says whether some are missing."""
        self.fault = None
        frames = self._decode(options, after)
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(next, frames, None)
            while (frame := ahead.result()) is not None:
                ahead = pool.submit(next, frames, None)
                yield frame

    def _decode(self, options: VideoOptions, after: int) -> Iterator[Frame]:
        cv2, capture, sampling = load_opencv(), self._open(), Sampling(options)
        index, last = 0, -1.0
        try:
            while capture.grab():
                time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if time_s <= last:  # a film without times, or with broken ones
                    time_s = last + 1 / (self.rate if 0 < self.rate < 1000 else 30)
                last = max(time_s, 0.0)
                wanted = sampling.wants(index, last)
                if wanted and index >= after:
                    yield Frame(index, round(last, 6), self._retrieve(capture))
                index += 1
        finally:
            capture.release()
        self.fault = self._find_fault(index, last)

    def _retrieve(self, capture: cv2.VideoCapture) -> Image:
        ok, pixels = capture.retrieve()
        if not ok:
            raise VideoError(self.path, NO_FRAME)
        cv2 = load_opencv()
        return check_image_type(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    def _find_fault(self, count: int, last: float) -> VideoError | None:
        if not count:
            return VideoError(self.path, explain_unreadable(self.path))
        read = f"{count:,} frames up to {last:.1f} s could be read"
        if cut := find_cut(self.path):
            return VideoError(self.path, f"{cut}; {read}")
        announced = LEAST_SHARE * (self.frames or 0)
        if count + 2 < announced and last + 1 < announced / self.rate:
            return VideoError(self.path, f"it is damaged; {read} of about {self.frames:,}")
        return None

    def _open(self) -> cv2.VideoCapture:
        opencv = load_opencv()
        try:
            with silence():
                capture: cv2.VideoCapture = opencv.VideoCapture(str(self.path.resolve()), opencv.CAP_FFMPEG)
        except UnicodeEncodeError as error:
            raise VideoError(self.path, "its name holds bytes that are no text; rename it") from error
        if not capture.isOpened():
            raise VideoError(self.path, explain_unreadable(self.path))
        pixels = capture.get(opencv.CAP_PROP_FRAME_WIDTH) * capture.get(opencv.CAP_PROP_FRAME_HEIGHT)
        if pixels > MAX_PIXELS:
            raise VideoError(self.path, f"a frame has {pixels:,.0f} pixels, more than {MAX_PIXELS:,}")
        return capture


class ImageStream:
    """Images of an iterator, with their times or at a steady rate."""

    name, live = "images", False
    frames: int | None = None

    def __init__(self, images: Iterable[Any], fps: float) -> None:
        self._images, self._fps = images, fps
        self.fault: VideoError | None = None

    def read(self, options: VideoOptions, after: int = -1) -> Iterator[Frame]:
        """Yield the images to look at."""
        sampling, last = Sampling(options), -1.0
        for index, item in enumerate(self._images):
            time_s, image = item if isinstance(item, tuple) else (index / self._fps, item)
            if not time_s > last:
                raise OptionError(f"times must rise from frame to frame, got {time_s!r} after {last!r}")
            last = float(time_s)
            if sampling.wants(index, last) and index >= after:
                check_image(image)
                yield Frame(index, last, image)


def check_image_type(pixels: Any) -> Image:
    """Return what OpenCV gave as an image, which its types do not tell."""
    check_image(pixels)
    image: Image = pixels
    return image


@contextmanager
def silence() -> Iterator[None]:
    """Keep OpenCV from writing to standard error, past Python, that a film or a camera cannot be opened."""
    try:
        kept = os.dup(2)
    except OSError:  # a program without standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def load_opencv() -> Any:
    """Import OpenCV so that FFmpeg does not write to the terminal what an error of ours says."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with importing("films", "opencv-python-headless>=4.13"):
        import cv2

    return cv2
