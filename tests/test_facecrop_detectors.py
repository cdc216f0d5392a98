"""The contract of every detector, and what is particular to each."""

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import PIL.Image
import pytest
from pretended_card import pretend_devices

from facecrop import DETECTORS, Face, ImageError, find_faces, open_detector

FINDERS = [name for name in DETECTORS if name != "whole"]


@pytest.fixture(params=DETECTORS)
def detector(request, detectors):
    return detectors[request.param]


@pytest.fixture(params=FINDERS)
def finder(request, detectors):
    return detectors[request.param]


def blank(height=90, width=120):
    return np.full((height, width, 3), 128, np.uint8)


def test_detect_returns_a_list_of_faces_for_each_image(detector, portrait):
    answer = detector.detect([portrait, blank(), portrait[:, 100:400]])
    assert len(answer) == 3
    assert all(isinstance(face, Face) and face.detector == detector.name for faces in answer for face in faces)
    json.dumps([face.to_dict() for faces in answer for face in faces])


def test_no_images_give_no_lists(detector):
    assert detector.detect([]) == []


def test_has_landmarks_is_true(detector, portrait):
    (faces,) = detector.detect([portrait])
    assert faces
    assert all((face.landmarks is not None) == detector.has_landmarks for face in faces)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (17, 17), (48, 48)])
def test_tiny_images_are_no_error(detector, size):
    assert isinstance(detector.detect([blank(*size)])[0], list)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((50, 50), np.uint8), ValueError),
        (np.zeros((50, 50, 4), np.uint8), ValueError),
        (np.zeros((0, 50, 3), np.uint8), ValueError),
        (np.zeros((50, 50, 3), np.float32), TypeError),
        ([[1, 2], [3, 4]], TypeError),
    ],
    ids=["grey", "rgba", "empty", "floats", "lists"],
)
def test_arrays_that_are_no_images_are_refused(detector, image, error):
    with pytest.raises(error, match="image must"):
        detector.detect([image])


def test_detecting_does_not_change_the_image(detector, portrait):
    before = portrait.copy()
    detector.detect([before])
    assert (before == portrait).all()


def test_the_face_of_the_portrait_is_found(finder, portrait):
    (face,) = finder.detect([portrait])[0]
    assert face.overlap((180, 65, 268, 178)) > 0.75


def test_no_face_is_an_empty_list(finder):
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    assert finder.detect([blank(), noise, np.zeros((64, 64, 3), np.uint8)]) == [[], [], []]


def test_a_batch_gives_the_faces_of_its_images_one_by_one(finder, portrait):
    images = [portrait, np.ascontiguousarray(portrait[:, ::-1]), blank(), portrait[:300, 100:400], portrait]
    assert finder.detect(images) == [finder.detect([image])[0] for image in images]


def test_the_best_face_comes_first(finder, portrait):
    half = cv2.resize(portrait, None, fx=0.7, fy=0.7)
    pair = np.hstack([portrait, np.vstack([half, np.zeros((320 - half.shape[0], half.shape[1], 3), np.uint8)])])
    scores = [face.score for face in finder.detect([pair])[0]]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)


def test_mtcnn_and_dlib_boxes_agree(detectors, portrait):
    enlarged = [cv2.resize(portrait, None, fx=scale, fy=scale) for scale in (0.9, 1, 1.1, 1.25, 1.4, 1.6)]
    ours, other = (
        np.median([detectors[name].detect([image])[0][0].scaled(1 / image.shape[0]).box for image in enlarged], axis=0)
        for name in ("mtcnn", "dlib")
    )
    assert Face(ours, 1).overlap(other) > 0.85


def test_a_view_of_an_array_can_be_searched(finder, portrait):
    assert finder.detect([portrait[50:250, 100:350]])[0]
    assert finder.detect([portrait[::-1][::-1]])[0]


