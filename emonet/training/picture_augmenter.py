"""Augmentation with albumentations: a picture at a time, in the processes that prepare them."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np

from emonet.errors import OptionError
from emonet.models.inputs import Pixels
from emonet.training.picture_degrader import degrade_picture
from emonet.training.policies import ASPECTS, Policy
from emonet.training.seeds import sample_seed

DEGRADATION = 1  # of the two sources of chance of a picture: its draws leave those of all else as they are


class PictureAugmenter:
    """A policy for pictures (height, width, channels) in uint8. A seed gives the same result wherever it is drawn."""

    def __init__(self, policy: Policy) -> None:
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network otherwise, when it is imported
        import albumentations

        self._policy = policy
        self._erasing = albumentations.Erasing(policy.erased, ASPECTS, p=policy.erase)
        self._transforms = albumentations.Compose([*_transforms(policy), self._erasing], is_check_shapes=False)

    def __call__(self, picture: Pixels, seed: int) -> Pixels:
        if picture.dtype != np.uint8 or picture.ndim != 3:
            raise OptionError(
                f"a picture is (height, width, channels) in uint8, got {picture.shape} in {picture.dtype}"
            )
        chance = random.Random(seed)
        # All transforms draw from the same source. With set_random_seed each would begin the same numbers for itself,
        # so that mirrored pictures would be the ones that move to the left; it takes longer, too.
        self._transforms.set_random_state(np.random.default_rng(seed), chance)
        self._erasing.fill = chance.randrange(256)  # its own random fill is a colour, not a grey
        result: Pixels = self._transforms(image=picture)["image"]
        if not self._policy.degrades:
            return result
        return degrade_picture(result, self._policy, np.random.default_rng(sample_seed(seed, DEGRADATION)))


def _transforms(policy: Policy) -> list[Any]:
    """What happens before erasing."""
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
