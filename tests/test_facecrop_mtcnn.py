"""Our cascade beside facenet-pytorch's own, which has the same networks and weights."""

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from hypothesis import given, settings
from hypothesis import strategies as st
from pretended_card import PretendedCard

from facecrop import open_detector
from facecrop.detectors.mtcnn import MtcnnDetector, MtcnnOptions


@pytest.fixture(scope="module")
def peer():
    return MTCNN(keep_all=True)


def as_on_a_card(**options):
    """MTCNN on the processor, with pictures kept and drawn as on a card."""
    from facecrop.detectors.mtcnn.sums import SummedPictures

    return MtcnnDetector("cpu", MtcnnOptions(**options), SummedPictures)


@pytest.fixture(scope="module", params=["processor", "card"])
def eager(request):
    """Takes nearly everything for a face, so that candidates lie everywhere and are moved anywhere."""
    options = {"thresholds": (0.001, 0.001, 0.001), "border": 0}
    return open_detector("mtcnn", "cpu", **options) if request.param == "processor" else as_on_a_card(**options)


def group(portrait):
    """Faces of 85 down to 24 pixels in one picture, one of them turned."""
    canvas = np.full((520, 1000, 3), 90, np.uint8)
    x = 0
    for width, turn in ((420, 0), (250, 15), (160, 0), (120, -10)):
        piece = cv2.resize(portrait[:260, 100:360], (width, width), interpolation=cv2.INTER_AREA)
        matrix = cv2.getRotationMatrix2D((width / 2, width / 2), turn, 1)
        canvas[:width, x : x + width] = cv2.warpAffine(piece, matrix, (width, width))
        x += width
    return canvas


def alike(faces, others):
    """Whether two detectors found the same faces, to a hundredth of their width."""
    pairs = zip(*(sorted(found, key=lambda face: face.centre) for found in (faces, others)), strict=True)
    return all(
        np.allclose(
            [*face.box, *np.ravel(face.landmarks)], [*other.box, *np.ravel(other.landmarks)], 0, face.width / 100
        )
        and abs(face.score - other.score) < 0.01
        for face, other in pairs
    )


