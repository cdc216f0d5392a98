"""A run over a film or before a camera: it keeps a journal, and writes the tables, the page and the annotated film.

OUT/journal.sqlite       the results so far
OUT/timeline.parquet     a row for each face on each frame; the same as timeline.csv
OUT/segments.csv         a row for each stretch of one expression
OUT/timeline.html        the page to look at
OUT/annotated.webm       the annotated film, if asked for
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emonet.atomic import SUFFIX, write_atomically
from emonet.database import JOURNAL
from emonet.errors import OptionError, VideoError
from emonet.folders import check_own
from emonet.video.analysis import VideoAnalysis
from emonet.video.annotated import NAME as ANNOTATED
from emonet.video.annotated import FilmWriter, annotate_film, draw_frame, open_annotated
from emonet.video.frames import FrameResult
from emonet.video.journal import Thumbnail, VideoJournal
from emonet.video.options import VideoOptions
from emonet.video.reading import FilmFile, open_video
from emonet.video.segments import Segment
from emonet.video.tables import SEGMENTS, format_segments, write_tables
from emonet.video.timeline import write_timeline
from facecrop.images import Image, encode_jpeg, limit_size
from facecrop.packages import check_installed
from facecrop.text import printable

if TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor

OF_PHOTOS = ("doubts", "turns")  # parts of the predictor that films do not have: all their faces are answered
ENDED = ("ended", "fault")  # of the state: that the film was read to its end, and why it ended too early
THUMBNAIL = 160  # pixels: the longer side
FIRST_STEP = 0.25  # seconds between thumbnails, until there are too many
LIVE_RATE = 15.0  # frames a second of the annotated film of a camera

Watch = Callable[[FrameResult], None]


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """What a run has written.

    Attributes:
        page: `timeline.html`.
        frames: The frames that were looked at, in all runs.
        known: Those that earlier runs had done.
        length_s: The time of the last frame.
        segments: The stretches of one expression, of all tracks.
        fault: Why the film ended too early; None if it did not.
        stopped: Whether Ctrl-C ended the run.
    """

    page: Path
    frames: int
    known: int
    length_s: float
    segments: list[Segment]
    fault: VideoError | None
    stopped: bool


class VideoRun:
    """Looks at a film or before a camera, and writes what was found into a folder.

    Args:
        source: The path of a film, or the number of a camera.
        folder: Where to write.
        predictor: What finds and names faces.
        options: Which frames are looked at, and how faces are followed.
        annotate: Also write the annotated film.
        link: Whether the page shows the film from where it lies.

    Raises:
        VideoError: The film or the camera cannot be opened.
        MissingFileError: There is no such file.
        OptionError: The folder is the film, or holds other things.
        MissingPackageError: SciPy or pyarrow is not installed.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | int,
        folder: Path,
        predictor: EmotionPredictor,
        options: VideoOptions | None = None,
        *,
        annotate: bool = False,
        link: bool = True,
    ) -> None:
        check_own(folder, "results of a film", [JOURNAL])
        check_installed("a run over a film", "emonet[video]", ("scipy", "pyarrow"))
        self.film = open_video(source)
        self.path = self.film.path.resolve() if isinstance(self.film, FilmFile) else None
        self.folder, self.predictor, self.annotate, self.link = folder, predictor, annotate, link
        self.options = options or VideoOptions()

    def run(self, watch: Watch) -> VideoSummary:
        """Look at all frames that are left, and write the results.

        A run that was stopped or killed goes on after the last frames that it stored, and so does one whose film could
        not be read to its end. Ctrl-C ends a run, too: what there is then is written.

        Args:
            watch: Told of each new frame, in order.

        Raises:
            VideoError: Nothing could be read.
            KeyboardInterrupt: Ctrl-C came before the first frame was looked at.
            OptionError: Another run is writing into the folder now, or it holds another recording of a camera.
        """
        live = self.film.live
        with VideoJournal(self.folder / JOURNAL, self._identity(), keep=live) as journal:
            for part in self.folder.glob(f"*{SUFFIX}*"):  # left by a run that was killed while it wrote
                part.unlink()
            known = journal.frames
            if live and known:
                self._write(journal)
                raise OptionError(f"{self.folder} holds a recording already: choose another folder for a new one")
            stopped = False
            if "ended" not in journal.state or journal.state.get("fault"):  # the disk may have been away
                stopped = self._look(journal, watch)
            if stopped and not journal.frames:
                raise KeyboardInterrupt
            if not journal.frames:
                raise self._fault(journal) or VideoError(self.path, "no frame was looked at")
            page, segments = self._write(journal)
            return VideoSummary(page, journal.frames, known, journal.length_s, segments, self._fault(journal), stopped)

    def _look(self, journal: VideoJournal, watch: Watch) -> bool:
        """Look at the frames that are left; return whether Ctrl-C has ended it."""
        analysis = VideoAnalysis(self.predictor, self.options)
        state = {name: value for name, value in journal.state.items() if name not in ENDED}
        if "analysis" in state:
            analysis.resume(state["analysis"])
        frames = self.film.read(self.options, after=state.get("last", -1))
        with ExitStack() as stack:
            writer = stack.enter_context(open_annotated(self.folder, LIVE_RATE)) if self._draws_live else None
            try:
                for images, results in analysis.analyse_images(frames, live=self.film.live):
                    state = self._store(journal, images, results, state | {"analysis": analysis.state})
                    if writer is not None:
                        _draw_all(writer, images, results)
                    for result in results:
                        watch(result)
            except KeyboardInterrupt:  # caught here, so that the annotated film is finished
                return True
        fault = self.film.fault
        journal.add([], [], state | {"ended": True, "fault": fault and fault.reason})
        return False

    @property
    def _draws_live(self) -> bool:
        return self.annotate and self.film.live

    def _store(
        self, journal: VideoJournal, images: list[Image], results: list[FrameResult], state: dict[str, Any]
    ) -> dict[str, Any]:
        """Store results, and thumbnails of those whose time has come; return the state after them."""
        thumbnails, due, step = [], state.get("due", 0.0), state.get("step", FIRST_STEP)
        for image, result in zip(images, results, strict=True):
            if result.time_s >= due:
                thumbnails.append(Thumbnail(result.time_s, encode_jpeg(limit_size(image, THUMBNAIL))))
                due = result.time_s + step
        after = state | {"last": results[-1].index, "due": due, "step": step}
        (self.folder / ANNOTATED).unlink(missing_ok=True)  # of an earlier run: it does not show these frames
        journal.add(results, thumbnails, after)
        return after | {"step": 2 * step} if journal.thin_thumbnails() else after

    def _write(self, journal: VideoJournal) -> tuple[Path, list[Segment]]:
        classes, answered_by = self.predictor.classes, self.predictor.answered_by
        rate = (journal.frames - 1) / journal.length_s if journal.frames > 1 and journal.length_s else 1.0
        write_tables(journal.read(), self.folder, classes, {"film": printable(self.film.name), **answered_by})
        if self.annotate and self.path is not None:
            annotate_film(self.film.read(self.options), journal.read(), self.folder, rate)
        fault = self._fault(journal)
        page, segments = write_timeline(
            journal.read(),
            self.folder,
            title=self.film.name,
            classes=classes,
            length_s=journal.length_s,
            frames=journal.frames,
            gap_s=max(self.options.gap_s, 1.5 / rate),  # a track goes on from one frame to the next in any case
            thumbnails=journal.thumbnails(),
            film=self._address(),
            fault="" if fault is None else fault.reason,
            footer="Answered by the head {head} (prior: {prior}).".format(**answered_by),
        )
        with write_atomically(self.folder / SEGMENTS) as temporary:
            temporary.write_text(format_segments(segments), encoding="utf-8")
        return page, segments

    def _fault(self, journal: VideoJournal) -> VideoError | None:
        reason = journal.state.get("fault")
        return VideoError(self.path and Path(self.path.name), reason) if reason else None

    def _address(self) -> str:
        """Return where the page finds the film: the annotated one, else the original by a relative link."""
        if (self.folder / ANNOTATED).is_file():
            return ANNOTATED
        if self.path is None or not self.link:
            return ""
        try:
            relative = os.path.relpath(self.path, self.folder.resolve())
        except ValueError:  # on another drive
            return ""
        return quote(os.fsencode(Path(relative).as_posix()))

    def _identity(self) -> dict[str, Any]:
        film: Any = self.film.name
        if self.path is not None:
            status = self.path.stat()
            film = {"name": os.fsencode(self.path.name).hex(), "stamp": [status.st_size, status.st_mtime_ns]}
        predictor = {name: part for name, part in self.predictor.identity.items() if name not in OF_PHOTOS}
        return {"film": film, "predictor": predictor, "options": asdict(self.options)}


def _draw_all(writer: FilmWriter, images: list[Image], results: list[FrameResult]) -> None:
    for image, result in zip(images, results, strict=True):
        writer.add(draw_frame(image, result), result.time_s)
