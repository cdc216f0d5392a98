"""Degradation with OpenCV: what a camera makes of a small face, a picture at a time."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from emonet.models.inputs import Pixels
from emonet.training.policies import Policy, Range


def degrade_picture(picture: Pixels, policy: Policy, chance: np.random.Generator) -> Pixels:
    """Degrade a picture (height, width, channels) in uint8, with the probability and in the way of a policy."""
    if not _happens(policy.degraded, chance):
        return picture
    x = picture[..., 0] if picture.shape[2] == 1 else picture
    if _happens(policy.gamma, chance):
        x = _with_gamma(x, _log_between(policy.gamma_exponent, chance))
    if _happens(policy.blur, chance):
        x = _blurred(x, chance.uniform(*policy.blur_sigma))
    if _happens(policy.shrink, chance):
        x = _shrunk(x, round(_log_between(policy.shrink_to, chance)))
    if _happens(policy.noise, chance):
        x = _noisy(x, chance.uniform(*policy.noise_std), chance)
    if _happens(policy.jpeg, chance):
        x = _compressed(x, _whole(policy.jpeg_quality, chance))
    return _enlarged(x, picture, cubic=_happens(0.5, chance))


def _happens(probability: float, chance: np.random.Generator) -> bool:
    return bool(chance.random() < probability)


def _log_between(limits: Range, chance: np.random.Generator) -> float:
    low, high = limits
    return float(low * (high / low) ** chance.random())


def _whole(limits: Range, chance: np.random.Generator) -> int:
    """A whole number of a range, each equally likely."""
    low, high = map(round, limits)
    return int(chance.integers(low, high, endpoint=True))


def _with_gamma(x: Pixels, exponent: float) -> Pixels:
    table = ((np.arange(256) / 255) ** exponent * 255).round().astype(np.uint8)
    return table[x]


def _blurred(x: Pixels, sigma: float) -> Pixels:
    import cv2

    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _shrunk(x: Pixels, size: int) -> Pixels:
    """Averages, until the longer side has so many pixels."""
    import cv2

    height, width = x.shape[:2]
    share = min(1, size / max(height, width))
    target = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(x, target, interpolation=cv2.INTER_AREA), np.uint8)


def _noisy(x: Pixels, std: float, chance: np.random.Generator) -> Pixels:
    noise = std * chance.standard_normal(x.shape, np.float32)
    return (x + noise).round().clip(0, 255).astype(np.uint8)


def _compressed(x: Pixels, quality: int) -> Pixels:
    with BytesIO() as file:
        Image.fromarray(x).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file), np.uint8)


def _enlarged(x: Pixels, picture: Pixels, *, cubic: bool) -> Pixels:
    """In the shape of the whole picture."""
    import cv2

    height, width, channels = picture.shape
    if x.shape[:2] != (height, width):
        x = np.asarray(
            cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR), np.uint8
        )
    return x.reshape(height, width, channels)
