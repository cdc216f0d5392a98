"""Sample photos, made from a portrait in the public domain (NASA): as phones store them, broken, and of nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import PIL.Image

ORIENTATION = 0x0112  # EXIF
PORTRAIT = Path(__file__).with_name("portrait.jpg")
HEIC = Path(__file__).with_name("portrait.heic")  # shipped, because the package that writes HEIC is under the GPL


def write_samples(folder: Path) -> list[Path]:
    """Write the sample photos; one is broken, and one shows nobody.

    Args:
        folder: The folder to write into; it is made.

    Returns:
        The files.
    """
    with PIL.Image.open(PORTRAIT) as file:
        portrait = file.convert("RGB")
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in _SAMPLES.items():
        write(portrait, folder / name)
    return [folder / name for name in _SAMPLES]


def _save_plain(portrait: PIL.Image.Image, path: Path) -> None:
    portrait.save(path, quality=92)


def _save_turned(portrait: PIL.Image.Image, path: Path) -> None:
    """Save an upright photo as phones do: lying on its side, with an EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    portrait.rotate(90, expand=True).save(path, quality=92, exif=exif)


def _save_small(portrait: PIL.Image.Image, path: Path) -> None:
    portrait.resize((160, 160)).save(path)


def _save_group(portrait: PIL.Image.Image, path: Path) -> None:
    """Save the portrait at several sizes and turned, side by side."""
    canvas = PIL.Image.new("RGB", (1200, 520), "dimgrey")
    head = portrait.crop((120, 0, 360, 260))
    for x, width, turn in ((20, 480, 0), (540, 240, 12), (820, 160, -10), (1020, 90, 0), (1120, 60, 0)):
        piece = head.resize((width, width * 13 // 12)).rotate(turn, resample=PIL.Image.Resampling.BICUBIC)
        canvas.paste(piece, (x, 0 if x < 500 else 120))
    canvas.save(path, quality=90)


def _copy_heic(_: PIL.Image.Image, path: Path) -> None:
    copyfile(HEIC, path)


def _save_broken(portrait: PIL.Image.Image, path: Path) -> None:
    """Save half a file, as broken cards and downloads leave them."""
    portrait.save(path, quality=92)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _save_sea(_: PIL.Image.Image, path: Path) -> None:
    """Save a photo without a face: the sea under a sky."""
    sky = np.linspace((120, 170, 230), (230, 240, 250), 200)
    sea = np.linspace((30, 80, 120), (10, 40, 70), 120)
    column = np.concatenate([sky, sea]).round().astype(np.uint8)
    PIL.Image.fromarray(np.repeat(column[:, None], 480, axis=1)).save(path, quality=92)


_SAMPLES: dict[str, Callable[[PIL.Image.Image, Path], None]] = {
    "portrait.jpg": _save_plain,
    "turned by its EXIF.jpg": _save_turned,
    "small.png": _save_small,
    "group.webp": _save_group,
    "phone.heic": _copy_heic,
    "broken.jpg": _save_broken,
    "sea.jpg": _save_sea,
}
