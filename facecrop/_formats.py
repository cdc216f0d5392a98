"""The image formats that may be opened, told by the first bytes of a file and never by its name.

Phones call HEIC files .jpg. Pillow knows many more formats than these, among them some that run programs or that were
used for decompression bombs; they are never tried.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import PIL.Image

Opener = Callable[[IO[bytes]], PIL.Image.Image]

HEADER = 64  # bytes that tell the format
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

# What Pillow's decoders are known to raise on broken files; Warning for users who turn warnings into errors.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, RuntimeError),
    *(struct.error, ArithmeticError, MemoryError, PIL.Image.DecompressionBombError, Warning),
)


class UnreadableError(Exception):
    """The reason why an image cannot be read, before it becomes the ImageError that also knows the path."""


class UnsupportedError(UnreadableError):
    """The reason why a photo in a format that is known, but not read, cannot be read."""


UNSUPPORTED: dict[tuple[bytes, ...], str] = {  # by the first bytes of the file
    (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"): "JPEG XL",
    (b"FUJIFILMCCD-RAW",): "RAW of a Fujifilm camera",
    (b"IIRO", b"IIRS", b"MMOR"): "RAW of an Olympus camera",
    (b"IIU\0",): "RAW of a Panasonic camera",
    (b"\0MRM",): "RAW of a Minolta camera",
    (b"FOVb",): "RAW of a Sigma camera",
    (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"): "JPEG 2000",
}
INSTEAD = "which is not read: export it as JPEG, PNG or HEIC"
DNG_VERSION, SUB_IFDS, SUBFILE_TYPE, MAKE = 50706, 330, 254, 271  # tags of TIFF


def find_opener(header: bytes) -> Opener:
    """Find what opens a file that begins with these bytes; raise UnreadableError if nothing may."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    openers: dict[tuple[bytes, ...], Opener] = {
        (b"\xff\xd8\xff",): JpegImagePlugin.JpegImageFile,
        (b"\x89PNG\r\n\x1a\n",): PngImagePlugin.PngImageFile,
        (b"GIF87a", b"GIF89a"): GifImagePlugin.GifImageFile,
        (b"BM",): BmpImagePlugin.BmpImageFile,
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"): _open_tiff,
    }
    for signatures, name in UNSUPPORTED.items():
        if header.startswith(signatures):
            raise UnsupportedError(f"{name}, {INSTEAD}")
    if header[:4] == b"II*\0" and header[8:10] == b"CR":
        raise UnsupportedError(f"RAW of a Canon camera, {INSTEAD}")
    for signatures, opener in openers.items():
        if header.startswith(signatures):
            return opener
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    if header[4:8] == b"ftyp":
        return _find_iso_opener(header[8:])
    raise UnreadableError("not an image in a format that is read (JPEG, PNG, GIF, BMP, TIFF, WebP, HEIC, AVIF)")


def _open_tiff(stream: IO[bytes]) -> PIL.Image.Image:
    """Open a TIFF file; of a camera's RAW file, which looks like one, Pillow would open a thumbnail."""
    from facecrop._tiff import UnlimitedTiffFile

    image = UnlimitedTiffFile(stream)
    tags = image.tag_v2
    if DNG_VERSION in tags or (SUB_IFDS in tags and tags.get(SUBFILE_TYPE) == 1):
        maker = str(tags.get(MAKE, "")).split("\0")[0].strip()
        raise UnsupportedError(f"RAW of a camera{f' ({maker})' if maker else ''}, {INSTEAD}")
    return image


def _find_iso_opener(brands: bytes) -> Opener:
    """Tell HEIC and AVIF by their brands: films use the same container."""
    if b"avif" in brands or b"avis" in brands:
        from PIL import AvifImagePlugin, features

        if not features.check("avif"):
            raise UnreadableError("AVIF, which this build of Pillow does not read")
        return AvifImagePlugin.AvifImageFile
    if brands.startswith(HEIC_BRANDS):
        return _open_heic
    if brands.startswith(b"crx "):
        raise UnsupportedError(f"RAW of a Canon camera, {INSTEAD}")
    raise UnreadableError("a film or another media file, not an image")


def _open_heic(stream: IO[bytes]) -> PIL.Image.Image:
    """Open a HEIC file; without pi-heif this file alone fails, and all other formats are read."""
    try:
        from pi_heif.as_plugin import HeifImageFile
    except ImportError as error:
        raise UnreadableError('HEIC, which needs a package that cannot be imported: pip install "pi-heif"') from error
    image: PIL.Image.Image = HeifImageFile(stream)
    return image


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a regular file; anything else is refused, and never waited for."""

    def open_without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO without a writer would block

    with open(path, "rb", opener=open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("not a regular file")
        yield file


def open_image(stream: IO[bytes]) -> PIL.Image.Image:
    """Open an image file, whose pixels are not decoded yet."""
    header = stream.read(HEADER)
    stream.seek(0)
    opener = find_opener(header)
    try:
        return opener(stream)
    except DECODE_ERRORS as error:
        raise UnreadableError(f"cannot be opened as an image: {describe(error)}") from error


def describe(error: Exception) -> str:
    """Say what an error of a decoder is, in one line."""
    return str(error) or type(error).__name__
