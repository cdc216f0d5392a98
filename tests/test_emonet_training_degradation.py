from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from test_emonet_training_augmenters import both, flat, measures, one_by_one, spot, texture, together

from emonet.training.batch_augmenter import BatchDegrader
from emonet.training.batch_operations import (
    compress,
    make_blur_matrix,
    make_enlarge_matrix,
    make_shrink_matrix,
    resample,
)
from emonet.training.policies import Policy, find_policy

SIDE = 32
ENLARGING = cv2.INTER_LINEAR, cv2.INTER_CUBIC


def noisy_waves(count=1, side=48):
    """Make images (count, side, side) with as much detail as faces."""
    y, x = np.indices((side, side))
    waves = 120 + 50 * np.sin(x / 4) + 40 * np.cos(y / 5 + x / 9)
    noise = np.random.default_rng(0).normal(0, 8, (count, side, side))
    return (waves + noise).round().clip(0, 255).astype(np.uint8)


def as_batch(images):
    return torch.from_numpy(images)[:, None].float()


def saved(image, quality):
    """Write an image as JPEG and read it."""
    with BytesIO() as file:
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.array(Image.open(file))


def shrunk(image, size, enlarging):
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=enlarging)


@pytest.mark.parametrize("side", [48, 43])
def test_compress_agrees_with_libjpeg_for_each_quality_in_a_batch(side):
    images, qualities = noisy_waves(60, side), np.linspace(1, 100, 60).round().astype(int)
    found = compress(as_batch(images), torch.from_numpy(qualities))[:, 0].numpy()
    expected = np.stack([saved(*pair) for pair in zip(images, qualities.tolist(), strict=True)])
    apart = np.abs(found - expected.astype(float))
    assert apart.mean() < 0.5
    assert np.quantile(apart, 0.9) <= 1  # a coefficient between two steps may be rounded differently
    assert (found == found.round()).all()


def test_colours_are_compressed_channel_by_channel():
    images, qualities = as_batch(noisy_waves(3)).view(1, 3, 48, 48), torch.tensor([30])
    alone = [compress(images[:, [channel]], qualities) for channel in range(3)]
    assert torch.equal(compress(images, qualities), torch.cat(alone, 1))


@pytest.mark.parametrize("cubic", [False, True])
def test_resampling_agrees_with_opencv_for_each_size_in_a_batch(cubic):
    sizes = torch.arange(4, 49)
    images = noisy_waves(len(sizes))
    small = resample(as_batch(images), make_shrink_matrix(sizes, 48, 48))
    enlarge = make_enlarge_matrix(sizes, 48, 48, torch.full(sizes.shape, cubic))
    found = resample(small, enlarge).clamp(0, 255)[:, 0].numpy()
    expected = [shrunk(*pair, ENLARGING[cubic]) for pair in zip(images, sizes.tolist(), strict=True)]
    assert np.abs(found - np.stack(expected).astype(float)).max() < 1.6  # OpenCV rounds twice
    assert (found[-1] == images[-1]).all()


def test_shrink_matrix_repeats_the_last_row():
    matrix = make_shrink_matrix(torch.tensor([10, 12]), 48, 16)
    assert torch.equal(matrix[0, 10:], matrix[0, 9].expand(6, -1))
    assert matrix.sum(2) == pytest.approx(1, abs=1e-5)


def test_blurring_agrees_with_opencv_for_each_sigma_in_a_batch():
    images, sigmas = noisy_waves(9), np.linspace(0.4, 2, 9)
    found = resample(as_batch(images), make_blur_matrix(torch.from_numpy(sigmas).float(), 48, 2.0))[:, 0].numpy()
    blurred = [
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        for image, sigma in zip(images, sigmas, strict=True)
    ]
    assert np.abs(found - np.stack(blurred).astype(float)).max() < 2


@both
def test_gamma_keeps_white_and_black(augmented):
    policy = Policy(gamma=1, gamma_exponent=(0.6, 1.6))
    levels = augmented(policy, flat(100), 400)[:, 0, 0, 0]
    exponents = np.sort(np.log(levels / 255) / np.log(100 / 255))
    assert (exponents[0], exponents[-1]) == pytest.approx((0.6, 1.6), abs=0.03)
    assert np.median(exponents) == pytest.approx(0.98, abs=0.06)
    assert set(np.unique(augmented(policy, flat(255), 20))) == {255}
    assert set(np.unique(augmented(policy, flat(0), 20))) == {0}