def test_unknown_detectors_and_options_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'haar'.*yunet, mtcnn, dlib, whole"):
        open_detector("haar")
    with pytest.raises(ValueError, match=r"minface.*min_face, min_share"):
        open_detector("mtcnn", minface=3)
    with pytest.raises(ValueError, match="known options: none"):
        open_detector("whole", size=3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mtcnn", {"min_face": 5}),
        ("mtcnn", {"min_share": 2}),
        ("mtcnn", {"factor": 1}),
        ("mtcnn", {"thresholds": (0.5, 0.5)}),
        ("mtcnn", {"thresholds": (0.5, 0.5, 2)}),
        ("mtcnn", {"min_face": "large"}),
        ("yunet", {"min_face": 5}),
        ("yunet", {"min_share": -1}),
        ("yunet", {"threshold": 0}),
        ("yunet", {"threshold": "low"}),
        ("dlib", {"upsample": 1.5}),
        ("mtcnn", {"border": -1}),
        ("dlib", {"upsample": -1}),
        ("dlib", {"threshold": 9}),
        ("dlib", {"min_share": -0.1}),
    ],
)
def test_options_out_of_range_are_refused_by_name(name, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        open_detector(name, **options)


@pytest.mark.parametrize(
    ("name", "device", "words"),
    [
        ("mtcnn", "tpu", "device must be auto, cuda, cpu, or cuda with a number, got 'tpu'"),
        ("mtcnn", "mps", "'mtcnn' runs on cuda and cpu only"),
        ("mtcnn", "cuda:9", r"sees cuda:0 \(card 0\), cuda:1 \(card 1\)"),
        ("yunet", "cuda", "'yunet' runs on cpu only; device must be auto or cpu, got 'cuda'"),
        ("dlib", "cuda", "'dlib' runs on cpu only; device must be auto or cpu, got 'cuda'"),
        ("whole", "cuda:1", "'whole' runs on cpu only"),
    ],
)
def test_devices_that_a_detector_cannot_use_are_refused(monkeypatch, name, device, words):
    pretend_devices(monkeypatch, "cuda", "mps")
    with pytest.raises(ValueError, match=words):
        open_detector(name, device)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    pretend_devices(monkeypatch)
    with pytest.raises(ValueError, match="device 'cuda' was asked for"):
        open_detector("mtcnn", "cuda")


@pytest.mark.parametrize("name", DETECTORS)
def test_auto_takes_the_cpu_if_the_detector_cannot_use_mps(monkeypatch, name):
    pretend_devices(monkeypatch, "mps")
    assert open_detector(name).device == open_detector(name, "cpu").device == "cpu"


def test_detecting_does_not_change_the_number_of_torch_threads(mtcnn, portrait):
    import torch

    before = torch.get_num_threads()
    mtcnn.detect([portrait] * 3)
    with ThreadPoolExecutor(1) as other:
        assert torch.get_num_threads() == other.submit(torch.get_num_threads).result() == before


def test_threads_may_share_a_detector(mtcnn, portrait):
    images = [portrait[:, shift : shift + 400] for shift in range(0, 60, 10)]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda image: mtcnn.detect([image])[0], images)) == mtcnn.detect(images)


def test_the_device_is_logged_once():
    script = (
        "import logging, facecrop; logging.basicConfig(level=logging.INFO)\n"
        "for _ in range(3): facecrop.open_detector('dlib')"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr.count("detector dlib runs on cpu") == 1
    assert logging.getLogger("facecrop.detectors").level == logging.NOTSET


def test_find_faces_opens_a_detector_once(monkeypatch, detectors, portrait, tmp_path):
    path = tmp_path / "portrait.png"
    PIL.Image.fromarray(portrait).save(path)
    assert find_faces(path) == find_faces(portrait) == detectors["yunet"].detect([portrait])[0]
    monkeypatch.setattr("facecrop.detectors.open_detector", lambda *_: pytest.fail("opened again"))
    assert find_faces(blank()) == []


def test_find_faces_takes_any_detector():
    assert [face.detector for face in find_faces(blank(), "whole")] == ["whole"]
    with pytest.raises(ValueError, match=r"'haar'.*yunet, mtcnn, dlib, whole"):
        find_faces(blank(), "haar")
    with pytest.raises(ImageError, match="image: the file is empty"):
        find_faces(b"")


def test_whole_returns_the_image_as_the_face(detectors):
    (face,) = detectors["whole"].detect([blank(30, 40)])[0]
    assert face.box == (0, 0, 40, 30)
    assert face.framed


def test_dlib_keeps_its_own_box(detectors, portrait):
    (face,) = detectors["dlib"].detect([portrait])[0]
    x1, y1, x2, y2 = face.raw_box
    assert x2 - x1 == pytest.approx(y2 - y1, abs=1)
    assert face.height > face.width


def test_dlib_upsample_and_min_share_limit_the_smallest_face(portrait):
    small = cv2.resize(portrait, None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)
    assert len(open_detector("dlib", upsample=1).detect([small])[0]) == 1
    assert open_detector("dlib", upsample=0).detect([small])[0] == []
    (reduced,) = open_detector("dlib", min_share=0.2).detect([portrait])[0]
    assert reduced.overlap(open_detector("dlib").detect([portrait])[0][0]) > 0.7
    assert open_detector("dlib", min_share=0.8).detect([portrait])[0] == []
