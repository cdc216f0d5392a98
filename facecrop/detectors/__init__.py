"""Face detectors behind one protocol. Each module imports its back end when a detector of it is opened."""

from __future__ import annotations

import dataclasses
import logging
from functools import cache
from typing import Any

from facecrop.detectors.dlib_hog import DlibDetector
from facecrop.detectors.mtcnn import MtcnnDetector
from facecrop.detectors.protocol import Detector
from facecrop.detectors.whole import WholeDetector

DETECTORS: dict[str, type[Detector]] = {
    "mtcnn": MtcnnDetector,
    "dlib": DlibDetector,
    "whole": WholeDetector,
}

logger = logging.getLogger(__name__)


def detector_class(name: str) -> type[Detector]:
    """The detector registered under a name; a miss lists the known ones."""
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}; known detectors: {', '.join(DETECTORS)}")
    return DETECTORS[name]


def open_detector(name: str, device: str = "auto", **options: Any) -> Detector:
    """A detector ready for use. `device` is "auto" (CUDA where there is one), "cpu" or "cuda"; see `.device`."""
    opened = detector_class(name)
    known = [field.name for field in dataclasses.fields(opened.options_type)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"unknown options for the detector {name!r}: {', '.join(unknown)}; "
            f"known options: {', '.join(known) or 'none'}"
        )
    detector = opened(device, opened.options_type(**options))
    _report(name, detector.device)
    return detector


@cache
def _report(name: str, device: str) -> None:
    """Says once, not for every detector opened, where faces are looked for."""
    logger.info("detector %s runs on %s", name, device)
