"""A picture of augmented samples: what the network will be shown, to be looked at before it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from emonet.atomic import write_atomically
from emonet.errors import OptionError
from emonet.inference.classifier import pictures_as_tensor
from emonet.models.inputs import Pixels
from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.picture_augmenter import PictureAugmenter
from emonet.training.policies import Policy
from emonet.training.seeds import sample_seed

TILE = 96  # pixels a side, at most, to which small pictures are enlarged
GAP = 4  # between tiles
MARGIN = 16  # around all, and about the originals
HEADING = 26
LETTERS = 15  # their height
GROUND = "gainsboro"  # on which white pictures have edges, too


def augmented_sheet(
    path: str | os.PathLike[str],
    pictures: Pixels,
    names: Sequence[str],
    policy: Policy,
    *,
    with_torch: bool = False,
    versions: int = 10,
    seed: int = 0,
) -> None:
    """Draw a row for each image: its name, itself, and augmented versions of it.

    Args:
        path: The PNG file to write.
        pictures: Images (N, height, width, channels) in uint8.
        names: What to write beside each row.
        policy: How they are augmented.
        with_torch: Whether torch augments; otherwise albumentations does.
        versions: How many versions a row shows.
        seed: What decides the versions.
    """
    if len(names) != len(pictures) or not names:
        raise OptionError(f"every picture needs a name: got {len(pictures)} pictures and {len(names)} names")
    augment = _augment_with_torch if with_torch else _augment_with_albumentations
    columns = [pictures, *augment(pictures, policy, versions, seed)]
    sheet = _drawn(list(zip(*columns, strict=True)), names)
    with write_atomically(Path(path)) as part:
        sheet.save(part, "PNG")


def _augment_with_albumentations(pictures: Pixels, policy: Policy, versions: int, seed: int) -> list[Pixels]:
    augment = PictureAugmenter(policy)
    return [
        np.stack([augment(picture, sample_seed(seed, version, index)) for index, picture in enumerate(pictures)])
        for version in range(versions)
    ]


def _augment_with_torch(pictures: Pixels, policy: Policy, versions: int, seed: int) -> list[Pixels]:
    augment = BatchAugmenter(policy, len(pictures), seed)
    pixels, indices = pictures_as_tensor(pictures), torch.arange(len(pictures))
    augmented = [augment(pixels, version, indices) for version in range(versions)]
    return [batch.round().byte().permute(0, 2, 3, 1).numpy() for batch in augmented]


def _drawn(rows: Sequence[Sequence[Pixels]], names: Sequence[str]) -> Image.Image:
    font = ImageFont.load_default(LETTERS)
    height, width = _enlarged(rows[0][0]).shape[:2]
    left = 2 * MARGIN + round(max(map(font.getlength, names)))
    across = [left] + [left + MARGIN + number * (width + GAP) for number in range(1, len(rows[0]))]
    down = [MARGIN + HEADING + number * (height + GAP) for number in range(len(rows))]
    sheet = Image.new("RGB", (across[-1] + width + MARGIN, down[-1] + height + MARGIN), GROUND)
    draw = ImageDraw.Draw(sheet)
    for x, heading in zip(across, ("original", "augmented"), strict=False):
        draw.text((x, MARGIN), heading, "dimgrey", font)
    for y, name, row in zip(down, names, rows, strict=True):
        draw.text((left - MARGIN, y + height / 2), name, "black", font, anchor="rm")
        for x, picture in zip(across, row, strict=True):
            sheet.paste(Image.fromarray(_enlarged(picture)), (x, y))
    return sheet


def _enlarged(picture: Pixels) -> Pixels:
    """In RGB, every pixel a square of whole pixels, so that nothing is smoothed over."""
    factor = max(1, TILE // max(picture.shape[:2]))
    colours = picture if picture.shape[2] == 3 else np.repeat(picture, 3, axis=2)
    return colours.repeat(factor, axis=0).repeat(factor, axis=1)
