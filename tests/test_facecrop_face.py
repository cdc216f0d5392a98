import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecrop import Face

UPRIGHT = ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))

coordinates = st.floats(-1e4, 1e4)
lengths = st.floats(0.1, 1e4)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), coordinates, coordinates, lengths, lengths)


def turned(points, degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]


def test_size_area_and_centre_come_from_the_box():
    face = Face((10, 20, 50, 80), 0.9)
    assert (face.width, face.height, face.size, face.area) == (40, 60, 40, 2400)
    assert face.centre == (30, 50)


@pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 15, 90, 179])
def test_roll_is_the_turn_of_the_eye_line_clockwise(degrees):
    assert Face((0, 0, 1, 1), 1, turned(UPRIGHT, degrees)).roll == pytest.approx(degrees)


@pytest.mark.parametrize("degrees", [-60, 0, 33])
def test_yaw_follows_the_nose_and_not_the_roll(degrees):
    to_the_right = [*UPRIGHT[:2], (60, 60), *UPRIGHT[3:]]
    assert Face((0, 0, 1, 1), 1, turned(UPRIGHT, degrees)).yaw == pytest.approx(0, abs=1e-9)
    assert Face((0, 0, 1, 1), 1, turned(to_the_right, degrees)).yaw == pytest.approx(22.6, abs=0.1)


def test_without_landmarks_there_is_no_pose():
    face = Face((0, 0, 1, 1), 1)
    assert (face.roll, face.yaw, face.eyes) == (None, None, None)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1.0),  # itself
        ((5, 0, 15, 10), 1 / 3),  # half of each
        ((2, 2, 7, 6), 0.2),  # inside
        ((10, 0, 20, 10), 0.0),  # side by side
        ((50, 50, 60, 60), 0.0),  # apart
    ],
)
def test_overlap_is_intersection_over_union(other, expected):
    face = Face((0, 0, 10, 10), 1)
    assert face.overlap(Face(other, 1)) == pytest.approx(expected)
    assert face.overlap(other) == pytest.approx(expected)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_1(one, other):
    overlap = Face(one, 1).overlap(Face(other, 1))
    assert 0 <= overlap <= 1 + 1e-9
    assert overlap == pytest.approx(Face(other, 1).overlap(Face(one, 1)))


@given(boxes, st.floats(0.01, 100))
def test_scaling_moves_box_and_landmarks_and_keeps_the_roll(box, factor):
    face = Face(box, 0.5, UPRIGHT, "mtcnn", raw_box=box)
    scaled = face.scaled(factor)
    assert scaled.width == pytest.approx(face.width * factor, rel=1e-3)
    assert scaled.centre == pytest.approx([value * factor for value in face.centre])
    assert scaled.raw_box == scaled.box
    assert scaled.roll == pytest.approx(face.roll)


@pytest.mark.parametrize(
    "arguments",
    [
        {"box": (0, 0, 10)},
        {"box": (10, 0, 0, 10)},
        {"box": (0, 5, 10, 5)},
        {"box": (0, 0, math.nan, 10)},
        {"box": (0, 0, math.inf, 10)},
        {"score": math.nan},
        {"landmarks": UPRIGHT[:4]},
        {"landmarks": [(1, 2, 3)] * 5},
        {"landmarks": [(math.nan, 0)] * 5},
        {"raw_box": (1, 1, 0, 0)},
    ],
)
def test_an_invalid_face_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Face(**{"box": (0, 0, 10, 10), "score": 0.5, **arguments})


def test_a_face_that_is_turned_back_is_where_it_was():
    face = Face((10, 20, 50, 80), 0.9, UPRIGHT)
    lying = face.turned(90, 100, 200)  # the image is then 200 wide and 100 high
    assert lying.box == (120, 10, 180, 50)
    assert (lying.turn, lying.roll) == (90, 90)
    assert lying.yaw == pytest.approx(face.yaw)
    assert lying.turned(270, 200, 100) == face
    assert face.turned(180, 100, 200).turned(180, 100, 200) == face
    assert Face.from_dict(json.loads(json.dumps(lying.to_dict()))) == lying
    with pytest.raises(ValueError, match="270"):
        face.turned(45, 100, 200)


def test_a_face_stored_before_there_were_turns_opens_as_upright():
    stored = Face((10, 20, 50, 80), 0.9, UPRIGHT).to_dict()
    del stored["turn"]
    assert Face.from_dict(stored).turn == 0


def test_a_face_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Face((0, 0, 1, 1), 1).score = 2


def test_to_dict_is_safe_for_json(mtcnn, portrait):
    for face in (Face((0, 0, 1, 1), 1), *mtcnn.detect([portrait])[0]):
        entry = json.loads(json.dumps(face.to_dict()))
        assert Face(**entry) == face
