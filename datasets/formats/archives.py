"""Zips and tars, which are listed and read without unpacking them, where that can be done.

Archives are refused before anything is read if a member's path leads out of the archive, or if they expand to far more
than real data do. A compressed tar has to be read from its start, so it is unpacked into a temporary file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from emonet.datasets.formats.scratch import Scratch
from emonet.datasets.sample import Blob
from emonet.errors import DatasetError, MachineError
from facecrop.folders import SYSTEM_FILES
from facecrop.images import MAX_BYTES

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_EXPANSION = 200  # times its packed size; FER2013's rows of digits reach 3, a bomb 1,000
EXPANSION_FREE = 64 * 2**20  # bytes: so small an archive does no harm
MAX_UNPACKED = 64 * 2**30  # bytes in all

READ_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),  # zipfile: an unknown compression, a password
)


@dataclass(frozen=True, slots=True)
class SpanBlob:
    """A part of a file: a member of a plain tar."""

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
            with _open_zip(self.path).open(self.member) as file:
                return file.read(MAX_BYTES + 1)
        except READ_ERRORS as error:
            raise MachineError(f"damaged in its archive: {error}") from error


def _open_zip(path: Path) -> zipfile.ZipFile:
    return _open_zip_in(path, os.getpid())


@lru_cache(maxsize=8)
def _open_zip_in(path: Path, _process: int) -> zipfile.ZipFile:
    """Open a zip once in each process: its directory is long, and forks would share one position in the file."""
    return zipfile.ZipFile(path)


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of an archive, sorted by name.

    `scratch` is the unpacked copy that they are read from, if there is one.
    """

    members: dict[str, Blob]
    scratch: tuple[Scratch, ...] = ()


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is an archive."""
    return name.lower().endswith(ARCHIVES)


def open_archive(path: Path, name: str = "") -> Archive:
    """List the members of an archive.

    Args:
        path: The file.
        name: Says by its ending which kind of archive it is, where the file's own name does not.

    Raises:
        DatasetError: It is damaged, encrypted, or may do harm.
    """
    name = name or path.name
    return _list_zip(path) if name.lower().endswith(".zip") else _list_tar(path, name)


def unpack_member(blob: ZipBlob | SpanBlob) -> Scratch:
    """Unpack a member of an archive into a temporary file, which can be read from any position."""
    if isinstance(blob, SpanBlob):
        return _copy_span(blob)
    with _open_zip(blob.path).open(blob.member) as packed:
        return _unpack(packed, blob.path)


def unpack_file(path: Path) -> Scratch:
    """Unpack a file that was packed by itself into a temporary file."""
    with _decompress(path, path.name) as packed:
        return _unpack(packed, path)


def _list_zip(path: Path) -> Archive:
    _open_zip_in.cache_clear()  # the file may have changed since
    try:
        entries = [entry for entry in _open_zip(path).infolist() if not entry.filename.endswith(("/", "\\"))]
    except (*READ_ERRORS, OSError) as error:
        raise DatasetError(path, f"not a complete zip: {error}") from error
    for entry in entries:
        _check_name(path, entry.filename)
        if entry.flag_bits & 1:
            raise DatasetError(path, f"{entry.filename} is encrypted")
        _check_expansion(path, entry.filename, entry.file_size, entry.compress_size)
    _check_total(path, sum(entry.file_size for entry in entries))
    names = {entry.filename.replace("\\", "/").removeprefix("./"): entry.filename for entry in entries}
    return Archive({name: ZipBlob(path, names[name]) for name in sorted(names) if not _is_hidden(name)})


def _list_tar(path: Path, name: str) -> Archive:
    scratch: list[Scratch] = []
    plain = path
    if not name.lower().endswith(".tar"):
        with _decompress(path, name) as packed:
            scratch.append(_unpack(packed, path))
        plain = scratch[0].path
    try:
        with tarfile.open(plain, "r:") as tar:
            entries = _list_files(tar)
    except READ_ERRORS as error:
        raise DatasetError(path, f"not a complete tar: {error}") from error
    size = plain.stat().st_size
    for entry in entries:
        _check_name(path, entry.name)
        if entry.offset_data + entry.size > size:
            raise DatasetError(path, f"not a complete tar: it ends within {entry.name}")
    spans = (SpanBlob(plain, entry.name, entry.offset_data, entry.size) for entry in entries)
    members = {span.member.removeprefix("./"): span for span in spans if not _is_hidden(span.member)}
    return Archive(dict(sorted(members.items())), tuple(scratch))


def _list_files(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """List the files of a tar; one with two names is stored once, and its second name is a link to the first."""
    files: dict[str, tarfile.TarInfo] = {}
    for entry in tar:
        if entry.isreg():
            files[entry.name] = entry
        elif entry.islnk() and entry.linkname in files:
            files[entry.name] = copy(files[entry.linkname])
            files[entry.name].name = entry.name
    return list(files.values())


def _decompress(path: Path, name: str) -> IO[bytes]:
    openers: dict[str, Any] = {".bz2": bz2.open, ".xz": lzma.open}
    stream: IO[bytes] = openers.get(PurePosixPath(name).suffix.lower(), gzip.open)(path, "rb")
    return stream


def _unpack(packed: IO[bytes], archive: Path) -> Scratch:
    """Copy a packed stream into a temporary file, and stop where it expands to more than real data do."""
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
            raise  # a full disk, for one; errors of gzip and bz2 about bad data have no number
        raise DatasetError(archive, f"not a complete archive: {error}") from error
    return scratch


def _copy_span(blob: SpanBlob) -> Scratch:
    scratch = Scratch()
    with blob.path.open("rb") as file:
        file.seek(blob.offset)
        left = blob.size
        while left and (block := file.read(min(left, 2**20))):
            scratch.file.write(block)
            left -= len(block)
    scratch.file.flush()
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


def _is_hidden(name: str) -> bool:
    place = PurePosixPath(name.removeprefix("./"))
    return any(part.startswith((".", "__MACOSX")) or part.lower() in SYSTEM_FILES for part in place.parts)
