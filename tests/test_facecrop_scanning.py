from itertools import chain

import numpy as np

from facecrop import ImageError, iter_images
from facecrop.drawing import draw_faces
from facecrop.scanning import scan_batches


def test_scanned_photos_keep_their_order(mtcnn, portrait):
    broken = ImageError("broken.jpg", "cut off")
    photos = [("a", portrait), ("b", broken), ("c", np.zeros((50, 60, 3), np.uint8)), ("d", portrait)] * 20
    scanned = list(chain.from_iterable(scan_batches(photos, mtcnn)))
    assert [photo.name for photo in scanned] == [path for path, _ in photos]
    assert [len(photo.faces) for photo in scanned] == [1, 0, 0, 1] * 20
    assert scanned[1].image is broken


def test_scanning_reads_one_batch_ahead(mtcnn):
    read = []

    def photos():
        for index in range(1000):
            read.append(index)
            yield index, np.zeros((20, 20, 3), np.uint8)

    next(scan_batches(photos(), mtcnn))
    assert len(read) < 100


def test_an_empty_folder_has_no_photos(mtcnn, tmp_path):
    assert list(scan_batches(iter_images(tmp_path), mtcnn)) == []


def test_faces_are_drawn_into_a_copy(mtcnn, portrait):
    before = portrait.copy()
    (face,) = mtcnn.detect([portrait])[0]
    green = draw_faces(portrait, [face])
    red = draw_faces(portrait, [], [face])
    assert (portrait == before).all()
    x1, y1 = (round(value) for value in face.box[:2])
    assert green[y1 + 20, x1].tolist() == [40, 200, 80]
    assert red[y1 + 20, x1].tolist() == [220, 60, 50]
