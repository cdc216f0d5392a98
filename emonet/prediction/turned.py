"""Photos that lie on their side because they were stored without their orientation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from emonet.errors import ImageError
from facecrop import Detector, Face
from facecrop.scanning import Name, ScannedPhoto
from facecrop.second_look import look_turned

# The score from which on a face says which way up its photo is, by detector: the faces of photos on their side get less
# where they lie and more once they are turned, by `python benchmarks/unsure.py`. Other detectors find none there.
SURE: Mapping[str, float] = MappingProxyType({"mtcnn": 0.99, "yunet": 0.9})

UPRIGHT = 60  # degrees: faces that lie more than this on their side are found, but not read, by some detectors


def look_if_turned(photo: ScannedPhoto[Name], detector: Detector) -> ScannedPhoto[Name]:
    """Look at a photo without a sure upright face turned by quarters, and take the faces if one is sure there.

    Args:
        photo: A photo and what the detector found in it.
        detector: What looked.
    """
    least = SURE.get(detector.name, -math.inf)
    if isinstance(photo.image, ImageError) or any(_is_upright(face) and face.score >= least for face in photo.faces):
        return photo
    faces = look_turned(photo.image, detector)
    best = _best_score(faces)
    return replace(photo, faces=tuple(faces)) if best >= least and best > _best_score(photo.faces) else photo


def _is_upright(face: Face) -> bool:
    return abs(face.roll or 0.0) <= UPRIGHT


def _best_score(faces: Iterable[Face]) -> float:
    return max((face.score for face in faces), default=-math.inf)
