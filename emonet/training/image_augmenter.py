"""Augmentation of one image at a time: albumentations, then OpenCV and Pillow for what a camera does to small faces."""

from __future__ import annotations

import os
import random
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from emonet.errors import OptionError
from emonet.models.inputs import Pixels
from emonet.training.chance import sample_seed
from emonet.training.policies import ASPECTS, Policy, Range

DEGRADATION = 1  # purpose of a generator of its own, so that degrading changes no other draw


class ImageAugmenter:
    """Apply a policy to images (height, width, channels) in uint8.

    The same seed gives the same result in every thread and process.
    """

    def __init__(self, policy: Policy) -> None:
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # otherwise importing it asks the network for a newer version
        import albumentations

        self._policy = policy
        self._erasing = albumentations.Erasing(policy.erased, ASPECTS, p=policy.erase)
        self._transforms = albumentations.Compose([*_make_transforms(policy), self._erasing], is_check_shapes=False)

    def __call__(self, image: Pixels, seed: int) -> Pixels:
        """Return an augmented copy of the image.

        Raises:
            OptionError: The image has another shape or type.
        """
        if image.dtype != np.uint8 or image.ndim != 3:
            raise OptionError(f"an image is (height, width, channels) in uint8, got {image.shape} in {image.dtype}")
        chance = random.Random(seed)
        # All transforms share one generator. With set_random_seed each of them would begin with the same numbers, and
        # mirrored images would be the ones that move to the left. It also takes longer.
        self._transforms.set_random_state(np.random.default_rng(seed), chance)
        self._erasing.fill = chance.randrange(256)  # its own random fill is a colour, not a grey
        result: Pixels = self._transforms(image=image)["image"]
        if not self._policy.degrades:
            return result
        return degrade_image(result, self._policy, np.random.default_rng(sample_seed(seed, DEGRADATION)))


def _make_transforms(policy: Policy) -> list[Any]:
    """Make all transforms that come before erasing."""
    import albumentations
    import cv2

    transforms: list[Any] = []
    if policy.mirror:
        transforms.append(albumentations.HorizontalFlip(policy.mirror))
    if policy.places:
        affine = albumentations.Affine(
            scale={"x": policy.zoom, "y": policy.zoom},
            keep_ratio=not policy.zoom_each_axis,
            rotate=policy.turn,
            shear={"x": policy.shear, "y": (0, 0)},
            translate_percent={"x": policy.shift, "y": policy.shift},
            border_mode=cv2.BORDER_REPLICATE,
            p=policy.placed,
        )
        transforms.append(affine)
    if policy.shades:
        unchanged = {"saturation": (1, 1), "hue": (0, 0)}
        transforms.append(albumentations.ColorJitter(policy.brightness, policy.contrast, **unchanged, p=1))
    return transforms


def degrade_image(image: Pixels, policy: Policy, chance: np.random.Generator) -> Pixels:
    """Degrade an image (height, width, channels) in uint8 as the policy says.

    Args:
        image: The image.
        policy: Says how probable each degradation is, and how strong.
        chance: Generator that decides what happens.

    Returns:
        The degraded image in its old shape, or the image itself.
    """
    if not _happens(policy.degraded, chance):
        return image
    x = image[..., 0] if image.shape[2] == 1 else image
    if _happens(policy.gamma, chance):
        x = _apply_gamma(x, _draw_log(policy.gamma_exponent, chance))
    if _happens(policy.blur, chance):
        x = _blur(x, chance.uniform(*policy.blur_sigma))
    if _happens(policy.shrink, chance):
        x = _shrink(x, round(_draw_log(policy.shrink_to, chance)))
    if _happens(policy.noise, chance):
        x = _add_noise(x, chance.uniform(*policy.noise_std), chance)
    if _happens(policy.jpeg, chance):
        x = _compress(x, _draw_whole(policy.jpeg_quality, chance))
    return _enlarge(x, image.shape, cubic=_happens(0.5, chance))


def _happens(probability: float, chance: np.random.Generator) -> bool:
    return bool(chance.random() < probability)


def _draw_log(limits: Range, chance: np.random.Generator) -> float:
    low, high = limits
    return float(low * (high / low) ** chance.random())


def _draw_whole(limits: Range, chance: np.random.Generator) -> int:
    low, high = map(round, limits)
    return int(chance.integers(low, high, endpoint=True))


def _apply_gamma(x: Pixels, exponent: float) -> Pixels:
    table = ((np.arange(256) / 255) ** exponent * 255).round().astype(np.uint8)
    return table[x]


def _blur(x: Pixels, sigma: float) -> Pixels:
    import cv2

    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _shrink(x: Pixels, size: int) -> Pixels:
    """Average pixels until the longer side has `size` of them."""
    import cv2

    height, width = x.shape[:2]
    share = min(1, size / max(height, width))
    target = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(x, target, interpolation=cv2.INTER_AREA), np.uint8)


def _add_noise(x: Pixels, std: float, chance: np.random.Generator) -> Pixels:
    noise = std * chance.standard_normal(x.shape, np.float32)
    return (x + noise).round().clip(0, 255).astype(np.uint8)


def _compress(x: Pixels, quality: int) -> Pixels:
    with BytesIO() as file:
        Image.fromarray(x).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file), np.uint8)


def _enlarge(x: Pixels, shape: tuple[int, ...], *, cubic: bool) -> Pixels:
    import cv2

    height, width, _ = shape
    if x.shape[:2] != (height, width):
        how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
        x = np.asarray(cv2.resize(x, (width, height), interpolation=how), np.uint8)
    return x.reshape(shape)
