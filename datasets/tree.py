"""Data as they were downloaded: a folder, a zip, a tar or one file, all seen as names with bytes behind them.

Archives are read in place. Members that would lead out of an archive, and archives that expand to more than they
honestly could, are refused before anything is read.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from emonet.datasets.sample import Blob, DatasetError
from facecrop.folders import SYSTEM_FILES, iter_files
from facecrop.images import MAX_BYTES

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif"}
)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_EXPANSION = 200  # times its packed size; FER2013's rows of digits reach 3, a bomb 1,000
EXPANSION_FREE = 64 * 2**20  # bytes: small things may be as even as they like
MAX_UNPACKED = 64 * 2**30  # bytes in all

READ_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),  # zipfile's words for methods it does not know and for passwords
)


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A file of its own."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(MAX_BYTES + 1)


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
            raise OSError(f"damaged in its archive: {error}") from error


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
        weakref.finalize(self, _remove, self.file, self.path)


def _remove(file: IO[bytes], path: Path) -> None:
    file.close()
    path.unlink(missing_ok=True)


@dataclass(slots=True)
class Tree:
    """Names in posix form, sorted, with what lies behind them; `path` is what the user gave."""

    path: Path
    members: dict[str, Blob]
    failures: dict[str, str] = field(default_factory=dict)  # folders that cannot be listed, and why
    scratch: list[Scratch] = field(default_factory=list)

    def archives(self) -> dict[str, Path]:
        """The archives that lie in a folder unopened."""
        blobs = self.members.items()
        return {name: blob.path for name, blob in blobs if isinstance(blob, FileBlob) and _is_archive(name)}

    def with_archives(self) -> Tree:
        """The same tree with what is in its archives in their place."""
        archives, scratch = self.archives(), list(self.scratch)
        members = {name: blob for name, blob in self.members.items() if name not in archives}
        for name, path in archives.items():
            inner = open_tree(path)
            folder = PurePosixPath(name).parent
            members |= {str(folder / member): inside for member, inside in inner.members.items()}
            scratch += inner.scratch
        return Tree(self.path, dict(sorted(members.items())), self.failures, scratch)

    def pictures(self) -> Iterator[tuple[PurePosixPath, Blob]]:
        """The members whose names say that they are pictures."""
        for name, blob in self.members.items():
            place = PurePosixPath(name)
            if place.suffix.lower() in PICTURE_SUFFIXES:
                yield place, blob

    def plain_file(self, name: str) -> tuple[Path, int, int]:
        """File, offset and size of a member as it lies on disk, unpacked into a temporary file where it is packed."""
        blob = self.members[name]
        if isinstance(blob, SpanBlob):
            return blob.path, blob.offset, blob.size
        if isinstance(blob, FileBlob):
            return blob.path, 0, blob.path.stat().st_size
        if not isinstance(blob, ZipBlob):
            raise TypeError(f"{name} is no file")
        with _opened_zip(blob.path).open(blob.member) as packed:
            copy = _unpacked(packed, blob.path)
        self.scratch.append(copy)
        return copy.path, 0, copy.path.stat().st_size


def open_tree(path: str | os.PathLike[str]) -> Tree:
    """The tree of a folder, an archive or a single file."""
    root = Path(path)
    if root.is_dir():
        return _folder_tree(root)
    if not root.exists():
        raise FileNotFoundError(f"no such file or folder: {root}")
    name = root.name.lower()
    if name.endswith(".zip"):
        return _zip_tree(root)
    if name.endswith(ARCHIVES):
        return _tar_tree(root)
    return Tree(root, {root.name: FileBlob(root)})


def hash_inputs(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of its files' names and hashes."""
    if not path.is_dir():
        return _file_hash(path)
    files = [file for file, _ in iter_files(path)]
    whole = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, digest in zip(files, pool.map(_file_hash, files), strict=True):
            whole.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0" + digest.encode() + b"\n")
    return whole.hexdigest()


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:  # a file without permission is a reject later; here it only has to be the same each time
        return f"unreadable ({error.strerror})"


def _folder_tree(root: Path) -> Tree:
    tree = Tree(root, {})
    for file, failure in iter_files(root):
        name = file.relative_to(root).as_posix()
        if failure:
            tree.failures[name] = failure.reason
        else:
            tree.members[name] = FileBlob(file)
    tree.members = dict(sorted(tree.members.items()))
    return tree


def _zip_tree(path: Path) -> Tree:
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
    return Tree(path, {name: ZipBlob(path, names[name]) for name in sorted(names) if not _hidden(name)})


def _tar_tree(path: Path) -> Tree:
    scratch = []
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
    return Tree(path, dict(sorted(members.items())), scratch=scratch)


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


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def _hidden(name: str) -> bool:
    place = PurePosixPath(name.removeprefix("./"))
    return place.name.lower() in SYSTEM_FILES or any(part.startswith((".", "__MACOSX")) for part in place.parts)
