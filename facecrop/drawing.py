"""Draw faces into a copy of their image, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable

from facecrop.face import Face
from facecrop.images import Image

FOUND = (40, 200, 80)
REJECTED = (220, 60, 50)


def draw_faces(image: Image, faces: Iterable[Face], rejected: Iterable[Face] = ()) -> Image:
    """Draw the box, score and landmarks of each face into a copy of the image.

    Args:
        image: RGB uint8.
        faces: Drawn in green.
        rejected: Drawn in red, below the others.

    Returns:
        The copy.
    """
    drawn = image.copy()
    for colour, group in ((REJECTED, rejected), (FOUND, faces)):
        for face in group:
            _draw_face(drawn, face, colour)
    return drawn


def _draw_face(image: Image, face: Face, colour: tuple[int, int, int]) -> None:
    import cv2

    thickness = max(1, round(max(image.shape[:2]) / 500))
    x1, y1, x2, y2 = (round(value) for value in face.box)
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness)
    for x, y in face.landmarks or ():
        cv2.circle(image, (round(x), round(y)), 2 * thickness, colour, -1)
    label = f"{face.score:.2f}"
    scale = max(0.35, face.width / 160)
    cv2.putText(image, label, (x1, max(12, y1 - 3 * thickness)), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness)
