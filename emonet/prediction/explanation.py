"""What in a face speaks for an expression, shown on the photo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from emonet.checkpoint import Checkpoint
from emonet.classifier import pictures_as_tensor
from emonet.explaining import Maps, grad_cam, under_heat
from emonet.labels import Emotion
from facecrop import Face, crop_face
from facecrop.cropping import placement
from facecrop.images import Image


def explained(image: Image, face: Face, emotion: Emotion, checkpoint: Checkpoint) -> Image:
    """A copy of the photo with colour on the face: yellow where most speaks for the expression."""
    spec = replace(checkpoint.crop, size=checkpoint.input.size)
    drawn = image.copy()
    part, matrix = _window(drawn, placement(face, spec), spec.size)
    part[:] = under_heat(part, _laid(_heat(image, face, emotion, checkpoint), matrix, part))
    return drawn


def _heat(image: Image, face: Face, emotion: Emotion, checkpoint: Checkpoint) -> Maps:
    if emotion not in checkpoint.classes:
        raise ValueError(f"{emotion} is none of the classes {', '.join(checkpoint.classes)}")
    pixels = checkpoint.input.picture(crop_face(image, face, checkpoint.crop))
    x = checkpoint.input.scale(pictures_as_tensor(pixels[None]))
    one: Maps = grad_cam(checkpoint.network(), x, [checkpoint.classes.index(emotion)])[0]
    return one


def _window(image: Image, matrix: Any, size: int) -> tuple[Image, Any]:
    """The part of the photo that the crop covers, and where the crop lies on it."""
    corners = matrix @ np.array([[-1, size, -1, size], [-1, -1, size, size], [1, 1, 1, 1]])
    sides = np.array(image.shape[1::-1])
    x1, y1 = first = np.floor(corners.min(axis=1)).clip(0, sides).astype(int)
    x2, y2 = np.ceil(corners.max(axis=1) + 1).clip(0, sides).astype(int)
    return image[y1:y2, x1:x2], matrix - np.array([[0, 0, first[0]], [0, 0, first[1]]])


def _laid(heat: Maps, matrix: Any, part: Image) -> Maps:
    """The map as it lies on the part."""
    import cv2

    return np.asarray(cv2.warpAffine(heat, matrix, part.shape[1::-1], flags=cv2.INTER_LINEAR), np.float32)