@both
def test_blur_widens_a_spot_by_its_sigma(augmented):
    blurred = augmented(Policy(blur=1, blur_sigma=(0.5, 1.5)), spot(), 400)
    widths = (measures(blurred) - measures(spot()[None]))[:, 4]
    sigmas = np.sort(np.sqrt(widths.clip(0)))
    assert (sigmas[0], sigmas[-1]) == pytest.approx((0.5, 1.5), abs=0.1)
    assert np.median(sigmas) == pytest.approx(1, abs=0.1)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_independent_for_each_pixel(augmented, channels):
    noise = augmented(Policy(noise=1, noise_std=(2, 10)), flat(128, channels), 300) - 128
    stds = np.sort(noise.std(axis=(1, 2, 3)))
    assert (stds[0], stds[-1]) == pytest.approx((2, 10), abs=0.5)
    assert np.abs(noise.mean(axis=(1, 2, 3))).max() < 1.5
    neighbours = noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel()
    assert abs(np.corrcoef(*neighbours)[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.02


def nearest(images, known):
    """Find for each image the name of the known image that is most similar."""
    names, shown = zip(*known.items(), strict=True)
    apart = np.abs(images[:, None, ..., 0] - np.stack(shown)[None]).mean(axis=(2, 3))
    assert apart.min(axis=1).max() < 1
    return [names[place] for place in apart.argmin(axis=1)]


@both
def test_shrink_sizes_are_even_on_a_log_scale_and_both_kernels_enlarge(augmented):
    image = noisy_waves(1, SIDE)[0]
    known = {(size, way): shrunk(image, size, way) for size in range(8, SIDE + 1) for way in ENLARGING}
    found = nearest(augmented(Policy(shrink=1, shrink_to=(8, 32)), image[..., None], 500), known)
    sizes = np.sort([size for size, _ in found])
    assert (sizes[0], sizes[-1]) == (8, 32)
    assert np.median(sizes) == pytest.approx(16, abs=1.5)
    assert np.mean([way == cv2.INTER_CUBIC for _, way in found]) == pytest.approx(0.5, abs=0.07)


@both
def test_jpeg_qualities_are_drawn_evenly(augmented):
    image = noisy_waves(1, SIDE)[0]
    known = {quality: saved(image, quality) for quality in range(20, 81)}
    found = np.sort(nearest(augmented(Policy(jpeg=1), image[..., None], 500), known))
    assert found[:3].max() < 25
    assert found[-3:].min() > 75
    assert np.median(found) == pytest.approx(50, abs=5)


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_and_jpeg_are_added_before_enlarging(augmented, channels):
    policy = Policy(shrink=1, shrink_to=(8, 8), noise=1, noise_std=(10, 10), jpeg=1, jpeg_quality=(90, 90))
    noise = augmented(policy, flat(128, channels), 50) - 128
    neighbours = noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel()
    assert np.corrcoef(*neighbours)[0, 1] > 0.8


@both
def test_shrinking_to_more_pixels_than_there_are_changes_nothing(augmented):
    assert (augmented(Policy(shrink=1, shrink_to=(40, 400)), texture(), 20) == texture()).all()


@both
@pytest.mark.parametrize("name", ["gamma", "blur", "shrink", "noise", "jpeg"])
def test_each_degradation_has_its_probability(augmented, name):
    one = Policy(**{name: 0.4}, shrink_to=(10, 20), gamma_exponent=(2, 2), jpeg_quality=(10, 10))
    changed = (np.abs(augmented(one, texture(), 1000) - texture()) > 1e-3).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.4, abs=0.06)


@both
def test_degraded_leaves_two_thirds_of_the_images_as_strong_made_them(augmented):
    degraded, strong = (augmented(find_policy(name), texture(), 600) for name in ("degraded", "strong"))
    same = (degraded == strong).all(axis=(1, 2, 3))
    assert same.mean() == pytest.approx(2 / 3, abs=0.07)


def test_shrinking_keeps_the_aspect_ratio():
    policy, image = Policy(shrink=1, shrink_to=(8, 8)), np.ascontiguousarray(texture()[:, :16])
    results = one_by_one(policy, image, 30)
    known = {way: shrunk_to(image, (4, 8), way) for way in ENLARGING}
    assert set(nearest(results, known)) == set(ENLARGING)


def shrunk_to(image, size, enlarging):
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=enlarging)


def test_batches_of_any_image_size_can_be_degraded():
    policy = Policy(gamma=1, blur=1, shrink=1, shrink_to=(4, 20), noise=1, jpeg=1)
    degrade = BatchDegrader(policy, 3)
    for side in (8, 28, 50):
        x = degrade(torch.rand(3, 3, side, side) * 255, 0, torch.arange(3))
        assert x.shape == (3, 3, side, side)
        assert 0 <= x.min() <= x.max() <= 255


def test_both_back_ends_degrade_with_the_same_distributions():
    policy = Policy(gamma=0.5, blur=0.5, shrink=0.8, noise=0.5, jpeg=0.5)
    images = [augmented(policy, noisy_waves(1, SIDE)[0][..., None], 1500) for augmented in (one_by_one, together)]
    first, second = (np.concatenate([measures(one), details(one)], axis=1) for one in images)
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 0.15 * second.std(axis=0)).all()
    assert (np.abs(first.std(axis=0) - second.std(axis=0)) < 0.12 * second.std(axis=0)).all()


def details(images):
    """Measure how far pixels differ from those one and three pixels to the right and below."""
    steps = [np.roll(images, -step, axis=axis) - images for step in (1, 3) for axis in (1, 2)]
    return np.stack([np.abs(step).mean(axis=(1, 2, 3)) for step in steps], axis=1)
