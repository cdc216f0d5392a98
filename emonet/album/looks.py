"""What the album shows of a photo's faces, and what it compares photos of a burst by."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facecrop import CropSpec, Face, crop_face
from facecrop.images import Image, encode_jpeg, limit_size

FACE = CropSpec(size=128, margin=0.3)  # of a face in the view by faces: some of the hair and the chin belong to it
JUDGED_SIDE = 1024  # pixels of the longer side at which photos are compared: finer edges are mostly noise

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Looks:
    """The faces of a photo as small crops, and what near copies are found and compared by.

    Attributes:
        faces: A JPEG for each prediction.
        likeness: 64 bits that are similar for similar photos, see `perceptual_hash`.
        sharpness: Strength of fine edges, see `measure_sharpness`. Comparable between photos of one scene only.
    """

    faces: tuple[bytes, ...] = ()
    likeness: int = 0
    sharpness: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, safe for json.dumps."""
        faces = [b64encode(face).decode() for face in self.faces]
        return {"faces": faces, "likeness": self.likeness, "sharpness": self.sharpness}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make it from what `to_dict` returned."""
        return cls(tuple(map(b64decode, stored["faces"])), stored["likeness"], stored["sharpness"])


def look_at(image: Image, faces: Sequence[Face]) -> Looks:
    """Crop the faces of a photo, and measure what its near copies are found and compared by."""
    from emonet.datasets.curation.duplicates import perceptual_hash

    crops = tuple(encode_jpeg(crop_face(image, face, FACE)) for face in faces)
    return Looks(crops, perceptual_hash(image), measure_sharpness(image, faces))


def measure_sharpness(image: Image, faces: Sequence[Face] = ()) -> float:
    """Measure how sharp a photo is: at its faces, or on the whole if it has none.

    It is the variance of the Laplacian as a share of the variance of the brightness, which a longer exposure does not
    change.

    Args:
        image: RGB uint8, as `read_image` returns it.
        faces: Its faces.
    """
    import cv2

    small = limit_size(image, JUDGED_SIDE)
    grey: Grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    edges: Grey = np.asarray(cv2.Laplacian(grey, cv2.CV_32F), np.float32)
    scale = small.shape[1] / image.shape[1]
    parts = [part for face in faces if (part := _find_part(face, scale, grey)) is not None] or [np.s_[:, :]]
    strength, variance = (
        sum(float(values[part].var()) * grey[part].size for part in parts) for values in (edges, grey)
    )
    return strength / variance if variance > 0 else 0.0


def _find_part(face: Face, scale: float, grey: Grey) -> tuple[slice, slice] | None:
    """Find the pixels of a face in the reduced photo; None for one that lies beyond its edge."""
    x1, y1, x2, y2 = (max(0, round(value * scale)) for value in face.box)
    part = np.s_[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    return part if grey[part].size else None
