import math
import pickle

import numpy as np
import pytest
import torch

from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.chance import sample_seed
from emonet.training.image_augmenter import ImageAugmenter
from emonet.training.policies import POLICIES, Policy, find_policy

SIDE = 32


def one_by_one(policy, image, count=1):
    """Make `count` versions of an image with albumentations."""
    augmenter = ImageAugmenter(policy)
    return np.stack([augmenter(image, sample_seed(0, 0, index)) for index in range(count)]).astype(float)


def together(policy, image, count=1):
    """Make `count` versions of an image with torch."""
    pixels = torch.from_numpy(image).permute(2, 0, 1).expand(count, -1, -1, -1)
    x = BatchAugmenter(policy, count)(pixels, 0, torch.arange(count))
    return x.permute(0, 2, 3, 1).numpy().astype(float)


both = pytest.mark.parametrize("augmented", [one_by_one, together])


def texture(channels=1):
    """Draw smooth waves, with another wavelength in each channel."""
    y, x = np.indices((SIDE, SIDE))
    waves = [np.sin(x / (3 + channel)) + np.cos(y / (4 + channel)) for channel in range(channels)]
    return np.stack([120 + 40 * wave for wave in waves], axis=2).astype(np.uint8)


def ellipse():
    """Draw a slanted bright spot on a dark ground, above the centre and slightly to the right."""
    y, x = np.indices((SIDE, SIDE))
    distance = ((x - 17 + 0.5 * (y - 9)) / 6) ** 2 + ((y - 9) / 4) ** 2
    return (40 + 160 * np.exp(-(distance**2)))[..., None].astype(np.uint8)


def spot():
    """Draw a small round light in the dark, 6 pixels right of the centre and 6 above it."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    return (240 * np.exp(-((x - 6) ** 2 + (y + 6) ** 2) / 6))[..., None].astype(np.uint8)


def flat(grey=100, channels=1):
    return np.full((SIDE, SIDE, channels), grey, np.uint8)


def halves():
    """Draw 150 above and 50 below."""
    return np.concatenate([flat(150)[: SIDE // 2], flat(50)[SIDE // 2 :]])


def places(images):
    """Measure where the light lies: pixels to the right of the centre, and down."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    return (weights * x).sum(axis=(1, 2)), (weights * y).sum(axis=(1, 2))


