"""Decode a large PNG at half its size strip by strip: Pillow holds four bytes of each of its pixels at a time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO

import numpy as np
import PIL.Image
from PIL.PngImagePlugin import PngImageFile

from facecrop._large import STRIP_PIXELS, WHOLE_VALUES
from facecrop.resizing import Image, halve_image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of the file
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels: no palette
COLOURS = (b"PLTE", b"tRNS")  # chunks that say what the values of the pixels mean
NOTES = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # chunks in which the orientation may be
BLOCK = 2**20  # bytes that are read at a time


@dataclass(frozen=True, slots=True)
class _Header:
    """The size and the kind of a PNG's pixels."""

    width: int
    height: int
    depth: int  # bits of a channel
    colour: int  # the colour type

    @property
    def row(self) -> int:
        """The number of bytes of a row."""
        return (self.width * CHANNELS[self.colour] * self.depth + 7) // 8

    @property
    def step(self) -> int:
        """The number of bytes of a pixel: filters compare bytes that lie so far from each other."""
        return max(1, CHANNELS[self.colour] * self.depth // 8)

    def as_bytes(self) -> _Header:
        """Return the header of an image that has the bytes of this one's rows as its values."""
        return _Header(self.row // self.step, self.height, 8, COLOUR_TYPES[self.step])


def find_stream(image: PIL.Image.Image) -> IO[bytes] | None:
    """Return the file of an image that `halve_png` reads; None for any other.

    It reads PNGs that are neither animated nor interlaced, and have no 16 bits of a colour.
    """
    if not isinstance(image, PngImageFile) or image.fp is None or image.is_animated or image.info.get("interlace"):
        return None
    return image.fp if image.mode not in WHOLE_VALUES and _read_header(image.fp).step in COLOUR_TYPES else None


def halve_png(stream: IO[bytes], convert: Callable[[PIL.Image.Image], Image]) -> tuple[Image, PIL.Image.Exif]:
    """Decode a PNG at half its size, each pixel the mean of four; an odd last row or column is left out.

    Args:
        stream: The file.
        convert: Converts a strip to an array (height, width, 3).

    Returns:
        The image as it lies in the file, and its EXIF data.

    Raises:
        OSError: The file is damaged.
    """
    header, reader = _read_header(stream), _Reader(stream)
    width, height = header.width // 2, header.height // 2
    halved = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // header.width // 2)
    above = b"\0" * header.row
    for top in range(0, height, rows):
        strip = replace(header, height=2 * min(rows, height - top))
        data = _undo_filters(strip, above, reader.read(strip.height * (1 + header.row)))
        halved[top : top + rows] = halve_image(convert(_decode(strip, data, reader.colours)))
        above = data[-header.row :]
    reader.finish()
    one = replace(header, width=1, height=1)
    return halved, _open(one, b"\0" * (1 + one.row), reader.colours, reader.notes).getexif()


def _undo_filters(strip: _Header, above: bytes, filtered: bytes) -> bytes:
    """Return the values of rows that are stored as differences, from the row above them on."""
    taller = replace(strip.as_bytes(), height=strip.height + 1)
    return _open(taller, b"\0" + above + filtered).tobytes()[strip.row :]


def _decode(strip: _Header, data: bytes, colours: bytes) -> PIL.Image.Image:
    """Let Pillow say what values mean: each row gets a byte before it, which says that it has no filter."""
    rows = np.frombuffer(data, np.uint8).reshape(strip.height, strip.row)
    return _open(strip, np.pad(rows, ((0, 0), (1, 0))).tobytes(), colours)


def _open(header: _Header, data: bytes, colours: bytes = b"", notes: bytes = b"") -> PIL.Image.Image:
    """Open rows with their filters as a PNG of their own."""
    kind = struct.pack(">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, 0)
    pixels = _make_chunk(b"IDAT", zlib.compress(data, 0))
    file = SIGNATURE + _make_chunk(b"IHDR", kind) + colours + pixels + notes + _make_chunk(b"IEND", b"")
    return PngImageFile(BytesIO(file))


def _make_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _read_header(stream: IO[bytes]) -> _Header:
    """Read the header, and leave the stream behind it."""
    stream.seek(len(SIGNATURE) + 8)
    header = _Header(*struct.unpack(">IIBB", stream.read(10)))
    stream.seek(7, 1)  # three bytes that are the same in all files, and the sum
    return header


class _Reader:
    """Reads the chunks of a PNG behind its header: unpacks the pixels, and keeps what else Pillow needs."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj()
        self._blocks = self._read_blocks()
        self.colours = self.notes = b""

    def read(self, count: int) -> bytes:
        """Unpack so many bytes of the rows."""
        parts = []
        while count:
            packed = self._inflater.unconsumed_tail or next(self._blocks, b"")
            if not packed:
                raise OSError("image file is truncated")
            try:
                parts.append(self._inflater.decompress(packed, count))
            except zlib.error as error:
                raise OSError(f"broken PNG file: {error}") from error
            count -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        """Read what stands behind the pixels."""
        for _ in self._blocks:
            pass

    def _read_blocks(self) -> Iterator[bytes]:
        """Yield the packed pixels."""
        while len(start := self._stream.read(8)) == 8:
            length, name = struct.unpack(">I4s", start)
            if name == b"IEND":
                return
            if name == b"IDAT":
                yield from (self._stream.read(min(BLOCK, length - place)) for place in range(0, length, BLOCK))
            elif name in COLOURS:
                self.colours += _make_chunk(name, self._stream.read(length))
            elif name in NOTES:
                self.notes += _make_chunk(name, self._stream.read(length))
            else:
                self._stream.seek(length, 1)
            self._stream.seek(4, 1)  # the sum
