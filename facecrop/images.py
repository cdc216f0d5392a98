"""The one place that opens pictures: whatever comes in, an RGB uint8 array (H, W, 3) the right way up goes out.

A file is known by its first bytes, not by its name (phones call HEIC files .jpg), and only the formats of
`_opener` are ever opened: Pillow knows many more, among them some that run programs or have been used as bombs.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageOps

from facecrop.errors import ImageError, OptionError

Image = NDArray[np.uint8]  # RGB, (H, W, 3)
Source = str | os.PathLike[str] | bytes | PIL.Image.Image | NDArray[Any]

MAX_PIXELS = 200_000_000
MAX_BYTES = 512 * 2**20

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif"}
)

# What Pillow's decoders are known to raise on broken files; Warning for users who turn warnings into errors.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, RuntimeError),
    *(struct.error, ArithmeticError, MemoryError, PIL.Image.DecompressionBombError, Warning),
)

Opener = Callable[[IO[bytes]], PIL.Image.Image]

HEADER = 64  # bytes that tell the format
JPEG_SIDE = 65_500  # pixels: no JPEG is longer
JPEG_QUALITY = 88


def is_picture(path: Path) -> bool:
    """Whether a file's name or its first bytes say so, and not whether it can be read."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            _opener(file.read(HEADER))
    except OSError:
        return True  # for all that is known; reading it says what is wrong
    except _UnreadableError:
        return False
    return True


