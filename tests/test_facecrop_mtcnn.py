"""MTCNN beside facenet-pytorch's own cascade, which has the same networks and weights."""

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
    """MTCNN on the CPU, with images held and drawn as on a card."""
    from facecrop.detectors.mtcnn.sums import SummedBatch

    return MtcnnDetector("cpu", MtcnnOptions(**options), SummedBatch)


@pytest.fixture(scope="module", params=["processor", "card"])
def eager(request):
    """A detector that takes nearly everything for a face, so that candidates lie everywhere."""
    options = {"thresholds": (0.001, 0.001, 0.001), "border": 0}
    return open_detector("mtcnn", "cpu", **options) if request.param == "processor" else as_on_a_card(**options)


def group(portrait):
    """Draw faces of 85 down to 24 pixels into one image, two of them turned."""
    canvas = np.full((520, 1000, 3), 90, np.uint8)
    x = 0
    for width, turn in ((420, 0), (250, 15), (160, 0), (120, -10)):
        piece = cv2.resize(portrait[:260, 100:360], (width, width), interpolation=cv2.INTER_AREA)
        matrix = cv2.getRotationMatrix2D((width / 2, width / 2), turn, 1)
        canvas[:width, x : x + width] = cv2.warpAffine(piece, matrix, (width, width))
        x += width
    return canvas


def have_same_faces(faces, others):
    """Tell whether two detectors found the same faces, to a hundredth of their width."""
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


def test_an_enlarged_image_has_the_same_face(mtcnn, portrait):
    large = cv2.resize(portrait, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    (face,) = [found for found in mtcnn.detect([large])[0] if found.score > 0.95]
    assert face.scaled(1 / 8).overlap(mtcnn.detect([portrait])[0][0]) > 0.85


def test_more_images_than_a_batch_holds_all_get_an_answer(mtcnn):
    blank = np.zeros((48, 48, 3), np.uint8)
    assert mtcnn.detect([blank] * 1100) == [[]] * 1100


def test_a_face_that_fills_its_image_is_found(mtcnn, portrait):
    tight = cv2.resize(portrait[62:182, 165:285], (48, 48), interpolation=cv2.INTER_AREA)
    (face,) = mtcnn.detect([tight])[0]
    assert face.width > 24


def test_min_face_and_min_share_limit_the_smallest_face(portrait):
    face = open_detector("mtcnn").detect([portrait])[0][0]
    assert len(open_detector("mtcnn", min_face=face.size * 0.8).detect([portrait])[0]) == 1
    assert open_detector("mtcnn", min_face=face.size * 4).detect([portrait])[0] == []
    assert open_detector("mtcnn", min_share=min(1, 4 * face.size / 320)).detect([portrait])[0] == []


def test_thresholds_may_be_a_list(portrait):
    strict = open_detector("mtcnn", thresholds=[0.6, 0.7, 0.99999])
    assert strict.options.thresholds == (0.6, 0.7, 0.99999)
    assert len(strict.detect([portrait])[0]) <= 1


@pytest.mark.parametrize("place", ["processor", "card"])
def test_all_annotated_faces_and_no_others_are_found(mtcnn, photos, root, place):
    import sys

    sys.path.insert(0, str(root / "benchmarks"))
    from annotated import count_found, read_photos

    pictures = [picture for picture in read_photos(photos) if picture.boxes is not None]
    detector = mtcnn if place == "processor" else as_on_a_card()
    found = detector.detect([picture.image for picture in pictures])
    counts = [count_found(picture.boxes, faces) for picture, faces in zip(pictures, found, strict=True)]
    hits, extra = (sum(column) for column in zip(*counts, strict=True))
    assert hits == 43
    assert extra == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_candidates_outside_the_image_are_no_error(eager, height, width, seed):
    rng = np.random.default_rng(seed)
    (faces,) = eager.detect([rng.integers(0, 256, (height, width, 3), np.uint8)])
    for face in faces:
        x1, y1, x2, y2 = face.box
        assert x1 < width
        assert y1 < height
        assert x2 > 0
        assert y2 > 0


def test_the_card_finds_the_faces_that_the_cpu_finds(mtcnn, portrait):
    several = group(portrait)
    images = [cv2.resize(several, None, fx=scale, fy=scale) for scale in (0.6, 1, 2.5)]
    images += [portrait, np.zeros((90, 70, 3), np.uint8), portrait[:317, 3:], portrait[:, ::-1], several[:5, :5]]
    for faces, others in zip(mtcnn.detect(images), as_on_a_card().detect(images), strict=True):
        assert have_same_faces(faces, others)


def test_a_batch_waits_for_the_card_four_times_and_is_sent_once(monkeypatch, mtcnn, portrait):
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
    assert all(have_same_faces(faces, others) for faces, others in zip(found[1], mtcnn.detect(images), strict=True))
    assert detector.device == "cuda:1"


def test_images_too_large_for_a_card_are_drawn_by_the_host(monkeypatch, mtcnn, portrait):
    monkeypatch.setattr("facecrop.detectors.mtcnn.detector.CARD_PIXELS", portrait.shape[0] * portrait.shape[1])
    large = cv2.resize(portrait, None, fx=1.5, fy=1.5)
    with PretendedCard(monkeypatch) as card:
        (faces,) = open_detector("mtcnn", "cuda:1").detect([large])
    assert card.waits["aten::nonzero"] > 2
    assert have_same_faces(faces, mtcnn.detect([large])[0])


def test_the_pretended_card_is_as_strict_as_a_real_one(monkeypatch):
    with PretendedCard(monkeypatch) as card:
        there = torch.ones(3, device="cuda:1")
        assert (there + 1).sum().item() == 6
        assert card.waits == {"aten::_local_scalar_dense": 1}
        with pytest.raises(AssertionError, match="two devices"):
            there + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()


@pytest.mark.parametrize("border", [0, 3, 40])
def test_parts_of_an_image_with_a_border_are_those_of_a_copy_with_it(border):
    from facecrop.detectors.mtcnn.octaves import STRIP, BorderedImage
    from facecrop.images import halve_image

    chance = np.random.default_rng(border)
    image = chance.integers(0, 256, (2 * STRIP + 31, 57, 3), np.uint8)
    lazy, copy = BorderedImage(image, border), np.pad(image, ((border,) * 2, (border,) * 2, (0, 0)), mode="edge")
    assert lazy.shape == copy.shape[:2]
    assert np.array_equal(lazy.whole(), copy)
    assert np.array_equal(lazy.halve(), halve_image(copy))
    for _ in range(50):
        rows, columns = (slice(*sorted(chance.choice(length + 1, 2, replace=False))) for length in lazy.shape)
        assert np.array_equal(lazy[rows, columns], copy[rows, columns])
