"""How well bursts are found, and how often the sharpest photo of one is suggested.

    python benchmarks/bursts.py FOLDER

Each photo of the folder makes a burst of four in a shuffled order: the photo itself, and copies that are moved (by up
to 3 % and by a zoom of up to 4 %), blurred (as by a hand that is not steady) and lit otherwise, each by chance. Photos
of different scenes stand side by side, so that bursts could be joined, too. Prints how many bursts were found whole,
how many were joined, how often the photo without blur was suggested, and how far the likenesses are from each other.
Real bursts have people who move: these figures say what the measures do, not what a family would choose.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from emonet.album.bursts import MOST_BITS, BurstPhoto, find_bursts
from emonet.album.entry import Entry
from emonet.album.looks import look_at
from emonet.prediction import EmotionPredictor, PhotoResult
from facecrop.folders import iter_images
from facecrop.images import Image, limit_size

COPIES = 3
SIDE = 1600  # pixels of the longer side that photos are reduced to


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--model", default="emonet_fast")
    arguments.add_argument("--rounds", type=int, default=5, help="bursts of each photo")
    given = arguments.parse_args()
    rng = np.random.default_rng(0)
    predictor = EmotionPredictor(given.model, device="cpu")
    scenes = [limit_size(image, SIDE) for _, image in iter_images(given.folder) if isinstance(image, np.ndarray)]
    photos: list[BurstPhoto] = []
    sharpest: set[int] = set()
    for scene, image in enumerate(scenes * given.rounds):
        for place, (copy, is_sharp) in enumerate(make_burst(image, rng)):
            if is_sharp:
                sharpest.add(len(photos))
            photos.append(compare_by(len(photos), f"{scene:04}-{place}.jpg", copy, predictor))
    report(photos, sharpest)


def make_burst(image: Image, rng: np.random.Generator) -> list[tuple[Image, bool]]:
    """Make copies of a photo, and tell which was not blurred."""
    burst = [(image, True)]
    for _ in range(COPIES):
        blurred = cv2.GaussianBlur(move(image, rng), (0, 0), rng.uniform(0.8, 3.0) * max(image.shape) / SIDE * 1.5)
        lit = cv2.convertScaleAbs(blurred, alpha=rng.uniform(0.7, 1.4), beta=rng.uniform(-15, 15))
        burst.append((np.asarray(lit, np.uint8), False))
    rng.shuffle(burst)
    return burst


def move(image: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    zoom = rng.uniform(1, 1.04)
    across, down = rng.uniform(-0.03, 0.03, 2) * (width, height)
    shift = np.array([[zoom, 0, across + (1 - zoom) * width / 2], [0, zoom, down + (1 - zoom) * height / 2]])
    return np.asarray(cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def compare_by(number: int, path: str, image: Image, predictor: EmotionPredictor) -> BurstPhoto:
    found = tuple(predictor.predict(image))
    height, width = image.shape[:2]
    looks = look_at(image, [one.face for one in found])
    photo = BurstPhoto.of(number, Entry(path, width, height, PhotoResult(path, found), b"", looks))
    assert photo is not None  # every image here was read
    return photo


def report(photos: Sequence[BurstPhoto], sharpest: set[int]) -> None:
    bursts = find_bursts(photos)
    scenes = [{photo.path[:4] for photo in burst.photos} for burst in bursts]
    whole = [burst for burst, scene in zip(bursts, scenes, strict=True) if len(burst.photos) == COPIES + 1]
    right = sum(burst.photos[burst.best].number in sharpest for burst in bursts)
    smiles = sum(
        burst.photos[burst.best].smiles > max(photo.smiles for photo in burst.photos if photo.number in sharpest)
        for burst in bursts
        if any(photo.number in sharpest for photo in burst.photos)
    )
    print(f"{len(sharpest)} scenes, {len(photos)} photos: {len(bursts)} bursts, {len(whole)} of them whole")
    print(f"joined scenes: {sum(len(scene) > 1 for scene in scenes)}")
    print(f"the photo without blur is suggested in {right} of {len(bursts)}; another for its smiles in {smiles}")
    same, other = split_bits(photos)
    print(f"bits between neighbours of a scene: 95 % up to {np.percentile(same, 95):.0f}, at most {max(same)}")
    print(f"bits between other photos: 1 % up to {np.percentile(other, 1):.0f}, at least {min(other)}")
    print(f"bits allowed: {MOST_BITS}")


def split_bits(photos: Sequence[BurstPhoto]) -> tuple[list[int], list[int]]:
    """Count the bits in which neighbours of a burst differ, and neighbours of different scenes."""

    def differ(pairs: Iterator[tuple[BurstPhoto, BurstPhoto]], *, together: bool) -> list[int]:
        return [
            (one.likeness ^ other.likeness).bit_count()
            for one, other in pairs
            if (one.path[:4] == other.path[:4]) == together
        ]

    return differ(pairwise(photos), together=True), differ(pairwise(photos), together=False)


if __name__ == "__main__":
    main()
