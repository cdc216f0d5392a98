import math

import numpy as np
import pytest

from facecrop import Face
from facecrop.second_look import look_again, look_turned


def test_a_face_is_found_again_in_its_own_crop_and_a_wall_is_not(mtcnn, portrait):
    ((face,),) = mtcnn.detect([portrait])
    wall = Face((20, 20, 60, 70), score=0.8)
    again = look_again([(portrait, face), (np.full((90, 90, 3), 128, np.uint8), wall)], mtcnn)
    assert again[0] > 0.9
    assert again[1] == -math.inf


def test_what_is_found_elsewhere_in_the_crop_is_another_face(mtcnn, portrait):
    ((face,),) = mtcnn.detect([portrait])
    x1, y1, x2, y2 = face.box
    beside = Face((x1 + face.width, y1, x2 + face.width, y2), score=0.8)
    assert look_again([(portrait, beside)], mtcnn) == [-math.inf]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_on_its_side_has_the_faces_of_the_upright_one(mtcnn, portrait, quarters):
    ((upright,),) = mtcnn.detect([portrait])
    lying = np.ascontiguousarray(np.rot90(portrait, -quarters))  # clockwise
    (found,) = look_turned(lying, mtcnn)
    assert found == upright.turned(90 * quarters, *portrait.shape[1::-1])
    assert look_again([(lying, found)], mtcnn)[0] > 0.9


def test_an_image_without_a_face_has_none_in_any_turn(mtcnn):
    assert look_turned(np.zeros((60, 90, 3), np.uint8), mtcnn) == []


def test_a_large_photo_is_reduced_to_find_its_turn_and_searched_as_it_is():
    searched = []

    class Finder:
        name = "made_up"

        def detect(self, images):
            searched.append([image.shape[:2] for image in images])
            return [[Face((1, 1, 21, 31), 0.9)] if image.shape[0] > image.shape[1] else [] for image in images]

    (found,) = look_turned(np.zeros((1200, 2400, 3), np.uint8), Finder())
    assert searched == [[(512, 256), (256, 512), (512, 256)], [(2400, 1200)]]
    assert (found.turn, found.box) == (90, (1200 * 2 - 31, 1, 2400 - 1, 21))
