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


def one_by_one(policy, picture, count=1):
    """So many versions of a picture, by albumentations."""
    augmenter = ImageAugmenter(policy)
    return np.stack([augmenter(picture, sample_seed(0, 0, index)) for index in range(count)]).astype(float)


def together(policy, picture, count=1):
    """The same by torch."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1).expand(count, -1, -1, -1)
    x = BatchAugmenter(policy, count)(pixels, 0, torch.arange(count))
    return x.permute(0, 2, 3, 1).numpy().astype(float)


both = pytest.mark.parametrize("augmented", [one_by_one, together])


def texture(channels=1):
    """Waves of another length in every channel: smooth, and different everywhere."""
    y, x = np.indices((SIDE, SIDE))
    waves = [np.sin(x / (3 + channel)) + np.cos(y / (4 + channel)) for channel in range(channels)]
    return np.stack([120 + 40 * wave for wave in waves], axis=2).astype(np.uint8)


def ellipse():
    """A leaning bright spot on a dark ground, above the centre and a little right of it."""
    y, x = np.indices((SIDE, SIDE))
    distance = ((x - 17 + 0.5 * (y - 9)) / 6) ** 2 + ((y - 9) / 4) ** 2
    return (40 + 160 * np.exp(-(distance**2)))[..., None].astype(np.uint8)


def spot():
    """A small round light in the dark, 6 pixels right of the centre and 6 above it."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    return (240 * np.exp(-((x - 6) ** 2 + (y + 6) ** 2) / 6))[..., None].astype(np.uint8)


def flat(grey=100, channels=1):
    return np.full((SIDE, SIDE, channels), grey, np.uint8)


