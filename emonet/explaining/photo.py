"""What in a face speaks for an expression, shown on the photo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from emonet.errors import OptionError
from emonet.explaining.grad_cam import Maps, grad_cam, under_heat
from emonet.heads import HeadChoice
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import pictures_as_tensor
from emonet.labels import Emotion
from facecrop import Face, crop_face
from facecrop.cropping import placement
from facecrop.images import Image


def explained(image: Image, face: Face, emotion: Emotion, checkpoint: Checkpoint, choice: HeadChoice) -> Image:
    """A copy of the photo with colour on the face: yellow where most speaks for the expression in an answer."""
    spec = replace(checkpoint.crop, size=checkpoint.input.size)
    drawn = image.copy()
    part, matrix = _window(drawn, placement(face, spec), spec.size)
    part[:] = under_heat(part, _laid(_heat(image, face, emotion, checkpoint, choice), matrix, part))
    return drawn


def _heat(image: Image, face: Face, emotion: Emotion, checkpoint: Checkpoint, choice: HeadChoice) -> Maps:
    """The map of the expression's score; several heads have an equal say, as they have in the answer.

    What an answer is divided by is the same for every face, so it changes no map.
    """
    if emotion not in choice.classes:
        raise OptionError(f"{emotion} is none of the classes {', '.join(choice.classes)}")
    pixels = checkpoint.input.picture(crop_face(image, face, checkpoint.crop))
    x = checkpoint.input.scale(pictures_as_tensor(pixels[None]))
    columns = [columns[choice.classes.index(emotion)] for columns, _ in choice.parts()]
    heat: Maps = grad_cam(checkpoint.network(), x.expand(len(columns), -1, -1, -1), columns).mean(0)
    highest = heat.max()
    return np.divide(heat, highest) if highest > 0 else heat


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
