"""Why a file is no film, or ends too early: read from its first bytes, because the decoder does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

HEAD = 2**20  # bytes at the beginning in which Matroska says what a file holds
INDEX = 64 * 2**20  # most bytes that are read of the index of an MP4 file

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # Matroska and WebM
ENCRYPTION, VIDEO_TRACK, SOUND_TRACK = b"\x50\x35", b"\x83\x81\x01", b"\x83\x81\x02"
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp")  # that an MP4 or MOV file begins with
SOUND = (b"ID3", b"fLaC", b"OggS", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"#!AMR")

EMPTY = "the file is empty"
ONLY_SOUND = "it holds sound and no film"
ENCRYPTED = "it is encrypted"
NO_INDEX = "it has no index, because the recording or the copy was cut off"
CUT_OFF = "it was cut off"
UNKNOWN = "it is no film, or encrypted, or of an unknown format"
NO_FRAME = "it holds no frame that can be read"


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def explain_unreadable(path: Path) -> str:
    """Say why no frame of a file can be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        if not size:
            return EMPTY
        if head[4:8] in BOXES:
            return _explain_mp4(file, size)
    if head.startswith(EBML):
        return _explain_matroska(head)
    if head.startswith(SOUND) or head[8:12] == b"WAVE":
        return ONLY_SOUND
    return UNKNOWN if not head.startswith(b"RIFF") else NO_FRAME


def find_cut(path: Path) -> str | None:
    """Say that a file is shorter than its own headers say; None where it is not, or the format does not tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head[4:8] in BOXES:
            ends = [box.end for box in _list_boxes(file, size)]
        elif head.startswith(EBML):
            ends = [_end_of_segment(head)]
        elif head.startswith(b"RIFF"):
            ends = [8 + int.from_bytes(head[4:8], "little")]
        else:
            return None
    return CUT_OFF if max(ends, default=0) > size else None


def _explain_mp4(file: IO[bytes], size: int) -> str:
    index = next((box for box in _list_boxes(file, size) if box.kind == b"moov"), None)
    if index is None or index.end > size:
        return NO_INDEX
    file.seek(index.start)
    content = file.read(min(index.end - index.start, INDEX))
    if b"encv" in content:
        return ENCRYPTED
    return NO_FRAME if b"vide" in content else ONLY_SOUND


def _explain_matroska(head: bytes) -> str:
    if VIDEO_TRACK not in head and SOUND_TRACK in head:
        return ONLY_SOUND
    return ENCRYPTED if ENCRYPTION in head else NO_FRAME


def _list_boxes(file: IO[bytes], size: int) -> Iterator[_Box]:
    """List the boxes that an MP4 file consists of; the last may end beyond the file."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        elif length == 0:  # up to the end of the file
            length = size - start
        if length < 8:
            return
        yield _Box(head[4:8], start, start + length)
        start += length


def _end_of_segment(head: bytes) -> int:
    """Return where Matroska's segment ends; 0 if it has no size, as in a recording that was not finished."""
    start = head.find(SEGMENT) + len(SEGMENT)
    if start < len(SEGMENT) or start >= len(head) or not head[start]:
        return 0
    width = 9 - head[start].bit_length()  # the leading zeros tell how many bytes the number has
    value = int.from_bytes(head[start : start + width]) & (2 ** (7 * width) - 1)
    return 0 if value == 2 ** (7 * width) - 1 else start + width + value
