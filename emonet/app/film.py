"""Read a film that was uploaded into the page of its timeline. What is written lies in a folder that is removed."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Event

from emonet.html.render import open_templates
from emonet.prediction import EmotionPredictor
from emonet.video import FrameResult, VideoOptions, VideoRun
from emonet.video.tables import CSV, SEGMENTS
from facecrop.text import printable

DETECTOR = "yunet"  # as `emonet video` takes
PAGE = "timeline.html"

Show = Callable[[float, str], object]  # the share that is done, and words


class FilmReader:
    """Reads films, one at a time.

    Args:
        predictor: Its models read the faces.
        options: Which frames are looked at, and how faces are followed.
    """

    def __init__(self, predictor: EmotionPredictor, options: VideoOptions | None = None) -> None:
        self._given = predictor
        self._options = options or VideoOptions()

    def read(self, film: Path, show: Show, stop: Event) -> str:
        """Read a film and return markup: its timeline, and links that save it and the tables.

        Args:
            film: The film.
            show: Told how far it is.
            stop: Once it is set, the film ends there, and what was read is shown.

        Raises:
            VideoError: Nothing can be read.
        """
        with tempfile.TemporaryDirectory() as folder:
            run = VideoRun(film, Path(folder), self._predictor, self._options, link=False)
            frames = run.film.frames or 0

            def watch(result: FrameResult) -> None:
                if stop.is_set():
                    raise KeyboardInterrupt  # as a run is stopped
                words = f"frame {result.index + 1:,}" + (f" of {frames:,}" if frames else "")
                show(min(1.0, (result.index + 1) / frames) if frames else 0.5, words)

            summary = run.run(watch)
            fault = "Stopped: the rest was not read." if summary.stopped else ""
            return _render(film.name, Path(folder), fault or (summary.fault.reason if summary.fault else ""))

    @cached_property
    def _predictor(self) -> EmotionPredictor:
        return self._given.with_other(detector=DETECTOR, tta="none")


def _render(name: str, folder: Path, fault: str) -> str:
    page = (folder / PAGE).read_bytes()
    saved = {
        PAGE: ("text/html", page),
        CSV: ("text/csv", (folder / CSV).read_bytes()),
        SEGMENTS: ("text/csv", (folder / SEGMENTS).read_bytes()),
    }
    links = {file: f"data:{kind};base64,{base64.b64encode(data).decode()}" for file, (kind, data) in saved.items()}
    template = open_templates().get_template("app_film.html.j2")
    return template.render(name=printable(name), fault=fault, links=links, page=page.decode("utf-8", "replace"))
