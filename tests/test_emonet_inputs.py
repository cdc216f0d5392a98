import json

import cv2
import numpy as np
import pytest
import torch

from emonet.models.inputs import InputSpec


def texture(height, width, channels=3):
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


def pixels(*values):
    """One picture of 8 x 8 pixels in rows of the values, as a batch."""
    rows = np.resize(np.array(values, np.uint8), (8, 1))
    return torch.from_numpy(np.repeat(rows, 8, axis=1))[None, None]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (InputSpec(size=8), [0.0, 0.2, 1.0]),
        (InputSpec(size=8, scaling="centred"), [-1.0, -77 / 128, 127 / 128]),
        (InputSpec(size=8, scaling="standardised", mean=(0.2,), std=(0.4,)), [-0.5, 0.0, 2.0]),
    ],
)
def test_pixels_are_scaled_as_the_formula_says(spec, expected):
    x = spec.scale(pixels(0, 51, 255))
    assert x.dtype == torch.float32
    assert x[0, 0, :3, 5].tolist() == pytest.approx(expected, abs=1e-6)


def test_each_channel_has_its_own_mean():
    spec = InputSpec(size=8, channels=3, scaling="standardised", mean=(0.0, 0.2, 0.4), std=(1.0, 0.5, 0.1))
    x = spec.scale(torch.full((2, 3, 8, 8), 51, dtype=torch.uint8))
    assert x[1, :, 3, 3].tolist() == pytest.approx([0.2, 0.0, -2.0], abs=1e-6)


def test_per_picture_removes_light_and_contrast():
    x = InputSpec(size=8, scaling="per_picture").scale(torch.cat([pixels(0, 255), pixels(90, 110), pixels(70)]))
    assert x[0, 0, :2, 0].tolist() == pytest.approx([-1, 1], abs=1e-5)
    assert torch.allclose(x[0], x[1], atol=1e-5)
    assert x[2].abs().max() == 0


def test_per_picture_keeps_colours_apart():
    coloured = torch.cat([pixels(0), pixels(255), pixels(0), pixels(255)], dim=1)[:, :3]
    x = InputSpec(size=8, channels=3, scaling="per_picture").scale(coloured)
    assert x[0, :, 0, 0].tolist() == pytest.approx([-(2**-0.5), 2**0.5, -(2**-0.5)], abs=1e-5)


def neighbourhood(image, y, x):
    return image[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5]


def test_local_contrast_compares_each_pixel_with_those_about_it():
    image = texture(16, 16)[..., 0] / 255
    centred = np.array([[image[y, x] - neighbourhood(image, y, x).mean() for x in range(16)] for y in range(16)])
    spread = [[np.sqrt((neighbourhood(centred, y, x) ** 2).mean()) for x in range(16)] for y in range(16)]
    scaled = InputSpec(size=16, scaling="local_contrast").scale(torch.tensor(image * 255)[None, None])
    assert scaled[0, 0].numpy() == pytest.approx(centred / spread, abs=1e-4)


def test_local_contrast_of_a_flat_image_is_zero():
    assert InputSpec(size=8, scaling="local_contrast").scale(pixels(200)).abs().max() < 1e-4


def test_scaling_without_statistics_is_refused():
    spec = InputSpec(scaling="standardised")
    assert not spec.measured
    with pytest.raises(ValueError, match="mean and std of the training images are not known yet"):
        spec.scale(torch.zeros(1, 1, 48, 48))


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_those_of_numpy(channels):
    pictures = np.stack([texture(8, 8, channels), texture(8, 8, channels) // 3])
    spec = InputSpec(size=8, channels=channels, scaling="standardised").with_statistics(pictures)
    assert spec.measured
    assert spec.mean == pytest.approx((pictures / 255).mean(axis=(0, 1, 2)), rel=1e-12)
    assert spec.std == pytest.approx((pictures / 255).std(axis=(0, 1, 2)), rel=1e-12)


def test_statistics_of_flat_images_are_not_zero():
    spec = InputSpec(size=8, scaling="standardised").with_statistics(np.full((3, 8, 8, 1), 51, np.uint8))
    assert spec.mean == pytest.approx([0.2])
    assert spec.scale(pixels(51)).abs().max() < 1e-3


def test_only_standardised_takes_statistics():
    with pytest.raises(ValueError, match="if standardised"):
        InputSpec(size=8).with_statistics(texture(8, 8, 1)[None])


def test_colour_becomes_grey_by_brightness():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    picture = InputSpec(size=8).resize(np.resize(colours, (8, 8, 3)))
    assert picture.shape == (8, 8, 1)
    assert picture[0, :4, 0].tolist() == [76, 150, 29, 9]


def test_a_crop_of_the_right_size_is_not_changed():
    image = texture(8, 8)
    assert (InputSpec(size=8, channels=3).resize(image) == image).all()


def test_reducing_averages():
    image = texture(32, 32)
    expected = image.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    assert np.abs(InputSpec(size=8, channels=3).resize(image) - expected).max() <= 0.5


@pytest.mark.parametrize("side", [9, 11, 13])
def test_reducing_by_any_factor_keeps_the_mean(side):
    image = texture(side, side)
    assert InputSpec(size=8, channels=3).resize(image).mean() == pytest.approx(image.mean(), abs=0.6)


@pytest.mark.parametrize("channels", [1, 3])
def test_enlarging_is_cubic(channels):
    image = texture(10, 10)
    expected = cv2.resize(image, (24, 24), interpolation=cv2.INTER_CUBIC)
    picture = InputSpec(size=24, channels=channels).resize(image)
    assert picture.shape == (24, 24, channels)
    if channels == 3:
        assert (picture == expected).all()


def test_a_spec_is_read_back_from_json():
    spec = InputSpec(size=40, channels=3, scaling="standardised", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert InputSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="unknown fields of an input: colour, width"):
        InputSpec.from_dict({"size": 48, "width": 48, "colour": True})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": 7}, "size must be a whole number of pixels, at least 8, got 7"),
        ({"size": 48.0}, "size .* got 48.0"),
        ({"size": True}, "size .* got True"),
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"channels": True}, "channels must be 1 or 3, got True"),
        ({"scaling": "zscore"}, "scaling must be one of unit, centred, standardised, .*, got 'zscore'"),
        ({"mean": (0.5,), "std": (0.5,)}, "if standardised"),
        ({"scaling": "standardised", "mean": (0.5,)}, "one number for each of 1 channels"),
        ({"scaling": "standardised", "mean": (0.5,) * 3, "std": (0.5,) * 3}, "one number for each of 1 channels"),
        ({"scaling": "standardised", "mean": (0.5,), "std": (0.0,)}, r"std must be above 0, got \(0.0,\)"),
        ({"scaling": "standardised", "mean": ("grey",), "std": (0.5,)}, "grey"),
    ],
)
def test_impossible_specs_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        InputSpec(**fields)
