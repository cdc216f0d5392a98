"""The rows in which OpenCV gives the faces of YuNet: which of them are kept, and the faces they become."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecrop.detectors.protocol import BoxMapping, round_coordinate
from facecrop.detectors.yunet.pieces import Piece
from facecrop.face import Face, check_landmarks

Rows = NDArray[np.float32]  # (n, 15): x, y, width, height, five landmarks x, y, score
COLUMNS = 15
SCORE = 14

SAME_FACE = 0.3  # overlap (IoU) from which two boxes are one face

# Between the medians of twelve photos (0.97, 0.98, -0.02, 0) and of FER2013's faces (1.02, 1.02, 0, 0), from
#     python benchmarks/canonical_box.py PHOTOS --fer2013 fer2013.csv --detector yunet
CANONICAL = BoxMapping(scale_x=0.98, scale_y=0.99, shift_x=-0.01)


def join(parts: list[Rows]) -> Rows:
    """Join rows; of none, the result has none."""
    return np.concatenate(parts) if parts else np.empty((0, COLUMNS), np.float32)


def place(found: Rows, piece: Piece) -> Rows:
    """Move faces from a drawn piece into its image, and keep those that belong to the piece.

    Others lie with their centres in the core of another piece, or are too large for a tile.
    """
    rows = found.copy()
    (left, right), (top, bottom) = piece.columns, piece.rows
    rows[:, :SCORE] *= np.tile(np.array([(right - left) / piece.size_wh[0], (bottom - top) / piece.size_wh[1]]), 7)
    rows[:, [0, 4, 6, 8, 10, 12]] += left
    rows[:, [1, 5, 7, 9, 11, 13]] += top
    x, y = (rows[:, 0:2] + rows[:, 2:4] / 2).T
    x1, y1, x2, y2 = piece.core
    own: Rows = rows[(x1 <= x) & (x < x2) & (y1 <= y) & (y < y2) & (height(rows) <= piece.largest)]
    return own


def height(rows: Rows) -> NDArray[np.float32]:
    """Return the longer sides of the boxes, which are the heights of upright faces."""
    longer: NDArray[np.float32] = rows[:, 2:4].max(axis=1)
    return longer


def drop_doubles(rows: Rows) -> Rows:
    """Keep the best of the boxes that are one face, which several pieces found."""
    import cv2

    boxes, scores = rows[:, :4].astype(float).tolist(), rows[:, SCORE].astype(float).tolist()
    keep = cv2.dnn.NMSBoxes(boxes, scores, 0.0, SAME_FACE) if boxes else []
    best: Rows = rows[np.asarray(keep, np.intp)]
    return best


def make_face(row: Rows, detector: str) -> Face:
    """Make a face of a row, with the canonical box."""
    x, y, width, height = map(float, row[:4])
    raw = (x, y, x + width, y + height)
    x1, y1, x2, y2 = (round_coordinate(value) for value in CANONICAL(raw))
    points = check_landmarks([[round_coordinate(value) for value in point] for point in row[4:SCORE].reshape(5, 2)])
    return Face((x1, y1, x2, y2), round(float(row[SCORE]), 4), points, detector, raw)
