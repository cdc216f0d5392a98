"""What the constants of the detector `yunet` are taken from: its threshold, and the smallest faces it finds.

    python benchmarks/yunet.py FOLDER [--fer2013 fer2013.csv]

FOLDER holds photos, and XML files in dlib's format with the faces people marked in them. Images without faces are those
of scikit-image. The second table draws the photos so that their faces have the heights on the left, and has the network
look at them as they are; the third does so with FER2013's faces, which are blurred, on a grey ground.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from annotated import MONTAGES, AnnotatedPhoto, count_found, fer2013_faces, montage, read_photos
from numpy.typing import NDArray

from facecrop import Face, open_detector
from facecrop.detectors.yunet.detector import YunetOptions
from facecrop.detectors.yunet.network import Network
from facecrop.detectors.yunet.pieces import Piece
from facecrop.images import Image, read_image

THRESHOLDS = (0.5, 0.6, 0.7, 0.8)
FACELESS = (
    *("brick", "cell", "checkerboard", "chelsea", "clock", "coffee", "coins", "colorwheel", "grass", "gravel"),
    *("horse", "hubble_deep_field", "immunohistochemistry", "logo", "moon", "page", "retina", "rocket", "text"),
)
HEIGHTS = (10, 12, 14, 16, 18, 20, 24, 32, 48, 64, 96, 150, 220, 300)
CANONICAL_HEIGHT = 1.15  # of a face, in widths of the box that people drew: medians of `canonical_box.py`
BLURRED = 200  # faces of FER2013


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fer2013", type=Path, help="fer2013.csv: blurred faces are looked for as well")
    arguments = parser.parse_args()
    photos = [photo for photo in read_photos(arguments.folder) if photo.boxes]
    study_thresholds(photos)
    study_heights("faces of the photos", reduced(photos))
    if arguments.fer2013:
        faces = list(itertools.islice(fer2013_faces(arguments.fer2013), BLURRED))
        study_heights("faces of FER2013", enlarged(faces))


def study_thresholds(photos: list[AnnotatedPhoto]) -> None:
    """Prints faces found and mistakes by threshold, mtcnn's own below."""
    groups = {"photos": photos, "montages": [montage(photos, *shape) for shape in MONTAGES]}
    groups["without faces"] = [AnnotatedPhoto(image, ()) for image in faceless()]
    contenders = {f"yunet {threshold}": open_detector("yunet", threshold=threshold) for threshold in THRESHOLDS}
    contenders["mtcnn"] = open_detector("mtcnn")
    for title, group in groups.items():
        images = [photo.image for photo in group]
        print(f"{title}: {len(group)} images, {sum(len(photo.boxes or ()) for photo in group)} marked faces")
        for name, detector in contenders.items():
            print(f"  {name:10} {counts(group, detector.detect(images))}", flush=True)


def counts(group: list[AnnotatedPhoto], found: list[list[Face]]) -> str:
    pairs = [count_found(one.boxes or (), faces) for one, faces in zip(group, found, strict=True)]
    hits, extra = (sum(column) for column in zip(*pairs, strict=True))
    return f"found {hits}, {extra} extra"


def faceless() -> Iterator[Image]:
    from skimage import data

    for name in FACELESS:
        image = getattr(data, name)()
        yield read_image(image.astype(np.uint8) * 255 if image.dtype == bool else image)


def reduced(photos: list[AnnotatedPhoto]) -> Iterator[tuple[float, Image, NDArray[np.float64]]]:
    """Each marked face at every height below its own, with something of what is around it."""
    for photo, height in itertools.product(photos, HEIGHTS):
        for box in photo.boxes or ():
            scale = height / ((box[2] - box[0]) * CANONICAL_HEIGHT)
            if scale <= 2:
                size_wh = tuple(max(1, round(side * scale)) for side in photo.image.shape[1::-1])
                how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
                yield height, np.asarray(cv2.resize(photo.image, size_wh, interpolation=how)), np.array(box) * scale


def enlarged(faces: list[Image]) -> Iterator[tuple[float, Image, NDArray[np.float64]]]:
    """FER2013's faces in the middle of grey images; a face is nearly as high as its image."""
    for face, height in itertools.product(faces, HEIGHTS):
        side = max(320, 2 * height)
        canvas = np.full((side, side, 3), 110, np.uint8)
        start = (side - height) // 2
        how = cv2.INTER_AREA if height < 48 else cv2.INTER_CUBIC
        canvas[start : start + height, start : start + height] = cv2.resize(face, (height, height), interpolation=how)
        yield height, canvas, np.array([start, start, start + height, start + height])


def study_heights(title: str, drawn: Iterator[tuple[float, Image, NDArray[np.float64]]]) -> None:
    """Prints the share of faces found by their height in pixels of what the network sees."""
    yunet, mtcnn = Network(YunetOptions().threshold), open_detector("mtcnn", min_face=12, min_share=0)
    rows = []
    for height, image, box in drawn:
        found = [Face((x, y, x + w, y + h), 1) for x, y, w, h in yunet.search(image, whole(image))[:, :4].tolist()]
        rows.append(
            [height, *(any(face.overlap(box.tolist()) > 0.35 for face in f) for f in (found, *mtcnn.detect([image])))]
        )
    table = np.array(rows, float)
    print(f"{title}: share found by height")
    for height in HEIGHTS:
        part = table[table[:, 0] == height]
        if len(part):
            print(
                f"  {height:>4} pixels ({len(part):>3}): yunet {part[:, 1].mean():6.1%}, mtcnn {part[:, 2].mean():6.1%}"
            )


def whole(image: Image) -> Piece:
    """All of an image as the one piece, at its own scale."""
    height, width = image.shape[:2]
    everywhere = (-math.inf, -math.inf, math.inf, math.inf)
    return Piece(0, (0, width), (0, height), (width, height), everywhere, math.inf)


if __name__ == "__main__":
    main()
