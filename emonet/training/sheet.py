"""A sheet of augmented samples, so that one can see what the network will see before it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from emonet.atomic import write_atomically
from emonet.errors import OptionError
from emonet.inference.torch_classifier import images_as_tensor
from emonet.models.inputs import Pixels
from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.chance import sample_seed
from emonet.training.image_augmenter import ImageAugmenter
from emonet.training.policies import Policy

TILE = 96  # pixels a side to which small images are enlarged
GAP = 4  # between tiles
MARGIN = 16  # around everything, and around the originals
HEADING = 26
LETTERS = 15  # their height
GROUND = "gainsboro"  # on which the edges of white images are visible


def draw_sheet(
    path: str | os.PathLike[str],
    images: Pixels,
    names: Sequence[str],
    policy: Policy,
    *,
    with_torch: bool = False,
    versions: int = 10,
    seed: int = 0,
) -> None:
    """Draw a row for each image: its name, the image, and augmented versions of it.

    Args:
        path: The PNG file to write.
        images: Images (N, height, width, channels) in uint8.
        names: What to write beside each row.
        policy: How the images are augmented.
        with_torch: Whether torch augments; otherwise albumentations does.
        versions: How many versions a row shows.
        seed: Seed of the versions.

    Raises:
        OptionError: There are no images, or not as many names as images.
    """
    if len(names) != len(images) or not names:
        raise OptionError(f"every image needs a name: got {len(images)} images and {len(names)} names")
    augment = _augment_with_torch if with_torch else _augment_with_albumentations
    columns = [images, *augment(images, policy, versions, seed)]
    sheet = _draw_rows(list(zip(*columns, strict=True)), names)
    with write_atomically(Path(path)) as part:
        sheet.save(part, "PNG")


def _augment_with_albumentations(images: Pixels, policy: Policy, versions: int, seed: int) -> list[Pixels]:
    augment = ImageAugmenter(policy)
    return [
        np.stack([augment(image, sample_seed(seed, version, index)) for index, image in enumerate(images)])
        for version in range(versions)
    ]


def _augment_with_torch(images: Pixels, policy: Policy, versions: int, seed: int) -> list[Pixels]:
    augment = BatchAugmenter(policy, len(images), seed)
    pixels, indices = images_as_tensor(images), torch.arange(len(images))
    augmented = [augment(pixels, version, indices) for version in range(versions)]
    return [batch.round().byte().permute(0, 2, 3, 1).numpy() for batch in augmented]


def _draw_rows(rows: Sequence[Sequence[Pixels]], names: Sequence[str]) -> Image.Image:
    font = ImageFont.load_default(LETTERS)
    height, width = _enlarge(rows[0][0]).shape[:2]
    left = 2 * MARGIN + round(max(map(font.getlength, names)))
    across = [left] + [left + MARGIN + number * (width + GAP) for number in range(1, len(rows[0]))]
    down = [MARGIN + HEADING + number * (height + GAP) for number in range(len(rows))]
    sheet = Image.new("RGB", (across[-1] + width + MARGIN, down[-1] + height + MARGIN), GROUND)
    draw = ImageDraw.Draw(sheet)
    for x, heading in zip(across, ("original", "augmented"), strict=False):
        draw.text((x, MARGIN), heading, "dimgrey", font)
    for y, name, row in zip(down, names, rows, strict=True):
        draw.text((left - MARGIN, y + height / 2), name, "black", font, anchor="rm")
        for x, image in zip(across, row, strict=True):
            sheet.paste(Image.fromarray(_enlarge(image)), (x, y))
    return sheet


def _enlarge(image: Pixels) -> Pixels:
    """Enlarge to RGB by a whole number, so that nothing is smoothed."""
    factor = max(1, TILE // max(image.shape[:2]))
    colours = image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)
    return colours.repeat(factor, axis=0).repeat(factor, axis=1)
