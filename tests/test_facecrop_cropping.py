import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecrop import CropSpec, Face, crop_face

PLAIN = CropSpec(size=48, margin=0.0)


def texture(height=200, width=240):
    """Smooth noise: every place differs from its neighbours, and small shifts change little."""
    noise = np.random.default_rng(1).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int)).mean()


def test_a_crop_of_its_own_size_is_cut_out_unchanged():
    image = texture()
    crop = crop_face(image, Face((60, 50, 108, 98), 1), PLAIN)
    assert (crop == image[50:98, 60:108]).all()
    assert crop.dtype == np.uint8


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_reducing_averages(factor):
    image = texture()
    side = 48 * factor
    crop = crop_face(image, Face((5, 3, 5 + side, 3 + side), 1), PLAIN)
    expected = cv2.resize(image[3 : 3 + side, 5 : 5 + side], (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(crop.astype(int) - expected).max() <= 1


def test_reducing_leaves_no_moire():
    checkers = np.indices((240, 240)).sum(axis=0) % 2 * 255
    image = np.repeat(checkers.astype(np.uint8)[..., None], 3, axis=2)
    for angle in (0, 20):
        face = Face((40, 40, 200, 200), 1, turned_landmarks((120, 120), angle))
        crop = crop_face(image, face, CropSpec(size=40, margin=0, align=True))
        assert np.abs(crop.astype(int) - 127).max() < 30


def test_enlarging_is_cubic():
    image = texture()
    crop = crop_face(image, Face((60, 50, 76, 66), 1), PLAIN)
    expected = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)[150:198, 180:228]
    assert np.abs(crop.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("scale", [0.5, 2, 3.7])
def test_the_margin_scales_with_the_box(scale):
    image = texture()
    larger = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    face = Face((80, 60, 160, 140), 1)
    spec = CropSpec(size=32, margin=0.2)
    assert difference(crop_face(image, face, spec), crop_face(larger, face.scaled(scale), spec)) < 4


def test_the_crop_is_a_square_of_the_box_width_about_its_centre():
    image = texture()
    tall = Face((100, 50, 148, 110), 1)
    assert (crop_face(image, tall, PLAIN) == image[56:104, 100:148]).all()
    wide = crop_face(image, tall, CropSpec(size=96, margin=0.5))
    assert (wide == image[32:128, 76:172]).all()


def test_fer2013_framing_is_a_grey_square_of_five_quarters_of_the_width():
    spec = CropSpec.fer2013()
    assert (spec.size, spec.margin, spec.align, spec.grey) == (48, 0.125, False, True)
    image = texture()
    crop = crop_face(image, Face((100, 60, 180, 164), 1), CropSpec.fer2013(size=100))
    grey = cv2.cvtColor(image[62:162, 90:190], cv2.COLOR_RGB2GRAY)
    assert (crop == grey[..., None]).all()
    assert crop.shape == (100, 100, 3)


@pytest.mark.parametrize(
    "box", [(-24, 50, 24, 98), (216, 50, 264, 98), (60, -24, 108, 24), (60, 176, 108, 224), (-30, -30, 18, 18)]
)
def test_a_crop_over_the_edge_repeats_the_edge(box):
    image = texture()
    padded = cv2.copyMakeBorder(image, 50, 50, 50, 50, cv2.BORDER_REPLICATE)
    x, y = int(box[0]) + 50, int(box[1]) + 50
    assert (crop_face(image, Face(box, 1), PLAIN) == padded[y : y + 48, x : x + 48]).all()


def test_a_crop_outside_the_image_shows_the_nearest_edge():
    image = texture()
    crop = crop_face(image, Face((1000, 1000, 1048, 1048), 1), PLAIN)
    assert (crop == image[-1, -1]).all()


def turned_landmarks(centre, degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    points = [(-16, -8), (16, -8), (0, 6), (-12, 20), (12, 20)]
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in points]


@pytest.mark.parametrize("degrees", [-35, -10, 0, 25, 80])
def test_alignment_turns_the_face_back(degrees):
    image = texture()
    matrix = cv2.getRotationMatrix2D((119.5, 99.5), -degrees, 1)  # OpenCV counts against the clock
    turned = cv2.warpAffine(image, matrix, (240, 200), flags=cv2.INTER_CUBIC)
    box, spec = (80, 60, 160, 140), CropSpec(size=64, margin=0, align=True)
    upright = crop_face(image, Face(box, 1, turned_landmarks((120, 100), 0)), spec)
    assert difference(crop_face(turned, Face(box, 1, turned_landmarks((120, 100), degrees)), spec), upright) < 4


def test_alignment_needs_landmarks():
    with pytest.raises(ValueError, match="dlib"):
        crop_face(texture(), Face((0, 0, 9, 9), 1, detector="dlib"), CropSpec(align=True))


def test_a_framed_face_takes_no_margin(detectors):
    image = texture(48, 48)
    (face,) = detectors["whole"].detect([image])[0]
    assert (crop_face(image, face, CropSpec(size=48, margin=0.4)) == image).all()


def test_a_framed_face_is_padded_and_not_squeezed(detectors):
    image = texture(40, 80)
    (face,) = detectors["whole"].detect([image])[0]
    crop = crop_face(image, face, CropSpec(size=80))
    assert (crop[20:60] == image).all()
    assert (crop[:20] == image[0]).all()


def test_panoramas_too_wide_for_opencv_are_cropped():
    image = np.zeros((10, 40_000, 3), np.uint8)
    image[:, 20_000:] = 200
    crop = crop_face(image, Face((0, 0, 40_000, 10), 1, framed=True), CropSpec(size=16))
    assert crop[8, 0].tolist() == [0, 0, 0]
    assert crop[8, 15].tolist() == [200, 200, 200]
    line = crop_face(image[:1], Face((0, 0, 40_000, 1), 1, framed=True), CropSpec(size=16))
    assert line[8, 15].tolist() == [200, 200, 200]
    small = crop_face(image, Face((39_000, 0, 39_048, 48), 1), PLAIN)
    assert (small == 200).all()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-300, 500),
    st.floats(-300, 500),
    st.floats(0.5, 400),
    st.integers(1, 130),
    st.floats(-0.4, 2),
    st.floats(-180, 180),
)
def test_any_face_gives_a_crop_of_the_size_asked_for(x, y, side, size, margin, degrees):
    face = Face((x, y, x + side, y + side), 1, turned_landmarks((x, y), degrees))
    crop = crop_face(texture(), face, CropSpec(size=size, margin=margin, align=True))
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8


@pytest.mark.parametrize(
    "arguments", [{"size": 0}, {"size": 4.5}, {"size": True}, {"margin": -0.5}, {"margin": math.nan}]
)
def test_invalid_crop_specs_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        CropSpec(**arguments)


def test_a_crop_spec_survives_to_dict():
    spec = CropSpec(size=96, margin=0.3, align=True)
    assert CropSpec(**spec.to_dict()) == spec


def test_an_image_without_channels_is_refused():
    with pytest.raises(ValueError, match="shape"):
        crop_face(np.zeros((9, 9), np.uint8), Face((0, 0, 9, 9), 1), PLAIN)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_face_that_lies_on_its_side_is_upright_in_its_crop(degrees, align):
    image, spec = texture(), CropSpec(size=48, align=align)
    eyes = ((80, 90), (110, 93), (96, 105), (84, 120), (108, 122))
    face = Face((70, 60, 120, 140), 1, eyes)
    lying = np.ascontiguousarray(np.rot90(image, -degrees // 90))  # clockwise
    crop = crop_face(lying, face.turned(degrees, *image.shape[1::-1]), spec)
    assert np.abs(crop.astype(int) - crop_face(image, face, spec)).max() <= 2
