"""What the benchmarks on detection run on: photos with the boxes people drew, montages of them, FER2013's faces."""

from __future__ import annotations

import csv
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emonet.errors import ImageError
from facecrop import Face, iter_images
from facecrop.face import Box
from facecrop.images import Image

SAME_FACE = 0.4  # least overlap with a drawn box, unless the centre lies inside it
TILE_WH = (500, 375)
MONTAGES = ((4, 4), (6, 5), (8, 8))  # columns and rows of tiles: 3, 5.6 and 12 megapixels


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo and the boxes drawn into it; None where nobody drew any."""

    image: Image
    boxes: tuple[Box, ...] | None

    @property
    def megapixels(self) -> float:
        height, width = self.image.shape[:2]
        return float(height * width) / 1e6


def read_photos(folder: Path) -> list[AnnotatedPhoto]:
    """The folder's photos, with boxes from its XML files in dlib's format."""
    drawn = dict(item for file in sorted(folder.glob("*.xml")) for item in _read_boxes(file))
    return [
        AnnotatedPhoto(image, drawn.get(path.name))
        for path, image in iter_images(folder)
        if not isinstance(image, ImageError)
    ]


def _read_boxes(file: Path) -> Iterator[tuple[str, tuple[Box, ...]]]:
    for image in ET.parse(file).iter("image"):
        sides = [[float(box.get(side, "")) for side in ("left", "top", "width", "height")] for box in image.iter("box")]
        yield image.get("file", ""), tuple((x, y, x + width, y + height) for x, y, width, height in sides)


def montage(photos: Sequence[AnnotatedPhoto], columns: int, rows: int) -> AnnotatedPhoto:
    """Photos side by side as tiles of one size, drawn at random (seeded), with their boxes."""
    tiles = [photo for photo in photos if photo.boxes is not None] or list(photos)
    rng = np.random.default_rng(0)
    canvas = np.zeros((rows * TILE_WH[1], columns * TILE_WH[0], 3), np.uint8)
    boxes: list[Box] = []
    for index in range(columns * rows):
        tile = tiles[rng.integers(len(tiles))]
        x, y = index % columns * TILE_WH[0], index // columns * TILE_WH[1]
        canvas[y : y + TILE_WH[1], x : x + TILE_WH[0]] = cv2.resize(tile.image, TILE_WH, interpolation=cv2.INTER_AREA)
        scale_x, scale_y = TILE_WH[0] / tile.image.shape[1], TILE_WH[1] / tile.image.shape[0]
        for x1, y1, x2, y2 in tile.boxes or ():
            boxes.append((x + x1 * scale_x, y + y1 * scale_y, x + x2 * scale_x, y + y2 * scale_y))
    return AnnotatedPhoto(canvas, tuple(boxes) if tiles[0].boxes is not None else None)


def fer2013_faces(path: Path) -> Iterator[Image]:
    """The Training rows of fer2013.csv, as grey photos in three channels."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["Usage"] == "Training":
                yield np.repeat(np.array(row["pixels"].split(), np.uint8).reshape(48, 48, 1), 3, axis=2)


def count_found(boxes: Sequence[Box], faces: Sequence[Face]) -> tuple[int, int]:
    """How many drawn boxes have a face of their own, and how many faces are left over."""
    free = list(faces)
    found = 0
    for box in boxes:
        matching = [face for face in free if _inside(face.centre, box) or face.overlap(box) >= SAME_FACE]
        if matching:
            free.remove(max(matching, key=lambda face: face.overlap(box)))
            found += 1
    return found, len(free)


def recall(photos: Sequence[AnnotatedPhoto], found: Sequence[Sequence[Face]]) -> str:
    """How many of the faces that people marked were found, in words; nothing where nobody marked any."""
    marked = [(one.boxes, faces) for one, faces in zip(photos, found, strict=True) if one.boxes is not None]
    if not marked:
        return ""
    hits, extra = (sum(column) for column in zip(*itertools.starmap(count_found, marked), strict=True))
    return f"found {hits} of {sum(len(boxes) for boxes, _ in marked)}, {extra} extra"


def _inside(point: tuple[float, float], box: Box) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