@pytest.mark.parametrize("scale", [0.6, 1, 2.5])
def test_boxes_and_landmarks_agree_with_facenet_pytorch(mtcnn, peer, portrait, scale):
    image = cv2.resize(group(portrait), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, _, landmarks = peer.detect(image, landmarks=True)
    faces = mtcnn.detect([image])[0]
    assert len(faces) == len(boxes) == 4
    best = [max(faces, key=lambda face, box=box: face.overlap(box)) for box in boxes]
    assert np.mean([face.overlap(box) for face, box in zip(best, boxes, strict=True)]) >= 0.9
    for face, points in zip(best, landmarks, strict=True):
        assert np.abs(np.array(face.landmarks) - points).max() < 0.1 * face.width


def test_large_pictures_give_the_faces_of_small_ones(mtcnn, portrait):
    large = cv2.resize(portrait, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    (face,) = [found for found in mtcnn.detect([large])[0] if found.score > 0.95]
    assert face.scaled(1 / 8).overlap(mtcnn.detect([portrait])[0][0]) > 0.85


def test_a_batch_larger_than_a_round_is_answered_whole(mtcnn):
    blank = np.zeros((48, 48, 3), np.uint8)
    assert mtcnn.detect([blank] * 1100) == [[]] * 1100


def test_a_face_that_fills_its_picture_is_found(mtcnn, portrait):
    tight = cv2.resize(portrait[62:182, 165:285], (48, 48), interpolation=cv2.INTER_AREA)
    (face,) = mtcnn.detect([tight])[0]
    assert face.width > 24


def test_the_least_face_is_in_pixels_or_a_share_of_the_picture(portrait):
    face = open_detector("mtcnn").detect([portrait])[0][0]
    assert len(open_detector("mtcnn", min_face=face.size * 0.8).detect([portrait])[0]) == 1
    assert open_detector("mtcnn", min_face=face.size * 4).detect([portrait])[0] == []
    assert open_detector("mtcnn", min_share=min(1, 4 * face.size / 320)).detect([portrait])[0] == []


def test_thresholds_may_come_from_a_file(portrait):
    strict = open_detector("mtcnn", thresholds=[0.6, 0.7, 0.99999])
    assert strict.options.thresholds == (0.6, 0.7, 0.99999)
    assert len(strict.detect([portrait])[0]) <= 1


@pytest.mark.parametrize("place", ["processor", "card"])
def test_annotated_faces_are_found(mtcnn, photos, root, place):
    import sys

    sys.path.insert(0, str(root / "benchmarks"))
    from annotated import count_found, read_pictures

    pictures = [picture for picture in read_pictures(photos) if picture.boxes is not None]
    detector = mtcnn if place == "processor" else as_on_a_card()
    found = detector.detect([picture.image for picture in pictures])
    counts = [count_found(picture.boxes, faces) for picture, faces in zip(pictures, found, strict=True)]
    hits, extra = (sum(column) for column in zip(*counts, strict=True))
    assert hits == 43
    assert extra == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_candidates_outside_the_picture_are_no_error(eager, height, width, seed):
    rng = np.random.default_rng(seed)
    (faces,) = eager.detect([rng.integers(0, 256, (height, width, 3), np.uint8)])
    for face in faces:
        x1, y1, x2, y2 = face.box
        assert x1 < width
        assert y1 < height
        assert x2 > 0
        assert y2 > 0


def test_pictures_on_a_card_have_the_faces_that_they_have_on_the_processor(mtcnn, portrait):
    several = group(portrait)
    images = [cv2.resize(several, None, fx=scale, fy=scale) for scale in (0.6, 1, 2.5)]
    images += [portrait, np.zeros((90, 70, 3), np.uint8), portrait[:317, 3:], portrait[:, ::-1], several[:5, :5]]
    for faces, others in zip(mtcnn.detect(images), as_on_a_card().detect(images), strict=True):
        assert alike(faces, others)


def test_a_card_is_waited_for_four_times_a_batch_and_gets_the_pictures_once(monkeypatch, mtcnn, portrait):
    several = group(portrait)
    images = [portrait, several, portrait[:200], several[:, ::-1], portrait] * 2
    with PretendedCard(monkeypatch) as card:
        detector = open_detector("mtcnn", "cuda:1")
        found, waits, sent = [], [], []
        for batch in ([portrait], images):
            card.waits.clear()
            card.sent = 0
            found.append(detector.detect(batch))
            waits.append(dict(card.waits))
            sent.append(card.sent)
    once = {"aten::nonzero": 2, "torchvision::nms": 1, "a copy from the card": 1}
    assert waits == [once, once]
    assert sent[1] < 1.2 * sum(image.nbytes for image in images)  # with borders and some tables
    assert all(alike(faces, others) for faces, others in zip(found[1], mtcnn.detect(images), strict=True))
    assert detector.device == "cuda:1"


def test_pictures_too_large_for_a_card_are_drawn_by_the_host(monkeypatch, mtcnn, portrait):
    monkeypatch.setattr("facecrop.detectors.mtcnn.detector.CARD_PIXELS", portrait.shape[0] * portrait.shape[1])
    large = cv2.resize(portrait, None, fx=1.5, fy=1.5)
    with PretendedCard(monkeypatch) as card:
        (faces,) = open_detector("mtcnn", "cuda:1").detect([large])
    assert card.waits["aten::nonzero"] > 2
    assert alike(faces, mtcnn.detect([large])[0])


def test_the_pretended_card_is_as_strict_as_a_real_one(monkeypatch):
    with PretendedCard(monkeypatch) as card:
        there = torch.ones(3, device="cuda:1")
        assert (there + 1).sum().item() == 6
        assert card.waits == {"aten::_local_scalar_dense": 1}
        with pytest.raises(AssertionError, match="two devices"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
