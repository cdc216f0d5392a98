"""A picture of augmented samples: what the network will be shown, to be looked at before it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emonet.datasets.atomic import write_atomically
from emonet.inputs import Pixels
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
    versions: int = 10,
    seed: int = 0,
) -> None:
    """Writes a PNG with a row for each picture of (N, height, width, channels): its name, itself, and its versions."""
    if len(names) != len(pictures) or not names:
        raise ValueError(f"every picture needs a name: got {len(pictures)} pictures and {len(names)} names")
    augmenter = PictureAugmenter(policy)
    rows = [
        [picture, *(augmenter(picture, sample_seed(seed, version, index)) for version in range(versions))]
        for index, picture in enumerate(pictures)
    ]
    sheet = _drawn(rows, names)
    with write_atomically(Path(path)) as part:
        sheet.save(part, "PNG")


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