def read_image(
    source: Source, max_side: int | None = None, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image:
    """The picture as RGB uint8, turned as its EXIF orientation says, at most `max_side` pixels wide and high.

    Takes a path, the bytes of a file, a Pillow image or an array (grey, RGB or RGBA; bool, 8 or 16 bits, or floats of
    which the largest tells the scale: 1, 255 or 65535). Transparent parts become white, animations their first frame.
    A JPEG is decoded at a reduced scale when `max_side` allows. Pictures of more than `max_pixels` pixels are refused
    before any is decoded. Everything that cannot be read raises ImageError; a missing file FileNotFoundError.
    """
    if max_side is not None and max_side < 1:
        raise OptionError(f"max_side must be at least 1, got {max_side}")
    path = source if isinstance(source, (str, os.PathLike)) else None
    try:
        if isinstance(source, np.ndarray):
            image = _from_array(source)
        elif isinstance(source, PIL.Image.Image):
            _check_size(source, max_pixels)
            image = _decoded(source)
        elif isinstance(source, bytes):
            image = _read_stream(BytesIO(source), len(source), max_side, max_pixels, max_bytes)
        elif path is not None:
            image = _read_file(path, max_side, max_pixels, max_bytes)
        else:
            raise TypeError(f"source must be a path, bytes, Pillow image or array, got {type(source).__name__}")
    except _UnreadableError as error:
        raise ImageError(path, str(error)) from error.__cause__
    return image if max_side is None else limited(image, max_side)


def image_or_error(source: Source, max_side: int | None = None, *, missing: str, **limits: int) -> Image | ImageError:
    """The same where a bad picture shall not stop the rest; `missing` says why a file is not there."""
    try:
        return read_image(source, max_side, **limits)
    except FileNotFoundError:
        return ImageError(source if isinstance(source, str | os.PathLike) else None, missing)
    except ImageError as error:
        return error


def check_image(image: Any) -> None:
    """Raises unless the argument is an image as `read_image` returns them."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(f"an image must be a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise OptionError(f"an image must have shape (height, width, 3), got {image.shape}")


def halved(image: Image) -> Image:
    """The picture at half its size, each pixel the mean of four; an odd last row or column is left out."""
    import cv2

    height, width = (max(1, side // 2) for side in image.shape[:2])
    even = image[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def limited(image: Image, max_side: int) -> Image:
    """The picture at most so many pixels wide and high."""
    import cv2

    height, width = image.shape[:2]
    share = max_side / max(height, width)
    if share >= 1:
        return image
    size_wh = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def jpeg(image: Image) -> bytes:
    """The picture, in RGB or grey, as a JPEG file of its pixels alone: nothing that a photo says of its place gets in.

    It is made smaller where it is longer than a JPEG can be.
    """
    import cv2

    image = limited(image, JPEG_SIDE)
    grey = bool((image == image[..., :1]).all())
    _, data = cv2.imencode(
        ".jpg", image[..., 0] if grey else image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return bytes(data)


class _UnreadableError(Exception):
    """Why a picture cannot be read, on its way to the ImageError that also knows the path."""


def _read_file(path: str | os.PathLike[str], max_side: int | None, max_pixels: int, max_bytes: int) -> Image:
    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO without a writer would block

    try:
        with open(path, "rb", opener=without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _UnreadableError("not a regular file")
            return _read_stream(file, status.st_size, max_side, max_pixels, max_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _UnreadableError(f"cannot be opened: {error.strerror or error}") from error


def _read_stream(stream: IO[bytes], size: int, max_side: int | None, max_pixels: int, max_bytes: int) -> Image:
    if size == 0:
        raise _UnreadableError("the file is empty")
    if size > max_bytes:
        raise _UnreadableError(f"{size:,} bytes, more than the limit of {max_bytes:,}")
    header = stream.read(HEADER)
    stream.seek(0)
    opener = _opener(header)
    try:
        picture = opener(stream)
    except DECODE_ERRORS as error:
        raise _UnreadableError(f"cannot be opened as a picture: {_words(error)}") from error
    with picture:
        _check_size(picture, max_pixels)
        if max_side is not None:
            longer = max(picture.size)
            width, height = (max(1, side * max_side // longer) for side in picture.size)
            picture.draft(None, (width, height))  # JPEG alone can, down to an eighth
        return _decoded(picture)


def _decoded(picture: PIL.Image.Image) -> Image:
    try:
        return _to_rgb(ImageOps.exif_transpose(picture))
    except DECODE_ERRORS as error:
        raise _UnreadableError(f"cannot be decoded: {_words(error)}") from error


def _check_size(picture: PIL.Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise _UnreadableError(f"no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise _UnreadableError(f"{width} x {height} pixels, more than the limit of {max_pixels:,}")


def _to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _from_array(np.asarray(picture))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def _from_array(array: NDArray[Any]) -> Image:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise _UnreadableError(f"an array of shape {array.shape} is no grey, RGB or RGBA picture")
    array = _to_uint8(array)
    if array.shape[2] == 4:
        return _to_rgb(PIL.Image.fromarray(array, "RGBA"))
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)))


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "iu":
        white = 65535.0  # 16 bits, in whatever integer they are kept
    elif array.dtype.kind == "f":
        largest = float(array.max())
        if not np.isfinite(array).all():
            raise _UnreadableError("values that are not finite numbers")
        white = next((scale for scale in (1.0, 255.0) if largest <= scale), 65535.0)
    else:
        raise _UnreadableError(f"an array of {array.dtype} is no picture")
    return np.rint(array.clip(0, white) * (255 / white)).astype(np.uint8)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _opener(header: bytes) -> Opener:
    """What opens a file that begins so: the allow-list."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    openers: dict[tuple[bytes, ...], Opener] = {
        (b"\xff\xd8\xff",): JpegImagePlugin.JpegImageFile,
        (b"\x89PNG\r\n\x1a\n",): PngImagePlugin.PngImageFile,
        (b"GIF87a", b"GIF89a"): GifImagePlugin.GifImageFile,
        (b"BM",): BmpImagePlugin.BmpImageFile,
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"): TiffImagePlugin.TiffImageFile,
    }
    for signatures, opener in openers.items():
        if header.startswith(signatures):
            return opener
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    if header[4:8] == b"ftyp":
        return _iso_opener(header[8:])
    raise _UnreadableError("not a picture in a format that is read (JPEG, PNG, GIF, BMP, TIFF, WebP, HEIC, AVIF)")


def _iso_opener(brands: bytes) -> Opener:
    """HEIC and AVIF share a container, which films use as well; its brands tell them apart."""
    if b"avif" in brands or b"avis" in brands:
        from PIL import AvifImagePlugin, features

        if not features.check("avif"):
            raise _UnreadableError("AVIF, which this build of Pillow does not read")
        return AvifImagePlugin.AvifImageFile
    if brands.startswith((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")):
        return _open_heic
    raise _UnreadableError("a film or another media file, not a picture")


def _open_heic(stream: IO[bytes]) -> PIL.Image.Image:
    """Fails for this photo alone where pi-heif is missing: the photo is known as one, and other formats are read."""
    try:
        from pi_heif.as_plugin import HeifImageFile
    except ImportError as error:
        raise _UnreadableError('HEIC, which needs a package that cannot be imported: pip install "pi-heif"') from error
    picture: PIL.Image.Image = HeifImageFile(stream)
    return picture
