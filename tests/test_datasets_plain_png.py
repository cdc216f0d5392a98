"""The fast decoder of a data set's grey crops: the pixels of OpenCV's, and no guess about any other file."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from emonet.datasets.store.plain_png import decode_plain

SIDE = 48


def encode(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE)).astype(np.uint8)
    return np.concatenate([noise, np.full((1, SIDE, SIDE), 255, np.uint8), np.zeros((1, SIDE, SIDE), np.uint8)])


@pytest.fixture(scope="module")
def files(images):
    return [encode(image) for image in images]


def test_grey_squares_have_the_pixels_that_opencv_decodes(images, files):
    assert (decode_plain(files, SIDE) == images).all()


def test_any_other_file_is_left_to_opencv(images, files):
    with_paeth = io.BytesIO()
    PIL.Image.fromarray(np.cumsum(images[0] % 3, axis=0, dtype=np.uint8)).save(with_paeth, "png")
    others = {
        "colour": encode(np.repeat(images[0][..., None], 3, axis=2)),
        "another size": encode(images[0, :32, :32]),
        "no square": encode(images[0, :32]),
        "16 bits": encode(images[0].astype(np.uint16)),
        "another encoder": with_paeth.getvalue(),
        "JPEG": cv2.imencode(".jpg", images[0])[1].tobytes(),
        "empty": b"",
    }
    assert {name for name, other in others.items() if decode_plain([*files, other], SIDE) is not None} == set()


def test_no_damaged_file_is_decoded_to_other_pixels(images, files):
    file = files[0]
    shortened = [file[:length] for length in range(0, len(file), 7)]
    flipped = [file[:place] + bytes([file[place] ^ 16]) + file[place + 1 :] for place in range(len(file))]
    for damaged in (*shortened, *flipped):
        decoded = decode_plain([damaged], SIDE)
        assert decoded is None or (decoded == images[:1]).all()
