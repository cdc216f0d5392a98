"""Near copies are found in any crop, light and packing, and mirrored; other faces are not taken for copies."""

import cv2
import imitations
import numpy as np
import pytest

from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.curation.likeness import Likeness, describe_likeness, list_places, shrink
from emonet.datasets.curation.near_copies import find_altered_copies
from emonet.datasets.curation.overlay import lay_over
from emonet.datasets.store import open_store
from emonet.evaluation.parts import find_parts
from emonet.faces import read_faces
from emonet.models.inputs import InputSpec

SIDE = 48


def rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def other_face(portrait, number):
    """The portrait with other features: smooth light and dark spots that change what one sees."""
    face = imitations.small_face(portrait, number).astype(np.float32)
    spots = cv2.GaussianBlur(np.random.default_rng(number).normal(0, 1, face.shape).astype(np.float32), (0, 0), 2.5)
    return (face + 45 * spots / spots.std()).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def faces(portrait):
    return [other_face(portrait, number) for number in range(12)]


def mirrored(face):
    return np.ascontiguousarray(face[:, ::-1])


def brighter(face):
    return cv2.convertScaleAbs(face, alpha=0.7, beta=40)


def cropped(face, size=0.9, x=0.03, y=0.07):
    """Another crop of the face, saved as JPEG."""
    move = np.float32([[size, 0, x * SIDE], [0, size, y * SIDE]])
    crop = cv2.warpAffine(face, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_GRAYSCALE)


def find(greys, *, together=None, evaluated=(), threshold=0.97):
    images = [rgb(grey) for grey in greys]
    likeness = Likeness.decode(describe_likeness([*map(shrink, images)]).encode())
    return find_altered_copies(
        likeness,
        np.full(len(images), -1) if together is None else np.array(together),
        np.isin(np.arange(len(images)), evaluated),
        lambda wanted: [images[index] for index in wanted],
        threshold,
    )


def test_copies_are_found_in_many_faces(portrait):
    """More faces than are compared at a time."""
    faces = [other_face(portrait, number) for number in range(150)]
    greys = [*faces, *map(mirrored, faces), *map(cropped, faces), *map(brighter, faces)]
    found = find(greys, evaluated=range(150))
    assert {(number, number + 150) for number in range(150)} <= {(pair.first, pair.second) for pair in found}


@pytest.mark.parametrize(
    ("change", "is_mirrored"),
    [(mirrored, True), (brighter, False), (cropped, False), (lambda face: mirrored(cropped(face)), True)],
)
def test_altered_copies_are_found(faces, change, is_mirrored):
    count = len(faces)
    found = find([*faces, *map(change, faces)], evaluated=range(count, 2 * count))
    pairs = {(pair.first, pair.second): pair.mirrored for pair in found}
    assert set(pairs) <= {(number, number + count) for number in range(count)}
    assert len(pairs) >= count - 1
    assert set(pairs.values()) == {is_mirrored}


def test_faces_of_which_none_are_copies_are_laid_over_each_other(faces):
    """All pairs fall out at the first look, and nothing is left for the next."""
    places = np.repeat(list_places().at[:1, None], 2, axis=1)
    greys = np.array([faces[0], np.random.default_rng(0).integers(0, 255, (SIDE, SIDE))], np.float32)
    assert lay_over(greys, np.array([[0, 1]]), np.array([False]), places, 0.97).tolist() == [0]


def test_larger_crops_are_compared_too(faces):
    large = cv2.resize(cropped(faces[3]), (112, 112), interpolation=cv2.INTER_CUBIC)
    (pair,) = find([*faces, large])
    assert (pair.first, pair.second) == (3, len(faces))


def test_images_of_one_person_in_one_split_are_not_compared(faces):
    assert find([faces[0], mirrored(faces[0])], together=[7, 7]) == []
    assert len(find([faces[0], mirrored(faces[0])], together=[7, 8])) == 1


def test_blank_images_and_noise_are_like_nothing(faces):
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE), np.uint8)
    flat = [np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 90, np.uint8)]
    assert find([*flat, *noise, faces[0]]) == []


def test_nothing_to_compare_gives_nothing(faces):
    assert find(faces[:1]) == []
    assert describe_likeness([]).encode() == []


def test_description_does_not_depend_on_the_others(faces):
    together = describe_likeness(faces).encode()
    assert together == [packed for face in faces for packed in describe_likeness([face]).encode()]


@pytest.fixture
def leaking(faces, tmp_path):
    """Test images whose training copy is as it is, mirrored, or cut anew, and one without; and three others."""
    pictures = [(0, "Training", faces[0]), (1, "Training", mirrored(faces[1])), (0, "Training", cropped(faces[6]))]
    pictures += [(number % 2, "Training", faces[number]) for number in (3, 4, 5)]
    pictures += [(number % 2, "PrivateTest", faces[number]) for number in (0, 1, 6, 7)]
    rows = [imitations.Row(code, usage, face) for code, usage, face in pictures]
    return {"fer2013": str(imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows))}


@pytest.mark.parametrize(
    ("leaks", "left"), [(None, 3), ("near", 3), ("exact", 5), ("drop", 5), ("report", 6), ("keep", 6)]
)
def test_training_copies_leave_as_asked(leaking, leaks, left, tmp_path):
    asked = {} if leaks is None else {"leaks": leaks}
    build_dataset(prepare(BuildOptions(leaking, detector="whole", **asked)), tmp_path / "out", workers=1)
    store = open_store(tmp_path / "out")
    assert store.splits["train"] == left
    looked = leaks in (None, "near", "report")
    assert (store.info.copies.near_pairs, store.info.copies.mirrored_pairs) == ((2, 1) if looked else (0, 0))
    assert store.info.rejected == (
        {} if left == 6 else {"fer2013": {"leak": 1, **({"near_leak": 2} if left == 3 else {})}}
    )
    assert store.differences() == []


@pytest.mark.parametrize("leaks", ["near", "report", "exact"])
def test_near_training_copies_are_scored_apart_where_they_are_known(leaking, leaks, tmp_path):
    build_dataset(prepare(BuildOptions(leaking, detector="whole", leaks=leaks)), tmp_path / "out", workers=1)
    store = open_store(tmp_path / "out")
    parts = find_parts(store, read_faces(store, ["test"], InputSpec()))
    assert parts["no training copy"].tolist() == [False, True, True, True]
    if leaks == "exact":
        assert "no near training copy" not in parts
    else:
        assert parts["no near training copy"].tolist() == [False, False, False, True]
        assert parts["near training copy"].tolist() == [True, True, True, False]


def test_drop_and_exact_give_the_same_shards(leaking, tmp_path):
    shards = []
    for leaks in ("exact", "drop"):
        options = BuildOptions(leaking, detector="whole", leaks=leaks)
        store = build_dataset(prepare(options), tmp_path / leaks, workers=1).store
        shards.append({name: digest for name, digest in store.info.files.items() if name.endswith(".parquet")})
    assert shards[0] == shards[1]
