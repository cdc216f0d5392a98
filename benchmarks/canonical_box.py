"""Measures how another detector's box lies to MTCNN's, on the same faces: what its CANONICAL mapping is taken from.

    python benchmarks/canonical_box.py FOLDER [--fer2013 fer2013.csv] [--detector dlib]

With --fer2013 it also measures how FER2013's images frame their faces.

Every image is drawn at several sizes chosen at random (seeded), for a detector that knows few sizes of box would
otherwise answer for the sizes of these images. Prints medians in units of the other detector's raw box.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from annotated import fer2013_faces
from detect import eyes_in
from numpy.typing import NDArray

from emonet.errors import ImageError
from facecrop import Face, iter_images, open_detector
from facecrop.images import Image

SAME_FACE = 0.35  # least overlap
FER2013_ROWS = 1500
BORDER = 12  # pixels round a FER2013 image, which cuts off chins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fer2013", type=Path, help="fer2013.csv: some of its Training faces are measured as well")
    parser.add_argument("--detector", default="dlib")
    arguments = parser.parse_args()
    photos = [image for _, image in iter_images(arguments.folder) if not isinstance(image, ImageError)]
    report("photos", drawn_at_random(photos, (1.0, 3.0), 8), arguments.detector)
    if arguments.fer2013:
        drawn = list(drawn_at_random(bordered_faces(arguments.fer2013), (2.0, 4.0), 1))
        report("FER2013", iter(drawn), arguments.detector)
        report_framing(drawn)


def drawn_at_random(images: list[Image], scales: tuple[float, float], times: int) -> Iterator[Image]:
    rng = np.random.default_rng(0)
    for image in images:
        for scale in rng.uniform(*scales, times):
            if image.shape[0] * image.shape[1] * scale**2 < 4_000_000:
                drawn = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
                yield np.asarray(drawn, dtype=np.uint8)


def bordered_faces(path: Path) -> list[Image]:
    faces = list(fer2013_faces(path))
    edges = (BORDER, BORDER, BORDER, BORDER)
    chosen = faces[:: max(1, len(faces) // FER2013_ROWS)]
    return [np.asarray(cv2.copyMakeBorder(face, *edges, cv2.BORDER_REPLICATE), dtype=np.uint8) for face in chosen]


def report(title: str, images: Iterator[Image], name: str) -> None:
    mtcnn, other = open_detector("mtcnn"), open_detector(name)
    rows = [measures(*pair) for image in images for pair in pairs(mtcnn.detect([image])[0], other.detect([image])[0])]
    print(f"{title}: {len(rows)} faces that mtcnn and {name} both found")
    for column, label in zip(np.array(rows).T, LABELS, strict=True):
        low, median, high = np.percentile(column, [25, 50, 75])
        print(f"  {label:42} {median:6.3f}   quartiles {low:6.3f} {high:6.3f}")


def report_framing(images: list[Image]) -> None:
    """How FER2013's images lie about MTCNN's boxes: what CropSpec.fer2013() is taken from."""
    rows = []
    for image, faces in zip(images, open_detector("mtcnn").detect(images), strict=True):
        frame = image.shape[0] * 48 / (48 + 2 * BORDER)  # side of the published image as it was drawn
        edge = (image.shape[0] - frame) / 2
        if faces:
            rows.append([frame / faces[0].width, *((place - edge) / frame for place in faces[0].centre)])
    side, x, y = np.median(rows, axis=0)
    print(f"FER2013's image: {side:.2f} box widths a side, the box's centre at {x:.3f}, {y:.3f} ({len(rows)} faces)")


def pairs(mtcnn_faces: list[Face], other_faces: list[Face]) -> Iterator[tuple[Face, Face]]:
    for face in other_faces:
        best = max(mtcnn_faces, key=face.overlap, default=None)
        if best is not None and face.overlap(best) >= SAME_FACE:
            yield best, face


LABELS = (
    "scale_x: MTCNN width / raw width",
    "scale_y: MTCNN height / raw height",
    "shift_x: centre to the right, raw widths",
    "shift_y: centre down, raw heights",
    "eye distance / width of MTCNN's box",
    "eye distance / width of the mapped box",
    "eye line / height of MTCNN's box",
    "eye line / height of the mapped box",
)


def measures(mtcnn: Face, other: Face) -> NDArray[np.float64]:
    assert other.raw_box is not None
    raw = np.array(other.raw_box)
    size = raw[2:] - raw[:2]
    shift = (np.array(mtcnn.centre) - (raw[:2] + raw[2:]) / 2) / size
    (eyes, line), (other_eyes, other_line) = (eyes_in(face, mtcnn) for face in (mtcnn, other))
    return np.array([mtcnn.width / size[0], mtcnn.height / size[1], *shift, eyes, other_eyes, line, other_line])


if __name__ == "__main__":
    main()