def measures(images):
    """Measure grey, contrast, place, size and direction of each image, one per column."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    moments = [(weights * term).sum(axis=(1, 2)) for term in (x, y, x * x, y * y, x * y)]
    return np.stack([images.mean(axis=(1, 2, 3)), images.std(axis=(1, 2, 3)), *moments], axis=1)


@pytest.mark.parametrize("name", POLICIES)
def test_both_back_ends_draw_from_the_same_distributions(name):
    policy = find_policy(name)
    first, second = (measures(augmented(policy, ellipse(), 1500)) for augmented in (one_by_one, together))
    slack = 0.01 * np.abs(second.mean(axis=0)) + 0.05
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 0.15 * second.std(axis=0) + slack).all()
    assert (np.abs(first.std(axis=0) - second.std(axis=0)) < 0.12 * second.std(axis=0) + slack).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"mirror": 1},
        {"turn": (10, 10)},
        {"turn": (-25, -25)},
        {"shear": (15, 15)},
        {"shift": (0.22, 0.22)},
        {"shift": (-0.22, -0.22)},
        {"zoom": (1.3, 1.3)},
        {"zoom": (0.7, 0.7)},
        {"contrast": (1.2, 1.2)},
        {"brightness": (0.8, 0.8)},
        {"mirror": 1, "turn": (20, 20), "shear": (-15, -15), "shift": (0.2, 0.2), "zoom": (1.3, 1.3)},
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_both_back_ends_agree_on_policies_without_chance(arguments, channels):
    policy, image = Policy(**arguments), texture(channels)
    (first,), (second,) = one_by_one(policy, image), together(policy, image)
    assert np.abs(first - second).max() < 2
    assert np.abs(first - image).mean() > 5


@both
@pytest.mark.parametrize(
    ("arguments", "right", "down"),
    [
        ({"mirror": 1}, -6, -6),
        ({"turn": (90, 90)}, -6, -6),
        ({"turn": (45, 45)}, 0, -6 * math.sqrt(2)),
        ({"shear": (20, 20)}, 6 + 6 * math.tan(math.radians(20)), -6),
        ({"shift": (0.1, 0.1)}, 9, -3),
        ({"zoom": (0.5, 0.5)}, 3, -3),
        ({"zoom": (1.2, 1.2)}, 7.2, -7.2),
        ({"zoom": (0.5, 0.5), "shift": (0.125, 0.125)}, 7, 1),
        ({"turn": (90, 90), "shift": (0.125, 0.125)}, -2, -2),
    ],
)
def test_mirror_turn_shear_shift_and_zoom_move_as_documented(augmented, arguments, right, down):
    (x,), (y,) = places(augmented(Policy(**arguments), spot()))
    assert (x, y) == pytest.approx((right, down), abs=0.15)


@both
def test_contrast_keeps_the_mean_and_brightness_keeps_black(augmented):
    (result,) = augmented(Policy(contrast=(0.5, 0.5), brightness=(1.2, 1.2)), halves())
    assert result[0, 0, 0] == pytest.approx(1.2 * 125, abs=2)
    assert result[-1, 0, 0] == pytest.approx(1.2 * 75, abs=2)


@both
def test_pixels_stay_between_0_and_255(augmented):
    assert (augmented(Policy(brightness=(1.5, 1.5)), flat(200)) == 255).all()
    assert set(np.unique(augmented(Policy(contrast=(9, 9)), halves()))) == {0, 255}


def turns(images):
    x, y = places(images)
    return np.degrees(np.arctan2(-y, x)) - 45


def leans(images):
    return np.degrees(np.arctan((places(images)[0] - 6) / 6))


def zooms(images):
    return np.hypot(*places(images)) / math.hypot(6, 6)


RANGES = {
    "turn": ((-30, 20), spot(), turns),
    "shear": ((-20, 10), spot(), leans),
    "shift": ((-0.25, 0.125), spot(), lambda images: (places(images)[0] - 6) / SIDE),
    "zoom": ((0.7, 1.1), spot(), zooms),
    "contrast": ((0.6, 1.2), halves(), lambda images: (images[:, 0, 0, 0] - images[:, -1, 0, 0]) / 100),
    "brightness": ((0.9, 1.3), flat(), lambda images: images[:, 0, 0, 0] / 100),
    "erased": ((0.1, 0.4), flat(), lambda images: (images[..., 0] != 100).mean(axis=(1, 2))),
}


@both
@pytest.mark.parametrize("name", RANGES)
def test_draws_fill_their_range_and_stay_within_it(augmented, name):
    (low, high), image, measure = RANGES[name]
    erase = float(name == "erased")
    found = np.sort(measure(augmented(Policy(**{name: (low, high)}, erase=erase), image, 400)))
    found = found[2:] if erase else found  # one rectangle of 256 has the grey of the image
    slack = 0.1 * (high - low)  # shifts are whole pixels and may miss the end of the range by one
    assert low - slack < found[0] < low + slack
    assert high - slack < found[-1] < high + slack
    assert np.median(found) == pytest.approx((low + high) / 2, abs=1.5 * slack)


@both
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_probabilities_are_kept(augmented, share):
    mirrored = places(augmented(Policy(mirror=share), spot(), 1000))[0] < 0
    turned = places(augmented(Policy(turn=(90, 90), placed=share), spot(), 1000))[0] < 0
    erased = (augmented(Policy(erase=share), flat(), 1000) != 100).any(axis=(1, 2, 3))
    for happened in (mirrored, turned, erased):
        assert happened.mean() == pytest.approx(share, abs=0.06)


@both
def test_transforms_are_drawn_independently(augmented):
    images = augmented(Policy(mirror=0.5, shift=(-0.15, 0.15), brightness=(0.7, 1)), spot(), 1000)
    x, y = places(images)
    right, down, light = x - 6 * np.sign(x), y + 6, images.sum(axis=(1, 2, 3))
    assert np.abs(np.corrcoef([x < 0, right, down, light])[np.triu_indices(4, 1)]).max() < 0.12


@both
@pytest.mark.parametrize("alone", [False, True])
def test_zoom_each_axis_draws_height_and_width_alone(augmented, alone):
    x, y = places(augmented(Policy(zoom=(0.7, 1.1), zoom_each_axis=alone), spot(), 400))
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.15 if alone else x == pytest.approx(-y, abs=0.1)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rectangle_is_erased_to_one_grey(augmented, channels):
    (image,) = augmented(Policy(erase=1, erased=(0.2, 0.2)), flat(7, channels))
    rows, columns = np.nonzero((image != 7).any(axis=2))
    hole = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (hole == hole[0, 0, 0]).all()
    assert hole.shape[0] * hole.shape[1] == len(rows) == pytest.approx(0.2 * SIDE**2, rel=0.1)


@both
def test_shifting_repeats_the_edge(augmented):
    image = texture()
    (result,) = augmented(Policy(shift=(0.5, 0.5)), image)
    assert result[: SIDE // 2, : SIDE // 2] == pytest.approx(image[0, 0, 0], abs=1)
    assert result[SIDE // 2 :, 0, 0] == pytest.approx(image[: SIDE // 2, 0, 0], abs=1)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_none_returns_the_pixels_unchanged(augmented, channels):
    image = texture(channels)
    assert (augmented(find_policy("none"), image, 3) == image).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmenting_an_image_keeps_its_shape_and_the_original(name, channels):
    image = texture(channels)[:, :24]
    result = ImageAugmenter(find_policy(name))(image, 5)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    assert (image == texture(channels)[:, :24]).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmenting_a_batch_keeps_its_shape_and_the_originals(name, channels):
    pixels = torch.arange(2 * channels * 64, dtype=torch.uint8).view(2, channels, 8, 8)
    before = pixels.clone()
    x = BatchAugmenter(find_policy(name), 9)(pixels, 0, torch.tensor([8, 3]))
    assert (x.shape, x.dtype) == (pixels.shape, torch.float32)
    assert 0 <= x.min() <= x.max() <= 255
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("name", ["mirror", "tilted", "classic", "strong", "degraded"])
def test_a_seed_gives_the_same_image_in_any_order_and_process(name):
    augmenter = ImageAugmenter(find_policy(name))
    forwards = [augmenter(texture(), seed) for seed in range(20)]
    elsewhere = pickle.loads(pickle.dumps(augmenter))
    backwards = [elsewhere(texture(), seed) for seed in reversed(range(20))]
    assert np.array_equal(forwards, backwards[::-1])
    assert len({image.tobytes() for image in forwards}) > 1


@pytest.mark.parametrize("name", ["mirror", "tilted", "classic", "strong", "degraded"])
def test_seed_epoch_and_index_give_the_same_image_in_any_batch(name):
    pixels = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    augmenter, order = BatchAugmenter(find_policy(name), 40), torch.randperm(40)
    whole = augmenter(pixels, 3, torch.arange(40))
    augmenter(pixels, 4, torch.arange(40))
    parts = [augmenter(pixels[some], 3, some) for some in order.split(7)]
    assert torch.equal(torch.cat(parts), whole[order])


@pytest.mark.parametrize("policy", [find_policy("strong"), Policy(noise=1), Policy(gamma=1), Policy(blur=1)])
def test_other_seeds_and_epochs_augment_differently(policy):
    pixels = torch.randint(0, 256, (16, 1, 8, 8), dtype=torch.uint8)
    results = [
        BatchAugmenter(policy, 16, seed)(pixels, epoch, torch.arange(16))
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert [torch.equal(result, results[0]) for result in results] == [True, False, False, True]


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.float32)])
def test_images_of_another_shape_or_type_are_refused(image):
    with pytest.raises(ValueError, match="height, width, channels"):
        ImageAugmenter(find_policy("none"))(image, 0)


@pytest.mark.parametrize(
    "pixels", [torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8).byte(), torch.zeros(1, 1, 8, 9).byte()]
)
def test_batches_of_another_shape_or_type_are_refused(pixels):
    with pytest.raises(ValueError, match="N, channels, size, size"):
        BatchAugmenter(find_policy("none"), 1)(pixels, 0, torch.tensor([0]))
