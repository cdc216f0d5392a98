"""Zips and tars, listed without unpacking more than must be.

Members that would lead out of an archive, and archives that expand to more than they honestly could, are refused
before anything is read. A compressed tar cannot be entered in its middle: it is unpacked into a temporary file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from emonet.datasets.sample import Blob
from emonet.errors import DatasetError, MachineError
from facecrop.folders import SYSTEM_FILES
from facecrop.images import MAX_BYTES

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_EXPANSION = 200  # times its packed size; FER2013's rows of digits reach 3, a bomb 1,000
EXPANSION_FREE = 64 * 2**20  # bytes: small things may be as even as they like
MAX_UNPACKED = 64 * 2**30  # bytes in all

READ_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),  # zipfile's words for methods it does not know and for passwords
)


@dataclass(frozen=True, slots=True)
class SpanBlob:
    """A stretch of a file: a member of a plain tar."""

    path: Path
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return f"{self.path}:{self.member}"

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(min(self.size, MAX_BYTES + 1))


@dataclass(frozen=True, slots=True)
class ZipBlob:
    """A member of a zip."""

    path: Path
    member: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.member}"

    def read(self) -> bytes:
        try:
            with _opened_zip(self.path).open(self.member) as file:
                return file.read(MAX_BYTES + 1)
        except READ_ERRORS as error:
            raise MachineError(f"damaged in its archive: {error}") from error


def _opened_zip(path: Path) -> zipfile.ZipFile:
    return _zip_of_process(path, os.getpid())


@lru_cache(maxsize=8)
def _zip_of_process(path: Path, _process: int) -> zipfile.ZipFile:
    """One reading of the directory per process: it is long, every picture asks for it, and forks share a position."""
    return zipfile.ZipFile(path)


class Scratch:
    """A temporary file that goes when nobody holds it any more, at the latest with the process."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="emonet-")
        self.file = os.fdopen(handle, "wb")
        self.path = Path(name)
        weakref.finalize(self, _remove, self.file, self.path, os.getpid())


def _remove(file: IO[bytes], path: Path, maker: int) -> None:
    file.close()
    if os.getpid() == maker:  # a fork that forgets it leaves it to its parent
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Archive:
    """What is in an archive, by sorted names; `scratch` holds the unpacked copy that members are read from."""

    members: dict[str, Blob]
    scratch: tuple[Scratch, ...] = ()


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def open_archive(path: Path) -> Archive:
    return _zip_members(path) if path.name.lower().endswith(".zip") else _tar_members(path)


def unpacked_member(blob: ZipBlob) -> Scratch:
    """A copy of a zip's member that can be entered anywhere."""
    with _opened_zip(blob.path).open(blob.member) as packed:
        return _unpacked(packed, blob.path)


def _zip_members(path: Path) -> Archive:
    _zip_of_process.cache_clear()  # the file may have changed since
    try:
        entries = [entry for entry in _opened_zip(path).infolist() if not entry.filename.endswith(("/", "\\"))]
    except (*READ_ERRORS, OSError) as error:
        raise DatasetError(path, f"not a complete zip: {error}") from error
    for entry in entries:
        _check_name(path, entry.filename)
        if entry.flag_bits & 1:
            raise DatasetError(path, f"{entry.filename} is encrypted")
        _check_expansion(path, entry.filename, entry.file_size, entry.compress_size)
    _check_total(path, sum(entry.file_size for entry in entries))
    names = {entry.filename.replace("\\", "/").removeprefix("./"): entry.filename for entry in entries}
    return Archive({name: ZipBlob(path, names[name]) for name in sorted(names) if not _hidden(name)})


def _tar_members(path: Path) -> Archive:
    scratch: list[Scratch] = []
    plain = path
    if not path.name.lower().endswith(".tar"):
        with _decompressed(path) as packed:
            scratch.append(_unpacked(packed, path))
        plain = scratch[0].path
    try:
        with tarfile.open(plain, "r:") as tar:
            entries = [entry for entry in tar if entry.isreg()]
    except READ_ERRORS as error:
        raise DatasetError(path, f"not a complete tar: {error}") from error
    size = plain.stat().st_size
    for entry in entries:
        _check_name(path, entry.name)
        if entry.offset_data + entry.size > size:
            raise DatasetError(path, f"not a complete tar: it ends within {entry.name}")
    spans = (SpanBlob(plain, entry.name, entry.offset_data, entry.size) for entry in entries)
    members = {span.member.removeprefix("./"): span for span in spans if not _hidden(span.member)}
    return Archive(dict(sorted(members.items())), tuple(scratch))


def _decompressed(path: Path) -> IO[bytes]:
    openers: dict[str, Any] = {".bz2": bz2.open, ".xz": lzma.open}
    stream: IO[bytes] = openers.get(path.suffix.lower(), gzip.open)(path, "rb")
    return stream


def _unpacked(packed: IO[bytes], archive: Path) -> Scratch:
    """A temporary copy of a packed stream, at most as long as it could honestly be."""
    limit = min(MAX_UNPACKED, EXPANSION_FREE + MAX_EXPANSION * archive.stat().st_size)
    scratch = Scratch()
    try:
        while block := packed.read(2**20):
            if scratch.file.tell() + len(block) > limit:
                raise DatasetError(archive, f"it expands to more than {limit:,} bytes")
            scratch.file.write(block)
        scratch.file.flush()
    except (*READ_ERRORS, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a full disk; what gzip and bz2 say of bad data has no number
        raise DatasetError(archive, f"not a complete archive: {error}") from error
    return scratch


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or (parts and parts[0].endswith(":")):
        raise DatasetError(path, f"the member {name!r} leads out of the archive")


def _check_expansion(path: Path, name: str, size: int, packed: int) -> None:
    if size > EXPANSION_FREE and size > MAX_EXPANSION * packed:
        raise DatasetError(path, f"{name} expands from {packed:,} to {size:,} bytes")


def _check_total(path: Path, size: int) -> None:
    if size > MAX_UNPACKED:
        raise DatasetError(path, f"it expands to {size:,} bytes, more than {MAX_UNPACKED:,}")


def _hidden(name: str) -> bool:
    place = PurePosixPath(name.removeprefix("./"))
    return place.name.lower() in SYSTEM_FILES or any(part.startswith((".", "__MACOSX")) for part in place.parts)
