"""The one place that opens images: whatever comes in, an upright RGB uint8 array (H, W, 3) goes out."""

from __future__ import annotations

import os
import stat
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageOps

from facecrop._arrays import convert_to_uint8
from facecrop._formats import HEADER, UnreadableError, UnsupportedError, find_opener
from facecrop._sources import prepare_source
from facecrop.errors import ImageError, OptionError

Image = NDArray[np.uint8]  # RGB, (H, W, 3)
Source = str | os.PathLike[str] | bytes | IO[bytes] | PIL.Image.Image | NDArray[Any]

MAX_PIXELS = 200_000_000
MAX_BYTES = 512 * 2**20

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif"}
)

# What Pillow's decoders are known to raise on broken files; Warning for users who turn warnings into errors.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, RuntimeError),
    *(struct.error, ArithmeticError, MemoryError, PIL.Image.DecompressionBombError, Warning),
)

JPEG_SIDE = 65_500  # pixels: no JPEG is longer
JPEG_QUALITY = 88

_RENAMED = {"PICTURE_SUFFIXES": "IMAGE_SUFFIXES", "is_picture": "is_image_file", "jpeg": "encode_jpeg"}


if not TYPE_CHECKING:  # type checkers shall report the old names

    def __getattr__(name: str) -> Any:
        """Return what had another name in the last release, with a warning."""
        if name not in _RENAMED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        warnings.warn(f"facecrop.images.{name} is now {_RENAMED[name]}", DeprecationWarning, stacklevel=2)
        return globals()[_RENAMED[name]]


def is_image_file(path: Path) -> bool:
    """Tell whether a file is an image by its name or its first bytes, not whether it can be read."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            find_opener(file.read(HEADER))
    except OSError:
        return True  # it may be one: reading it says what is wrong
    except UnsupportedError:
        return True
    except UnreadableError:
        return False
    return True


def read_image(
    source: Source, max_side: int | None = None, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image:
    """Read an image as an upright RGB uint8 array.

    The image is turned as its EXIF orientation says. Transparent parts become white; of an animation, the first frame
    is read.

    Args:
        source: A path, the bytes of a file, an open file, a Pillow image, or an array: grey, RGB or RGBA. An array may
            hold bool, integers or floats; if it is not uint8, its largest value tells the scale (1 for floats, 255 or
            65535). One with values far below 0 is refused.
        max_side: The most pixels that the image may be wide and high; larger images are reduced. This is faster than
            reducing afterwards, because a JPEG is decoded at a smaller scale.
        max_pixels: Images of more pixels are refused before they are decoded.
        max_bytes: Files of more bytes are refused before they are read.

    Returns:
        An array (height, width, 3).

    Raises:
        ImageError: The image cannot be read; the error says why.
        FileNotFoundError: There is no such file.
        TypeError: The source is of another type.

    Examples:
        >>> import numpy as np
        >>> from facecrop import read_image
        >>> read_image(np.zeros((40, 60), np.uint8)).shape  # grey becomes RGB
        (40, 60, 3)
    """
    if max_side is not None and max_side < 1:
        raise OptionError(f"max_side must be at least 1, got {max_side}")
    path = source if isinstance(source, (str, os.PathLike)) else None
    try:
        source = prepare_source(source, max_bytes)
        if isinstance(source, np.ndarray):
            image = _convert_array(source)
        elif isinstance(source, PIL.Image.Image):
            _check_size(source, max_pixels)
            image = _decode(source)
        elif isinstance(source, bytes):
            image = _read_stream(BytesIO(source), len(source), max_side, max_pixels, max_bytes)
        elif path is not None:
            image = _read_file(path, max_side, max_pixels, max_bytes)
        else:
            raise TypeError(
                f"source must be a path, bytes, open file, Pillow image or array, got {type(source).__name__}"
            )
    except UnreadableError as error:
        raise ImageError(path, str(error)) from error.__cause__
    return image if max_side is None else limit_size(image, max_side)


def try_read_image(source: Source, max_side: int | None = None, *, missing: str, **limits: int) -> Image | ImageError:
    """Read an image as `read_image` does, but return an ImageError instead of raising it.

    Args:
        source: As in `read_image`.
        max_side: As in `read_image`.
        missing: The reason in the error if there is no such file.
        limits: `max_pixels` and `max_bytes`.
    """
    try:
        return read_image(source, max_side, **limits)
    except FileNotFoundError:
        return ImageError(source if isinstance(source, str | os.PathLike) else None, missing)
    except ImageError as error:
        return error


def check_image(image: Any) -> None:
    """Raise unless the argument is an image as `read_image` returns them."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(f"an image must be a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise OptionError(f"an image must have shape (height, width, 3), got {image.shape}")


