"""Exact and near copies are found, and other images are not taken for copies."""

import cv2
import imitations
import numpy as np
import pytest

from emonet.datasets.curation.duplicates import (
    find_copies,
    find_near_pairs,
    hash_pixels,
    is_blank,
    join_groups,
    perceptual_hash,
)


@pytest.fixture(scope="module")
def faces(portrait):
    return [np.repeat(imitations.small_face(portrait, n, "happy", n / 9)[..., None], 3, axis=2) for n in range(10)]


def brighter(face):
    return cv2.convertScaleAbs(face, alpha=0.9, beta=20)


def through_jpeg(face):
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def enlarged(face):
    return cv2.resize(face, (224, 224), interpolation=cv2.INTER_CUBIC)


def found(images, threshold=0.97):
    hashes = np.array([perceptual_hash(image) for image in images], np.uint64)
    return find_near_pairs(hashes, lambda wanted: [images[index] for index in wanted], threshold)


def test_hash_depends_on_the_pixels(faces):
    assert hash_pixels(faces[0]) == hash_pixels(faces[0].copy()) != hash_pixels(faces[1])
    colour = faces[0].copy()
    colour[0, 0] = (1, 2, 3)
    assert hash_pixels(colour) != hash_pixels(faces[0])


def test_find_copies_returns_the_first():
    assert find_copies(["a", "b", "a", None, None, "b", "a"]).tolist() == [0, 1, 0, 3, 4, 1, 0]


@pytest.mark.parametrize("changed", [brighter, through_jpeg, enlarged])
def test_changed_copy_is_a_near_copy(faces, changed):
    (pair,) = found([faces[0], faces[5], changed(faces[0])])
    assert (pair.first, pair.second) == (0, 2)
    assert pair.correlation >= 0.97


def test_other_faces_are_not_near_copies(faces):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    assert found([faces[0], noise, np.zeros_like(noise), np.zeros_like(noise)]) == []


def test_threshold_decides_about_near_copies(faces):
    pictures = [faces[0], cv2.GaussianBlur(faces[0], (0, 0), 1.2)]
    (pair,) = found(pictures, 0.5)
    assert found(pictures, pair.correlation + 0.001) == []


def test_single_image_has_no_pair(faces):
    assert found([]) == found([faces[0]]) == []


def test_groups_are_joined_through_others():
    assert join_groups(6, [(0, 3), (3, 5), (1, 2)]).tolist() == [0, 1, 1, 0, 4, 0]


def test_blank_image_has_one_value(faces):
    assert is_blank(np.full((4, 5, 3), 7, np.uint8))
    assert not is_blank(faces[0])
