import cv2
import numpy as np
import pytest

from emonet.evaluation.sizes import PIECE, score_sizes, shrink_faces

CLASSES = ("coarse", "fine", "absent")


def stripes(width, count, side=48):
    """Faces (count, side, side, 1) of upright stripes."""
    row = np.where(np.arange(side) // width % 2, 255, 0)
    return np.broadcast_to(row, (count, side, side)).astype(np.uint8)[..., None].copy()


def classify(pixels):
    """Whatever still has strong contrast is fine if it is narrow; what has none is answered coarse."""
    change = np.abs(np.diff(pixels.astype(float), axis=2)).mean(axis=(1, 2, 3))
    fine = (change > 60).astype(float)
    return np.stack([1 - fine, fine, np.zeros_like(fine)], axis=1)


PIXELS = np.concatenate([stripes(12, 3), stripes(2, 1)])
LABELS = np.array([0, 0, 0, 1])


def test_each_size_has_accuracy_recall_and_the_shares_of_the_answers():
    whole, small = score_sizes(classify, PIXELS, LABELS, CLASSES, sizes=(12, 48))
    assert (whole.size, whole.n, whole.accuracy, whole.macro_recall) == (48, 4, 1, 1)
    assert whole.shares == {"coarse": 0.75, "fine": 0.25, "absent": 0}
    assert (small.size, small.accuracy, small.macro_recall) == (12, 0.75, 0.5)
    assert (small.shares, small.commonest) == ({"coarse": 1, "fine": 0, "absent": 0}, "coarse")
    assert small.to_dict()["shares"]["coarse"] == 1


def test_sizes_above_that_of_the_faces_count_once():
    sizes = [one.size for one in score_sizes(classify, PIXELS, LABELS, CLASSES, sizes=(96, 60, 48, 24))]
    assert sizes == [48, 24]
    assert score_sizes(classify, PIXELS, LABELS, CLASSES, sizes=()) == ()


def test_many_images_are_shrunk_piece_by_piece():
    seen = []
    pixels = stripes(12, PIECE + 5)
    score_sizes(
        lambda piece: seen.append(len(piece)) or classify(piece), pixels, np.zeros(len(pixels), int), CLASSES, (24,)
    )
    assert seen == [PIECE, 5]


@pytest.mark.parametrize("channels", [1, 3])
def test_faces_are_averaged_and_enlarged_as_crops_are(channels):
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48, channels), np.uint8)
    small = shrink_faces(faces, 16)
    averaged = faces.reshape(2, 16, 3, 16, 3, channels).mean(axis=(2, 4)).round().astype(np.uint8)
    expected = [cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in averaged]
    assert small.shape == faces.shape
    assert np.abs(small - np.reshape(expected, small.shape).astype(float)).max() <= 2
    assert np.array_equal(shrink_faces(faces, 48), faces)


def test_sizes_below_a_pixel_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        score_sizes(classify, PIXELS, LABELS, CLASSES, sizes=(12, 0))
