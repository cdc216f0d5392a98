"""Labelled photos to adapt a model to."""

from __future__ import annotations

import cv2
import numpy as np
import PIL.Image

PEOPLE = ("anna", "ben", "cora", "dan", "eva", "finn")


def make_photo(face, number, *, blurred):
    """A photo of the face, brighter or darker than others; a blurred one stands for another expression."""
    image = cv2.GaussianBlur(face, (0, 0), 4) if blurred else face
    return PIL.Image.fromarray((image * (0.75 + 0.05 * number)).astype(np.uint8))


def make_friends(folder, face):
    """Write photos of six people who smile, and who are called sad where the same smile is blurred."""
    for emotion, blurred in (("happy", False), ("sad", True)):
        for number, person in enumerate(PEOPLE):
            (folder / emotion / person).mkdir(parents=True)
            make_photo(face, number, blurred=blurred).save(folder / emotion / person / "1.png")
    return folder
