"""Show on a photo what in a face speaks for an expression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from emonet.errors import OptionError
from emonet.explaining.grad_cam import Maps, grad_cam, overlay_heat, scale_maps
from emonet.heads import HeadChoice
from emonet.inference.torch_classifier import TorchClassifier, images_as_tensor
from emonet.labels import Emotion
from emonet.models import Network
from facecrop import CropSpec, Face, crop_face
from facecrop.cropping import locate_crop
from facecrop.images import Image


def explain_face(
    image: Image, face: Face, emotion: Emotion, *, classifier: TorchClassifier, crop: CropSpec, choice: HeadChoice
) -> Image:
    """Colour on a copy of an image what in a face speaks for an expression.

    Args:
        image: The photo.
        face: One of its faces.
        emotion: Any class of the answer, not only the likeliest.
        classifier: The network, on its device. It is used in full precision.
        crop: How the faces of the network are cut out.
        choice: The head that answers. Heads that answer together have an equal share of the map. The prior changes
            no map: it is the same for all faces.

    Raises:
        OptionError: The head that answers has no such class.
    """
    if emotion not in choice.classes:
        raise OptionError(f"{emotion} is none of the classes {', '.join(choice.classes)}")
    size = classifier.spec.size
    crop_image = classifier.spec.resize(crop_face(image, face, crop))
    heat = _find_evidence(classifier, crop_image, _find_logits(choice, emotion))
    shown = image.copy()
    window, matrix = _cut_window(shown, locate_crop(face, replace(crop, size=size)), size)
    window[:] = overlay_heat(window, _lay_on(window, heat, matrix))
    return shown


def _find_logits(choice: HeadChoice, emotion: Emotion) -> list[int]:
    """Find the logit of an expression for each head that answers."""
    return [part.columns[choice.classes.index(emotion)] for part in choice.parts()]


def _find_evidence(classifier: TorchClassifier, crop_image: Image, logits: list[int]) -> Maps:
    """Compute the mean of the Grad-CAM maps of some logits, from 0 to 1."""
    x = images_as_tensor(crop_image[None]).to(classifier.machine.device)
    x = classifier.spec.scale(x).expand(len(logits), -1, -1, -1)
    maps: Maps = grad_cam(cast(Network, classifier.network), x, logits)
    heat: Maps = scale_maps(maps.mean(axis=0, keepdims=True))[0]
    return heat


def _cut_window(image: Image, matrix: Any, size: int) -> tuple[Image, Any]:
    """Take the part of an image that a crop covers, as a view, and move the crop's matrix to it."""
    corners = matrix @ np.array([[-1, size, -1, size], [-1, -1, size, size], [1, 1, 1, 1]])
    sides = np.array(image.shape[1::-1])
    x1, y1 = first = np.floor(corners.min(axis=1)).clip(0, sides).astype(int)
    x2, y2 = np.ceil(corners.max(axis=1) + 1).clip(0, sides).astype(int)
    return image[y1:y2, x1:x2], matrix - np.array([[0, 0, first[0]], [0, 0, first[1]]])


def _lay_on(window: Image, heat: Maps, matrix: Any) -> Maps:
    """Turn and enlarge the map of a crop so that it lies on the window as the face does."""
    import cv2

    return np.asarray(cv2.warpAffine(heat, matrix, window.shape[1::-1], flags=cv2.INTER_LINEAR), np.float32)