def halve_image(image: Image) -> Image:
    """Reduce an image to half its size, each pixel the mean of four; an odd last row or column is left out."""
    import cv2

    height, width = (max(1, side // 2) for side in image.shape[:2])
    even = image[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def limit_size(image: Image, max_side: int) -> Image:
    """Reduce an image that is wider or higher than `max_side` pixels; return any other as it is."""
    import cv2

    height, width = image.shape[:2]
    share = max_side / max(height, width)
    if share >= 1:
        return image
    size_wh = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode_jpeg(image: Image) -> bytes:
    """Encode an image as a JPEG file of its pixels alone, without any metadata such as the place of a photo.

    An image that is longer than a JPEG can be is reduced.

    Args:
        image: RGB, or grey with one channel.
    """
    import cv2

    image = limit_size(image, JPEG_SIDE)
    grey = bool((image == image[..., :1]).all())
    _, data = cv2.imencode(
        ".jpg", image[..., 0] if grey else image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return bytes(data)


def _read_file(path: str | os.PathLike[str], max_side: int | None, max_pixels: int, max_bytes: int) -> Image:
    def open_without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO without a writer would block

    try:
        with open(path, "rb", opener=open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("not a regular file")
            return _read_stream(file, status.st_size, max_side, max_pixels, max_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror or error}") from error


def _read_stream(stream: IO[bytes], size: int, max_side: int | None, max_pixels: int, max_bytes: int) -> Image:
    if size == 0:
        raise UnreadableError("the file is empty")
    if size > max_bytes:
        raise UnreadableError(f"{size:,} bytes, more than the limit of {max_bytes:,}")
    header = stream.read(HEADER)
    stream.seek(0)
    opener = find_opener(header)
    try:
        image = opener(stream)
    except DECODE_ERRORS as error:
        raise UnreadableError(f"cannot be opened as an image: {_describe(error)}") from error
    with image:
        _check_size(image, max_pixels)
        if max_side is not None:
            longer = max(image.size)
            width, height = (max(1, side * max_side // longer) for side in image.size)
            image.draft(None, (width, height))  # JPEG alone can, down to an eighth
        return _decode(image)


def _decode(image: PIL.Image.Image) -> Image:
    try:
        return _convert_to_rgb(ImageOps.exif_transpose(image))
    except DECODE_ERRORS as error:
        raise UnreadableError(f"cannot be decoded: {_describe(error)}") from error


def _check_size(image: PIL.Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableError(f"no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableError(f"{width} x {height} pixels, more than the limit of {max_pixels:,}")


def _convert_to_rgb(image: PIL.Image.Image) -> Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _convert_array(np.asarray(image), white=65535.0 if image.mode.startswith("I;16") else None)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, "white")
        image = PIL.Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _convert_array(array: NDArray[Any], white: float | None = None) -> Image:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise UnreadableError(f"an array of shape {array.shape} is no grey, RGB or RGBA image")
    array = convert_to_uint8(array, white=white)
    if array.shape[2] == 4:
        return _convert_to_rgb(PIL.Image.fromarray(array, "RGBA"))
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)))


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
