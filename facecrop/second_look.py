"""Look a second time: at boxes that may be no faces, and at photos that may lie on their side.

A detector that is shown a face again, cut out and enlarged, finds it again. What only looked like a face at its size is
often not found again. A photo that was stored without its orientation shows no face to a detector until it is turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from facecrop.cropping import CropSpec, crop_face
from facecrop.detectors.protocol import Detector
from facecrop.face import TURNS, Face
from facecrop.images import Image, limit_size

LOOK = CropSpec(size=224, margin=0.75)  # the face is 90 pixels wide there, whatever its size in the photo
OVERLAP = 0.3  # least intersection over union of the box and what is found in its crop
TURN_SIDE = 512  # pixels of the longer side of an image whose turn is looked for
BATCH = 64  # crops, so that memory stays flat


def look_again(faces: Iterable[tuple[Image, Face]], detector: Detector) -> list[float]:
    """Look for faces again, each in its own enlarged crop.

    Args:
        faces: Faces, each with the image that it was found in.
        detector: What found them.

    Returns:
        For each face the score that the detector gives to it in its crop; minus infinity if it does not find it.

    Examples:
        >>> import numpy as np
        >>> from facecrop import Face, open_detector
        >>> from facecrop.second_look import look_again
        >>> grey = np.full((90, 90, 3), 128, np.uint8)
        >>> look_again([(grey, Face((20, 20, 60, 70), score=0.8))], open_detector("yunet"))
        [-inf]
    """
    given = list(faces)
    scores: list[float] = []
    for start in range(0, len(given), BATCH):
        batch = given[start : start + BATCH]
        found = detector.detect([crop_face(image, face, LOOK) for image, face in batch])
        scores += [_score_match(face, seen) for (_, face), seen in zip(batch, found, strict=True)]
    return scores


def look_turned(image: Image, detector: Detector) -> list[Face]:
    """Look for faces in an image that is turned by one, two and three quarters.

    A large image is reduced to find the turn, so that photos without faces do not take four times as long.

    Args:
        image: An image in which no face was found.
        detector: What looked.

    Returns:
        The faces of the turn in which the detector is surest, best score first. They lie in the image as it is given,
        and their `turn` says how far.
    """
    small = limit_size(image, TURN_SIDE)
    tried = detector.detect([_turn_back(small, degrees) for degrees in TURNS[1:]])
    best = max(range(len(tried)), key=lambda place: _best_score(tried[place]))
    if not tried[best]:
        return []
    degrees = TURNS[1:][best]
    upright = _turn_back(image, degrees)
    found = tried[best] if small is image else detector.detect([upright])[0]
    return [face.turned(degrees, upright.shape[1], upright.shape[0]) for face in found]


def _turn_back(image: Image, degrees: int) -> Image:
    return np.ascontiguousarray(np.rot90(image, degrees // 90))  # counter-clockwise


def _score_match(face: Face, seen: Sequence[Face]) -> float:
    """Return the best score of what lies where the face is in its crop."""
    width, height = (face.width, face.height) if face.turn in (0, 180) else (face.height, face.width)
    scale = LOOK.size / (width * (1 + 2 * LOOK.margin))
    across, down = (side * scale / 2 for side in (width, height))
    middle = LOOK.size / 2
    box = (middle - across, middle - down, middle + across, middle + down)
    return max((one.score for one in seen if one.overlap(box) >= OVERLAP), default=-np.inf)


def _best_score(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=-np.inf)
