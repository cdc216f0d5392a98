"""Face detectors behind one protocol. Each module imports its back end when its detector is opened."""

from __future__ import annotations

import dataclasses
import logging
from functools import cache
from typing import Any

from facecrop.detectors.dlib_hog import DlibDetector
from facecrop.detectors.mtcnn import MtcnnDetector
from facecrop.detectors.protocol import Detector
from facecrop.detectors.whole import WholeDetector
from facecrop.detectors.yunet import YunetDetector
from facecrop.devices import KINDS, allowed_devices, resolve_device
from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Source, read_image

DETECTORS: dict[str, type[Detector]] = {
    "yunet": YunetDetector,
    "mtcnn": MtcnnDetector,
    "dlib": DlibDetector,
    "whole": WholeDetector,
}

DEFAULT = "yunet"  # for photos: docs/explanation/detectors.md says why

logger = logging.getLogger(__name__)


def detector_class(name: str) -> type[Detector]:
    """Find the class of a detector by its name; an unknown name is an OptionError with the known ones."""
    if name not in DETECTORS:
        raise OptionError(f"unknown detector {name!r}; known detectors: {', '.join(DETECTORS)}")
    return DETECTORS[name]


def detector_device(name: str, device: str = "auto") -> str:
    """Return the device that a detector would run on, without opening it.

    Raises:
        OptionError: The detector or the device is unknown, the detector does not run there, or there is no such device.
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
    """Open a face detector.

    Args:
        name: `yunet`, `mtcnn`, `dlib`, or `whole`, for images that are crops of faces already.
        device: `auto`, `cpu`, `cuda` or `cuda:N`. All but `mtcnn` run on the CPU alone.
        options: Options of the detector, such as `min_face=40` for `yunet`; see YunetOptions, MtcnnOptions and
            DlibOptions.

    Returns:
        The detector; its `device` tells where it runs.

    Raises:
        OptionError: The detector, an option or the device is unknown.
        MissingPackageError: The package of the detector is not installed.

    Examples:
        >>> import numpy as np
        >>> from facecrop import open_detector
        >>> detector = open_detector("yunet", min_face=40)
        >>> detector.detect([np.zeros((60, 90, 3), np.uint8)])  # a black image has no face
        [[]]
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


def find_faces(image: Source, detector: str = DEFAULT) -> list[Face]:
    """Find the faces in one image.

    The detector is opened at the first call and kept. To choose its options or device, or to search many images at
    once, use `open_detector`.

    Args:
        image: A path, the bytes of a file, a Pillow image or an array.
        detector: `yunet`, `mtcnn`, `dlib` or `whole`.

    Returns:
        The faces, best score first; an empty list without a face.

    Raises:
        ImageError: The image cannot be read.
        MissingFileError: There is no such file.
        OptionError: The detector is unknown.

    Examples:
        >>> import numpy as np
        >>> from facecrop import find_faces
        >>> find_faces(np.zeros((60, 90, 3), np.uint8))  # a black image has no face
        []
    """
    (faces,) = _open_once(detector).detect([read_image(image)])
    return faces


@cache
def _open_once(name: str) -> Detector:
    return open_detector(name)


@cache
def _report(name: str, device: str) -> None:
    """Log where faces are looked for, once and not for every detector that is opened."""
    logger.info("detector %s runs on %s", name, device)
