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
from facecrop.devices import KINDS, allowed_devices, resolve_device
from facecrop.errors import OptionError

DETECTORS: dict[str, type[Detector]] = {
    "mtcnn": MtcnnDetector,
    "dlib": DlibDetector,
    "whole": WholeDetector,
}

logger = logging.getLogger(__name__)


def detector_class(name: str) -> type[Detector]:
    """The detector registered under a name; a miss lists the known ones."""
    if name not in DETECTORS:
        raise OptionError(f"unknown detector {name!r}; known detectors: {', '.join(DETECTORS)}")
    return DETECTORS[name]


def detector_device(name: str, device: str = "auto") -> str:
    """Return the device that a detector would run on, without opening it.

    Raises:
        ValueError: The detector or the device is unknown, the detector does not run there, or there is no such device.
    """
    kinds = detector_class(name).device_kinds
    kind = str(device).partition(":")[0]
    if kind in KINDS and kind not in kinds:
        raise OptionError(
            f"the detector {name!r} runs on {' and '.join(kinds)} only; device must be {allowed_devices(kinds)}, "
            f"got {device!r}"
        )
    return resolve_device(device, kinds)


def open_detector(name: str, device: str = "auto", **options: Any) -> Detector:
    """A detector ready for use. `device` is "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N"; see `.device`.

    dlib and whole run on the processor alone.
    """
    opened = detector_class(name)
    known = [field.name for field in dataclasses.fields(opened.options_type)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise OptionError(
            f"unknown options for the detector {name!r}: {', '.join(unknown)}; "
            f"known options: {', '.join(known) or 'none'}"
        )
    detector = opened(detector_device(name, device), opened.options_type(**options))
    _report(name, detector.device)
    return detector


@cache
def _report(name: str, device: str) -> None:
    """Says once, not for every detector opened, where faces are looked for."""
    logger.info("detector %s runs on %s", name, device)
