"""Bursts: which photos belong together, which is suggested, and why."""

import cv2
import numpy as np
import pytest
from albums import entry, said, unreadable

from emonet.album.bursts import MOST_BITS, BurstPhoto, find_bursts
from emonet.album.looks import look_at, measure_sharpness
from facecrop import Face

SMILE, STARE = said("happy", 0.9), said("neutral", 0.9, rest="sad")


def bursts(*entries):
    photos = [BurstPhoto.of(number, one) for number, one in enumerate(entries)]
    return find_bursts(photo for photo in photos if photo)


def paths(burst):
    return [photo.path for photo in burst.photos]


def best(*entries):
    (burst,) = bursts(*entries)
    return paths(burst)[burst.best], burst.reasons


def near(path, *faces, sharpness=1.0, bits=0):
    return entry(path, *faces, likeness=(1 << bits) - 1, sharpness=sharpness)


def test_neighbours_that_look_alike_are_a_burst():
    (burst,) = bursts(near("a.jpg"), near("b.jpg", bits=MOST_BITS), entry("c.jpg"))
    assert paths(burst) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "other",
    [
        near("b.jpg", bits=MOST_BITS + 1),
        near("sub/b.jpg"),
        entry("b.jpg", likeness=0, size_wh=(480, 640)),
        unreadable("b.jpg", "broken"),
    ],
)
def test_other_photos_are_no_burst(other):
    assert bursts(near("a.jpg"), other) == []


def test_photos_are_neighbours_as_people_count():
    (burst,) = bursts(near("IMG_10.jpg"), near("IMG_9.jpg"), entry("IMG_1.jpg"))
    assert paths(burst) == ["IMG_9.jpg", "IMG_10.jpg"]


def test_a_slow_change_does_not_make_one_burst_of_all():
    found = bursts(*[near(f"{place}.jpg", bits=10 * place) for place in range(5)])
    assert [paths(burst) for burst in found] == [["0.jpg", "1.jpg", "2.jpg"], ["3.jpg", "4.jpg"]]


def test_the_photo_with_the_most_smiles_is_suggested():
    path, reasons = best(near("a.jpg", SMILE, STARE, sharpness=1.2), near("b.jpg", SMILE, SMILE))
    assert path == "b.jpg"
    assert "2 of 2 faces" in reasons[1]
    assert reasons[0].startswith("fewer smiles")


def test_unsure_smiles_do_not_count():
    doubtful = said("happy", 0.9, unsure="blurred")
    assert best(near("a.jpg", doubtful), near("b.jpg", SMILE))[0] == "b.jpg"


def test_of_as_many_smiles_the_sharpest_is_suggested():
    path, reasons = best(near("a.jpg", SMILE), near("b.jpg", SMILE, sharpness=1.3), near("c.jpg", SMILE))
    assert path == "b.jpg"
    assert "1.3 times" in reasons[1]
    assert "77%" in reasons[0]


def test_a_blurred_photo_is_not_suggested_for_its_smiles():
    path, reasons = best(near("a.jpg", SMILE, sharpness=0.3), near("b.jpg", STARE))
    assert path == "b.jpg"
    assert reasons[0].startswith("blurred")


def test_a_photo_that_cuts_a_face_off_is_not_suggested():
    assert best(near("a.jpg", SMILE, sharpness=1.2), near("b.jpg", SMILE, STARE))[0] == "b.jpg"


def test_a_smaller_copy_is_not_suggested_however_sharp_it_looks():
    small = entry("b.jpg", SMILE, SMILE, likeness=0, sharpness=3.0, size_wh=(160, 120))
    path, reasons = best(near("a.jpg", SMILE), small)
    assert path == "a.jpg"
    assert reasons == ("the only one of its size", "smaller: 160 of 640 pixels wide")


def test_blur_makes_photos_less_sharp_and_light_does_not(portrait):
    face = Face((179, 59, 269, 175), score=1.0)
    sharp = measure_sharpness(portrait, [face])
    assert measure_sharpness(cv2.GaussianBlur(portrait, (0, 0), 1.5), [face]) < 0.5 * sharp
    assert measure_sharpness((0.6 * portrait).astype(np.uint8), [face]) == pytest.approx(sharp, rel=0.1)


def test_sharpness_is_that_of_the_faces(portrait):
    face = Face((179, 59, 269, 175), score=1.0)
    behind = cv2.GaussianBlur(portrait, (0, 0), 3)
    behind[59:175, 179:269] = portrait[59:175, 179:269]
    assert measure_sharpness(behind, [face]) == pytest.approx(measure_sharpness(portrait, [face]), rel=0.1)


def test_a_blank_photo_and_a_face_beyond_the_edge_have_a_sharpness():
    blank = np.zeros((40, 60, 3), np.uint8)
    assert measure_sharpness(blank) == 0
    assert measure_sharpness(blank, [Face((100, 100, 120, 120), score=1.0)]) == 0


def test_copies_of_a_photo_have_similar_looks(portrait):
    moved = cv2.resize(portrait[3:, 4:], portrait.shape[1::-1])
    one, other = look_at(portrait, []), look_at(moved, [])
    assert (one.likeness ^ other.likeness).bit_count() <= MOST_BITS
    assert (one.likeness ^ look_at(portrait[::-1], []).likeness).bit_count() > MOST_BITS
    assert type(one).from_dict(one.to_dict()) == one
