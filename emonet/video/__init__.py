"""Predict the expressions of the faces in films and before cameras, frame by frame, and write what was found.

`reading.py` opens films, cameras and iterators; `tracking.py` and `flow.py` find faces on some frames and follow them
on the others; `analysis.py` joins them with the predictor. `run.py` keeps a journal, and writes the tables, the page
and the annotated film from it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

_PLACES = {
    "Film": "reading",
    "Frame": "reading",
    "FrameResult": "frames",
    "Segment": "segments",
    "TrackedPrediction": "frames",
    "VideoAnalysis": "analysis",
    "VideoOptions": "options",
    "VideoRun": "run",
    "VideoSummary": "run",
    "open_video": "reading",
    "predict_video": "predict",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line reads the options alone."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"emonet.video.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
