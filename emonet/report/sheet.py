"""White paper on which faces, maps and words are laid, to be written as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from emonet.atomic import write_atomically
from emonet.models.inputs import Pixels

LETTERS, LINE, MARGIN = 15, 20, 12  # pixels: the height of letters, of lines, and of the white around all
BLACK, GREY = "#000000", "#595959"


class Sheet:
    """Paper with room for width by height pixels; the margin about them comes on top."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(LETTERS)

    def paste(self, picture: Image.Image, left: int, top: int) -> None:
        self.image.paste(picture, (MARGIN + left, MARGIN + top))

    def write(self, lines: Sequence[str], left: int, top: int, colour: str = BLACK) -> None:
        for number, words in enumerate(lines):
            self.draw.text((MARGIN + left, MARGIN + top + number * LINE), words, colour, self.font)

    def save(self, path: Path) -> Path:
        with write_atomically(path) as temporary:
            self.image.save(temporary, "PNG")
        return path


def enlarged(pixels: Pixels, side: int) -> Image.Image:
    """A face (height, width, channels) in RGB, smoothed: for looking at the face, not at its pixels."""
    face = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    return face.resize((side, side), Image.Resampling.BICUBIC)
