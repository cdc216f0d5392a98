"""Writes the sample pictures of `make demo`: scikit-image's public-domain portrait, as photos come out of phones.

python tools/make_sample.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from skimage import data

ORIENTATION = 0x0112  # EXIF


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    portrait = Image.fromarray(data.astronaut())
    portrait.save(folder / "portrait.jpg", quality=92)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    portrait.rotate(90, expand=True).save(folder / "turned by its EXIF.jpg", quality=92, exif=exif)
    group(portrait).save(folder / "group.webp", quality=90)
    whole = (folder / "portrait.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    print(f"{len(list(folder.iterdir()))} sample pictures in {folder}")


def group(portrait: Image.Image) -> Image.Image:
    """The portrait at several sizes, mirrored and turned, side by side."""
    canvas = Image.new("RGB", (1200, 520), "dimgrey")
    head = portrait.crop((120, 0, 360, 260))
    for x, width, turn in ((20, 480, 0), (540, 240, 12), (820, 160, -10), (1020, 90, 0), (1120, 60, 0)):
        piece = head.resize((width, width * 13 // 12)).rotate(turn, resample=Image.Resampling.BICUBIC)
        canvas.paste(piece, (x, 0 if x < 500 else 120))
    return canvas


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
