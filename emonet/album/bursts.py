"""Bursts: photos of one scene, taken one after the other, and which of them to keep.

Neighbours by name are a burst if they lie in one folder and look alike. The suggestion is the photo with the most
smiles of those that are not blurred, and the sharpest of these. Whether eyes are open is not judged: five landmarks say
where an eye is, not whether it is open. Nothing is ever deleted: the album saves a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from emonet.album.entry import Entry
from emonet.html.formatting import count_of
from emonet.labels import Emotion

# How many of 64 bits of the likeness may differ between neighbours, and between any photo and the first of its burst:
#     python benchmarks/bursts.py PHOTOS
MOST_BITS, MOST_BITS_TO_FIRST = 16, 20
LEAST_WIDTH = 0.8  # as a share of the widest: smaller copies look sharper than they are, and are not suggested
LEAST_SHARPNESS = 0.6  # as a share of the sharpest: what is less sharp is never suggested for its smiles
SHAPE = 0.02  # by which width / height may differ


@dataclass(frozen=True, slots=True)
class BurstPhoto:
    """What a photo is compared by.

    Attributes:
        number: Its place in the album.
        path: Its path, which says who its neighbours are.
        width: In pixels.
        shape: Width / height.
        likeness: See `Looks`.
        sharpness: See `Looks`.
        smiles: The number of faces that are surely happy.
        faces: The number of faces.
    """

    number: int
    path: str
    width: int
    shape: float
    likeness: int
    sharpness: float
    smiles: int
    faces: int

    @classmethod
    def of(cls, number: int, entry: Entry) -> BurstPhoto | None:
        """Return what a photo is compared by; None for one that cannot be read."""
        if entry.result.error is not None:
            return None
        predictions, looks = entry.result.predictions, entry.looks
        smiles = sum(one.answer == Emotion.HAPPY.value for one in predictions)
        shape = entry.width / max(1, entry.height)
        return cls(number, entry.path, entry.width, shape, looks.likeness, looks.sharpness, smiles, len(predictions))


@dataclass(frozen=True, slots=True)
class Burst:
    """Photos of one scene.

    Attributes:
        photos: In the order of their names.
        best: The place of the suggestion among them.
        reasons: For each photo, why it is suggested or not.
    """

    photos: tuple[BurstPhoto, ...]
    best: int
    reasons: tuple[str, ...]


def find_bursts(photos: Iterable[BurstPhoto]) -> list[Burst]:
    """Find the bursts among photos, and suggest one photo of each.

    Args:
        photos: In any order.

    Returns:
        The bursts of two or more photos, in the order of their names.
    """
    return [_make_burst(group) for group in _group(sorted(photos, key=_name_key)) if len(group) > 1]


def _group(photos: Sequence[BurstPhoto]) -> Iterator[list[BurstPhoto]]:
    group: list[BurstPhoto] = []
    for photo in photos:
        if group and not _belongs(photo, group):
            yield group
            group = []
        group.append(photo)
    if group:
        yield group


def _belongs(photo: BurstPhoto, group: Sequence[BurstPhoto]) -> bool:
    first, last = group[0], group[-1]
    return (
        PurePosixPath(photo.path).parent == PurePosixPath(last.path).parent
        and abs(photo.shape - last.shape) <= SHAPE
        and _count_bits(photo, last) <= MOST_BITS
        and _count_bits(photo, first) <= MOST_BITS_TO_FIRST
    )


def _count_bits(one: BurstPhoto, other: BurstPhoto) -> int:
    return (one.likeness ^ other.likeness).bit_count()


def _name_key(photo: BurstPhoto) -> tuple[str, list[tuple[int, str]]]:
    """Sort as people count: IMG_9 comes before IMG_10."""
    folder, _, name = photo.path.rpartition("/")
    parts = re.split(r"([0-9]+)", name)
    return folder, [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def _make_burst(photos: Sequence[BurstPhoto]) -> Burst:
    widest = max(photo.width for photo in photos)
    whole = [photo for photo in photos if photo.width >= LEAST_WIDTH * widest]
    sharpest = max(photo.sharpness for photo in whole)
    sharp = [photo for photo in whole if photo.sharpness >= LEAST_SHARPNESS * sharpest]
    best = max(sharp, key=lambda photo: (photo.smiles, photo.faces, photo.sharpness))

    def judge(photo: BurstPhoto) -> str:
        if photo is best:
            return _praise(best, whole)
        return _explain(photo, best, sharpest) if photo in whole else f"smaller: {photo.width} of {widest} pixels wide"

    reasons = map(judge, photos)
    return Burst(tuple(photos), photos.index(best), tuple(reasons))


def _praise(best: BurstPhoto, photos: Sequence[BurstPhoto]) -> str:
    others = [photo for photo in photos if photo is not best]
    if not others:
        return "the only one of its size"
    reasons = []
    if best.smiles > max(photo.smiles for photo in others):
        reasons.append(f"most smiles ({best.smiles} of {count_of(best.faces, 'face')})")
    if best.faces > max(photo.faces for photo in others):
        reasons.append(f"most faces ({best.faces})")
    ratio = best.sharpness / max(max(photo.sharpness for photo in others), 1e-9)
    if ratio > 1:
        reasons.append(f"sharpest ({ratio:.1f} times the next)" if ratio >= 1.05 else "sharpest, by little")
    return ", ".join(reasons) or "the sharpest of those with the most smiles"


def _explain(photo: BurstPhoto, best: BurstPhoto, sharpest: float) -> str:
    if photo.sharpness < LEAST_SHARPNESS * sharpest:
        return f"blurred: {photo.sharpness / sharpest:.0%} as sharp as the sharpest"
    if photo.smiles < best.smiles:
        return f"fewer smiles: {photo.smiles}, and {best.smiles} in the suggestion"
    if photo.faces < best.faces:
        return f"fewer faces: {photo.faces}, and {best.faces} in the suggestion"
    return f"as many smiles, {photo.sharpness / max(best.sharpness, 1e-9):.0%} as sharp as the suggestion"
