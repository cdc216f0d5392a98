"""A camera of this machine: always its newest frame, however long the last one took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Condition, Thread
from typing import Any

from emonet.errors import VideoError
from emonet.video.options import VideoOptions
from emonet.video.reading import Frame, Sampling, check_image_type, load_opencv, silence

PATIENCE = 5.0  # seconds without a frame: then the camera is gone


class Camera:
    """A camera by its number."""

    live = True
    frames: int | None = None

    def __init__(self, number: int) -> None:
        self.name = f"camera {number}"
        self.fault: VideoError | None = None
        self._capture = _open_capture(number)
        if not self._capture.isOpened():
            raise VideoError(None, f"there is no camera {number}, or another program is using it")

    def read(self, options: VideoOptions, after: int = -1) -> Iterator[Frame]:
        """Yield the newest frame again and again, until the camera is gone; frames between are dropped."""
        import cv2

        del after  # what a camera has shown does not come back
        newest, sampling = _Newest(self._capture), Sampling(options)
        try:
            while (taken := newest.take()) is not None:
                index, time_s, pixels = taken
                if sampling.wants(index, time_s):
                    yield Frame(index, time_s, check_image_type(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)))
        finally:
            newest.stop()
            self._capture.release()
        self.fault = VideoError(None, f"{self.name} gives no more frames")


class _Newest:
    """Reads a camera in a thread, and keeps its last frame alone."""

    def __init__(self, capture: Any) -> None:
        self._capture, self._changed = capture, Condition()
        self._frame: tuple[int, float, Any] | None = None
        self._ended = False
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self) -> tuple[int, float, Any] | None:
        """Wait for a frame that was not taken yet; None if the camera is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout=PATIENCE)
            taken, self._frame = self._frame, None
            return taken

    def stop(self) -> None:
        """End the thread."""
        self._ended = True
        self._thread.join(timeout=PATIENCE)

    def _read(self) -> None:
        index, started = 0, None
        while not self._ended:
            ok, pixels = self._capture.read()
            now = time.monotonic()
            started = now if started is None else started
            with self._changed:
                self._ended = self._ended or not ok
                self._frame = (index, round(now - started, 6), pixels) if ok else self._frame
                self._changed.notify()
            index += 1


def _open_capture(number: int) -> Any:
    """Open a camera with whatever the system has."""
    with silence():
        return load_opencv().VideoCapture(number)
