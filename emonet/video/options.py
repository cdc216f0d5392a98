"""The options of a run over a film, beside those of the predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from emonet.options import Option, check_options

FRAMES, TRACKS = "Frames", "Tracks"  # panels of --help


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Which frames are looked at, and how faces are followed.

    Attributes:
        every: Look at every so many frames.
        rate: Look at most at so many frames a second; None looks at all that `every` leaves.
        detect_s: Seconds between two searches for faces; between them faces are followed. 0 searches each frame.
        gap_s: Seconds that a face may be out of sight and keep its track.
        classify_s: Seconds between two classifications of a face; between them its probabilities stay. 0 classifies it
            on each frame.
        smooth_s: Time constant of the exponential smoothing in seconds; 0 does not smooth.

    Raises:
        OptionError: A value is beyond its limits.

    Examples:
        >>> from emonet.video import VideoOptions
        >>> VideoOptions(rate=10).detect_s
        0.4
    """

    every: Annotated[int, Option("Look at every so many frames.", 1, panel=FRAMES)] = 1
    rate: Annotated[
        float | None, Option("Look at most at so many frames a second.", above=0, panel=FRAMES, default="all")
    ] = None
    detect_s: Annotated[
        float, Option("Seconds between two searches for faces; 0 searches each frame.", 0, 60, panel=TRACKS)
    ] = 0.4
    gap_s: Annotated[
        float, Option("Seconds that a face may be out of sight and keep its track.", 0, 60, panel=TRACKS)
    ] = 1.0
    classify_s: Annotated[
        float, Option("Seconds between two classifications of a face; 0 classifies each frame.", 0, 60, panel=TRACKS)
    ] = 0.1
    smooth_s: Annotated[
        float, Option("Seconds over which probabilities are smoothed; 0 does not smooth.", 0, 60, panel=TRACKS)
    ] = 0.3

    def __post_init__(self) -> None:
        check_options(self)
