"""The one place that opens images: whatever comes in, an upright RGB uint8 array (H, W, 3) goes out."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from facecrop._arrays import convert_to_uint8
from facecrop._decoded import halve_decoded
from facecrop._formats import (
    DECODE_ERRORS,
    HEADER,
    UnreadableError,
    UnsupportedError,
    describe,
    find_opener,
    open_image,
    open_regular,
)
from facecrop._large import convert_in_strips, turn_upright
from facecrop._png import find_stream, halve_png
from facecrop._sources import prepare_source
from facecrop.errors import ImageError, MissingFileError, OptionError
from facecrop.resizing import Image as Image
from facecrop.resizing import encode_jpeg as encode_jpeg
from facecrop.resizing import encode_png as encode_png
from facecrop.resizing import halve_image as halve_image
from facecrop.resizing import limit_size as limit_size
from facecrop.text import printable

Source = str | os.PathLike[str] | bytes | IO[bytes] | PIL.Image.Image | NDArray[Any]

MAX_PIXELS = 200_000_000
LARGE = 50_000_000  # pixels: larger photos are read at half their size
MAX_BYTES = 512 * 2**20

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif"}
)

ORIENTATION = 0x0112  # EXIF's tag


def is_image_file(path: Path) -> bool:
    """Tell whether a file is an image by its name or its first bytes, not whether it can be read."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with open_regular(path) as file:
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
        MissingFileError: There is no such file.
        TypeError: The source is of another type.

    Examples:
        >>> import numpy as np
        >>> from facecrop import read_image
        >>> read_image(np.zeros((40, 60), np.uint8)).shape  # grey becomes RGB
        (40, 60, 3)
    """
    if max_side is not None and max_side < 1:
        raise OptionError(f"max_side must be at least 1, got {max_side}")
    image = _read(source, max_side, max_pixels, max_bytes, large=max_pixels).image
    return image if max_side is None else limit_size(image, max_side)


class ReadPhoto(NamedTuple):
    """An image as it was read, which may be half as wide and high as the photo.

    Attributes:
        image: RGB uint8, upright.
        size_wh: Width and height of the photo, upright, in pixels.
    """

    image: Image
    size_wh: tuple[int, int]

    @property
    def scale(self) -> int:
        """How many pixels of the photo a pixel of the image is wide: 1 or 2."""
        return max(1, round(max(self.size_wh) / int(max(self.image.shape[:2]))))


def read_photo(source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> ReadPhoto:
    """Read a photo as `read_image` does, but one of more than LARGE pixels at half its size.

    Raises:
        ImageError: The photo cannot be read.
        MissingFileError: There is no such file.
    """
    return _read(source, None, max_pixels, max_bytes, large=LARGE)


def count_pixels(source: Source) -> int:
    """Count the pixels of an image by the beginning of its file; 0 if it cannot be read."""
    if isinstance(source, np.ndarray):
        return int(source.shape[0] * source.shape[1]) if source.ndim > 1 else 0
    try:
        if isinstance(source, PIL.Image.Image):
            return int(source.width * source.height)
        if isinstance(source, bytes):
            return _count_pixels(BytesIO(source))
        if not isinstance(source, str | os.PathLike):
            return 0  # an open file is read where it stands
        with open_regular(source) as file:
            return _count_pixels(file)
    except (OSError, UnreadableError, TypeError, *DECODE_ERRORS):
        return 0  # reading it says what is wrong


def _read(source: Source, max_side: int | None, max_pixels: int, max_bytes: int, large: int) -> ReadPhoto:
    path = source if isinstance(source, (str, os.PathLike)) else None
    try:
        source = prepare_source(source, max_bytes)
        if isinstance(source, np.ndarray):
            image = _convert_array(source)
            return ReadPhoto(image, (image.shape[1], image.shape[0]))
        if isinstance(source, PIL.Image.Image):
            _check_size(source, max_pixels)
            return _decode(source, source.size, large)
        if isinstance(source, bytes):
            return _read_stream(BytesIO(source), len(source), max_side, max_pixels, max_bytes, large)
        if path is not None:
            return _read_file(path, max_side, max_pixels, max_bytes, large)
        raise TypeError(f"source must be a path, bytes, open file, Pillow image or array, got {type(source).__name__}")
    except UnreadableError as error:
        raise ImageError(path, str(error)) from error.__cause__


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
    except MissingFileError:
        return ImageError(source if isinstance(source, str | os.PathLike) else None, missing)
    except ImageError as error:
        return error


def check_image(image: Any) -> None:
    """Raise unless the argument is an image as `read_image` returns them."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(f"an image must be a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise OptionError(f"an image must have shape (height, width, 3), got {image.shape}")


def _read_file(
    path: str | os.PathLike[str], max_side: int | None, max_pixels: int, max_bytes: int, large: int
) -> ReadPhoto:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            return _read_stream(file, size, max_side, max_pixels, max_bytes, large)
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file: {printable(path)}") from error
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror or error}") from error


def _count_pixels(stream: IO[bytes]) -> int:
    with open_image(stream) as image:
        return int(image.width * image.height)


def _read_stream(
    stream: IO[bytes], size: int, max_side: int | None, max_pixels: int, max_bytes: int, large: int
) -> ReadPhoto:
    if size == 0:
        raise UnreadableError("the file is empty")
    if size > max_bytes:
        raise UnreadableError(f"{size:,} bytes, more than the limit of {max_bytes:,}")
    with open_image(stream) as image:
        _check_size(image, max_pixels)
        full, longer = image.size, max(image.size)
        if full[0] * full[1] > large:
            max_side = min((longer + 1) // 2, max_side or longer)
        if max_side is not None:
            width, height = (max(1, side * max_side // longer) for side in full)
            image.draft(None, (width, height))  # JPEG alone can, down to an eighth
        return _decode(image, full, large)


def _decode(image: PIL.Image.Image, full: tuple[int, int], large: int) -> ReadPhoto:
    """Decode an image whose size was `full` before it was reduced; halve one that is too large."""
    pixels = image.width * image.height
    try:
        if pixels > large and (stream := find_stream(image)) is not None:
            found, exif = halve_png(stream, _convert_to_rgb)
        else:
            exif = image.getexif()
            halved = halve_decoded(image) if pixels > large else None
            found = halved if halved is not None else convert_in_strips(image, _convert_to_rgb, halve=pixels > large)
        orientation = exif.get(ORIENTATION, 1)
        upright = turn_upright(found, orientation)
    except DECODE_ERRORS as error:
        raise UnreadableError(f"cannot be decoded: {describe(error)}") from error
    turned = orientation in (5, 6, 7, 8)
    return ReadPhoto(upright, full[::-1] if turned else full)


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
