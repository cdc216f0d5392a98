"""Predict the expressions of the faces in films and before cameras, frame by frame, and write what was found.

`reading.py` opens films, cameras and iterators; `tracking.py` and `flow.py` find faces on some frames and follow them
on the others; `analysis.py` joins them with the predictor. `run.py` keeps a journal, and writes the tables, the page
and the annotated film from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.video.analysis import VideoAnalysis
    from emonet.video.frames import FrameResult, TrackedPrediction
    from emonet.video.options import VideoOptions
    from emonet.video.predict import predict_video
    from emonet.video.reading import Film, Frame, open_video
    from emonet.video.run import VideoRun, VideoSummary
    from emonet.video.segments import Segment

__all__ = [
    "Film",
    "Frame",
    "FrameResult",
    "Segment",
    "TrackedPrediction",
    "VideoAnalysis",
    "VideoOptions",
    "VideoRun",
    "VideoSummary",
    "open_video",
    "predict_video",
]

__getattr__, __dir__ = import_when_used(
    __name__,
    {
        "analysis": ("VideoAnalysis",),
        "frames": ("FrameResult", "TrackedPrediction"),
        "options": ("VideoOptions",),
        "predict": ("predict_video",),
        "reading": ("Film", "Frame", "open_video"),
        "run": ("VideoRun", "VideoSummary"),
        "segments": ("Segment",),
    },
)