def halves():
    """150 above and 50 below."""
    return np.concatenate([flat(150)[: SIDE // 2], flat(50)[SIDE // 2 :]])


def places(pictures):
    """Where the light lies, right and down of the centre, in pixels."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = pictures[..., 0] / pictures[..., 0].sum(axis=(1, 2), keepdims=True)
    return (weights * x).sum(axis=(1, 2)), (weights * y).sum(axis=(1, 2))


def measures(pictures):
    """Grey, contrast, place, size and direction of each picture, a column each."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = pictures[..., 0] / pictures[..., 0].sum(axis=(1, 2), keepdims=True)
    moments = [(weights * term).sum(axis=(1, 2)) for term in (x, y, x * x, y * y, x * y)]
    return np.stack([pictures.mean(axis=(1, 2, 3)), pictures.std(axis=(1, 2, 3)), *moments], axis=1)


@pytest.mark.parametrize("name", POLICIES)
def test_both_back_ends_draw_alike(name):
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
def test_both_back_ends_give_the_same_picture_where_nothing_is_left_to_chance(arguments, channels):
    policy, picture = Policy(**arguments), texture(channels)
    (first,), (second,) = one_by_one(policy, picture), together(policy, picture)
    assert np.abs(first - second).max() < 2
    assert np.abs(first - picture).mean() > 5


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
def test_directions_are_as_they_are_described(augmented, arguments, right, down):
    (x,), (y,) = places(augmented(Policy(**arguments), spot()))
    assert (x, y) == pytest.approx((right, down), abs=0.15)


@both
def test_contrast_is_about_the_mean_and_brightness_about_black(augmented):
    (result,) = augmented(Policy(contrast=(0.5, 0.5), brightness=(1.2, 1.2)), halves())
    assert result[0, 0, 0] == pytest.approx(1.2 * 125, abs=2)
    assert result[-1, 0, 0] == pytest.approx(1.2 * 75, abs=2)


@both
def test_light_stays_within_what_pixels_hold(augmented):
    assert (augmented(Policy(brightness=(1.5, 1.5)), flat(200)) == 255).all()
    assert set(np.unique(augmented(Policy(contrast=(9, 9)), halves()))) == {0, 255}


def turns(pictures):
    x, y = places(pictures)
    return np.degrees(np.arctan2(-y, x)) - 45


def leans(pictures):
    return np.degrees(np.arctan((places(pictures)[0] - 6) / 6))


def zooms(pictures):
    return np.hypot(*places(pictures)) / math.hypot(6, 6)


RANGES = {
    "turn": ((-30, 20), spot(), turns),
    "shear": ((-20, 10), spot(), leans),
    "shift": ((-0.25, 0.125), spot(), lambda pictures: (places(pictures)[0] - 6) / SIDE),
    "zoom": ((0.7, 1.1), spot(), zooms),
    "contrast": ((0.6, 1.2), halves(), lambda pictures: (pictures[:, 0, 0, 0] - pictures[:, -1, 0, 0]) / 100),
    "brightness": ((0.9, 1.3), flat(), lambda pictures: pictures[:, 0, 0, 0] / 100),
    "erased": ((0.1, 0.4), flat(), lambda pictures: (pictures[..., 0] != 100).mean(axis=(1, 2))),
}


@both
@pytest.mark.parametrize("name", RANGES)
def test_ranges_are_kept_and_filled(augmented, name):
    (low, high), picture, measure = RANGES[name]
    erase = float(name == "erased")
    found = np.sort(measure(augmented(Policy(**{name: (low, high)}, erase=erase), picture, 400)))
    found = found[2:] if erase else found  # one of 256 rectangles has the grey of the picture
    slack = 0.1 * (high - low)  # shifts, of whole pixels, end up to one short of the range
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
def test_what_happens_is_drawn_apart(augmented):
    pictures = augmented(Policy(mirror=0.5, shift=(-0.15, 0.15), brightness=(0.7, 1)), spot(), 1000)
    x, y = places(pictures)
    right, down, light = x - 6 * np.sign(x), y + 6, pictures.sum(axis=(1, 2, 3))
    assert np.abs(np.corrcoef([x < 0, right, down, light])[np.triu_indices(4, 1)]).max() < 0.12


@both
@pytest.mark.parametrize("alone", [False, True])
def test_zooms_of_height_and_width_are_one_or_two(augmented, alone):
    x, y = places(augmented(Policy(zoom=(0.7, 1.1), zoom_each_axis=alone), spot(), 400))
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.15 if alone else x == pytest.approx(-y, abs=0.1)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rectangle_is_erased_to_one_grey(augmented, channels):
    (picture,) = augmented(Policy(erase=1, erased=(0.2, 0.2)), flat(7, channels))
    rows, columns = np.nonzero((picture != 7).any(axis=2))
    hole = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (hole == hole[0, 0, 0]).all()
    assert hole.shape[0] * hole.shape[1] == len(rows) == pytest.approx(0.2 * SIDE**2, rel=0.1)


@both
def test_the_edge_is_repeated(augmented):
    picture = texture()
    (result,) = augmented(Policy(shift=(0.5, 0.5)), picture)
    assert result[: SIDE // 2, : SIDE // 2] == pytest.approx(picture[0, 0, 0], abs=1)
    assert result[SIDE // 2 :, 0, 0] == pytest.approx(picture[: SIDE // 2, 0, 0], abs=1)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_none_returns_the_pixels_unchanged(augmented, channels):
    picture = texture(channels)
    assert (augmented(find_policy("none"), picture, 3) == picture).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_keep_their_shape_and_the_original_stays(name, channels):
    picture = texture(channels)[:, :24]
    result = ImageAugmenter(find_policy(name))(picture, 5)
    assert (result.shape, result.dtype) == (picture.shape, np.uint8)
    assert (picture == texture(channels)[:, :24]).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_keep_their_shape_and_the_originals_stay(name, channels):
    pixels = torch.arange(2 * channels * 64, dtype=torch.uint8).view(2, channels, 8, 8)
    before = pixels.clone()
    x = BatchAugmenter(find_policy(name), 9)(pixels, 0, torch.tensor([8, 3]))
    assert (x.shape, x.dtype) == (pixels.shape, torch.float32)
    assert 0 <= x.min() <= x.max() <= 255
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("name", ["mirror", "tilted", "classic", "strong", "degraded"])
def test_a_seed_decides_a_picture_in_any_order_and_process(name):
    augmenter = ImageAugmenter(find_policy(name))
    forwards = [augmenter(texture(), seed) for seed in range(20)]
    elsewhere = pickle.loads(pickle.dumps(augmenter))
    backwards = [elsewhere(texture(), seed) for seed in reversed(range(20))]
    assert np.array_equal(forwards, backwards[::-1])
    assert len({picture.tobytes() for picture in forwards}) > 1


@pytest.mark.parametrize("name", ["mirror", "tilted", "classic", "strong", "degraded"])
def test_seed_epoch_and_index_decide_a_sample_in_any_batch(name):
    pixels = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    augmenter, order = BatchAugmenter(find_policy(name), 40), torch.randperm(40)
    whole = augmenter(pixels, 3, torch.arange(40))
    augmenter(pixels, 4, torch.arange(40))
    parts = [augmenter(pixels[some], 3, some) for some in order.split(7)]
    assert torch.equal(torch.cat(parts), whole[order])


@pytest.mark.parametrize("policy", [find_policy("strong"), Policy(noise=1), Policy(gamma=1), Policy(blur=1)])
def test_every_seed_and_epoch_is_another_one(policy):
    pixels = torch.randint(0, 256, (16, 1, 8, 8), dtype=torch.uint8)
    results = [
        BatchAugmenter(policy, 16, seed)(pixels, epoch, torch.arange(16))
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert [torch.equal(result, results[0]) for result in results] == [True, False, False, True]


@pytest.mark.parametrize("picture", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.float32)])
def test_other_pictures_are_refused(picture):
    with pytest.raises(ValueError, match="height, width, channels"):
        ImageAugmenter(find_policy("none"))(picture, 0)


@pytest.mark.parametrize(
    "pixels", [torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8).byte(), torch.zeros(1, 1, 8, 9).byte()]
)
def test_other_batches_are_refused(pixels):
    with pytest.raises(ValueError, match="N, channels, size, size"):
        BatchAugmenter(find_policy("none"), 1)(pixels, 0, torch.tensor([0]))
