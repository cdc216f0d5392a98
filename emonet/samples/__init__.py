"""Sample photos of three people: as phones store them, as a burst, broken, and of nobody.

Made from three portraits that may be given out without a licence of their own:

- `portrait.jpg`, the astronaut Eileen Collins: a photo by NASA in the public domain, as scikit-image ships it.
- `admiral.jpg`, Rear Admiral Grace Hopper: a photo by the US Navy in the public domain, as Matplotlib ships it.
- `photographer.jpg`, a man behind a camera: a photo by Lav Varshney, given out under CC0, as scikit-image ships it.

They show a smile, a straight face and a face turned aside, of which the model is not sure. For anger or surprise there
is no photo of a person here that may be given out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageFilter

ORIENTATION = 0x0112  # EXIF
HERE = Path(__file__).parent
PORTRAIT, ADMIRAL, PHOTOGRAPHER = (HERE / f"{name}.jpg" for name in ("portrait", "admiral", "photographer"))
FIRST = "turned by its EXIF.jpg"  # is written first, and has a name that nobody else gives
HEIC = HERE / "portrait.heic"  # shipped, because the package that writes HEIC is under the GPL

Photo = PIL.Image.Image


def write_samples(folder: Path) -> list[Path]:
    """Write the sample photos; one is broken, and one shows nobody.

    Args:
        folder: The folder to write into; it is made.

    Returns:
        The files.
    """
    for name, write in _SAMPLES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name)
    return [folder / name for name in _SAMPLES]


def _open(path: Path) -> Photo:
    with PIL.Image.open(path) as file:
        return file.convert("RGB")


def _copy(source: Path) -> Callable[[Path], None]:
    def copy(path: Path) -> None:
        copyfile(source, path)

    return copy


def _save_turned(path: Path) -> None:
    """Save an upright photo as phones do: lying on its side, with an EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    _open(ADMIRAL).rotate(90, expand=True).save(path, quality=92, exif=exif)


def _save_small(path: Path) -> None:
    _open(ADMIRAL).resize((154, 180)).save(path)


def _save_group(path: Path) -> None:
    _make_group().save(path, quality=90)


def _save_moved(path: Path) -> None:
    """Save the group as a moment later: the camera has moved a little, and it is darker."""
    group = _make_group()
    moved = group.crop((14, 8, group.width, group.height)).resize(group.size)
    PIL.ImageEnhance.Brightness(moved).enhance(0.8).save(path, quality=90)


def _save_blurred(path: Path) -> None:
    _make_group().filter(PIL.ImageFilter.GaussianBlur(4)).save(path, quality=90)


def _make_group() -> Photo:
    """Put the three people side by side, at several sizes and turned."""
    canvas = PIL.Image.new("RGB", (1200, 520), "dimgrey")
    astronaut, admiral, photographer = (
        _open(path).crop(box)
        for path, box in (
            (PORTRAIT, (120, 0, 360, 260)),
            (ADMIRAL, (100, 30, 420, 377)),
            (PHOTOGRAPHER, (130, 60, 370, 320)),
        )
    )
    for piece, x, width, turn in (
        (astronaut, 20, 480, 0),
        (admiral, 520, 250, 8),
        (photographer, 790, 190, 0),
        (astronaut, 1000, 90, -10),
        (admiral, 1110, 66, 0),
    ):
        turned = piece.resize((width, width * 13 // 12)).rotate(turn, resample=PIL.Image.Resampling.BICUBIC)
        canvas.paste(turned, (x, 0 if x < 500 else 120))
    return canvas


def _save_broken(path: Path) -> None:
    """Save half a file, as broken cards and downloads leave them."""
    whole = PORTRAIT.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _save_sea(path: Path) -> None:
    """Save a photo without a face: the sea under a sky."""
    sky = np.linspace((120, 170, 230), (230, 240, 250), 200)
    sea = np.linspace((30, 80, 120), (10, 40, 70), 120)
    column = np.concatenate([sky, sea]).round().astype(np.uint8)
    PIL.Image.fromarray(np.repeat(column[:, None], 480, axis=1)).save(path, quality=92)


_SAMPLES: dict[str, Callable[[Path], None]] = {
    FIRST: _save_turned,
    "portrait.jpg": _copy(PORTRAIT),
    "admiral.jpg": _copy(ADMIRAL),
    "photographer.jpg": _copy(PHOTOGRAPHER),
    "small.png": _save_small,
    "party/IMG_0001.jpg": _save_moved,
    "party/IMG_0002.jpg": _save_group,
    "party/IMG_0003.jpg": _save_blurred,
    "group.webp": _save_group,
    "phone.heic": _copy(HEIC),
    "broken.jpg": _save_broken,
    "sea.jpg": _save_sea,
}
