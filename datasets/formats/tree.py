"""Data as they were downloaded: a folder, a zip, a tar or one file, each as a tree of names and their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from emonet.datasets.formats.archives import (
    ARCHIVES,
    Archive,
    SpanBlob,
    ZipBlob,
    is_archive,
    open_archive,
    unpack_file,
    unpack_member,
)
from emonet.datasets.formats.scratch import Scratch
from emonet.datasets.sample import Blob
from emonet.errors import DatasetError, MissingFileError
from facecrop.folders import iter_files
from facecrop.images import IMAGE_SUFFIXES, MAX_BYTES

PACKED_TABLE = ".csv.gz"


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A file on the disk."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(MAX_BYTES + 1)


@dataclass(frozen=True, slots=True)
class GzipBlob:
    """A file that is packed by itself, such as fer2013.csv.gz."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self) -> bytes:
        scratch = unpack_file(self.path)
        with scratch.path.open("rb") as file:
            return file.read(MAX_BYTES + 1)


@dataclass(slots=True)
class Tree:
    """The files of a data set.

    Attributes:
        path: What the user gave.
        members: Name, with slashes -> bytes; sorted by name.
        failures: Folders that cannot be listed -> why.
        scratch: Temporary files that members are read from.
        unpacked: Name -> the temporary file of a member that was unpacked; it is unpacked once.
    """

    path: Path
    members: dict[str, Blob]
    failures: dict[str, str] = field(default_factory=dict)
    scratch: list[Scratch] = field(default_factory=list)
    unpacked: dict[str, Scratch] = field(default_factory=dict)

    @property
    def is_unpacked(self) -> bool:
        """Whether members are read from temporary files, which are on this machine alone."""
        return bool(self.scratch or self.unpacked)

    def archives(self) -> list[str]:
        """List the members that are archives."""
        return [name for name in self.members if is_archive(name)]

    def with_archives(self, depth: int = 2) -> Tree:
        """Return the same tree with each archive replaced by its members, and so `depth` archives into each other."""
        archives = self.archives()
        if not archives or not depth:
            return self
        opened = {name: self._open_archive(name) for name in archives}
        members = _place_members({name: blob for name, blob in self.members.items() if name not in opened}, opened)
        scratch = [*self.scratch, *self.unpacked.values(), *(one for inner in opened.values() for one in inner.scratch)]
        return Tree(self.path, dict(sorted(members.items())), self.failures, scratch).with_archives(depth - 1)

    def images(self) -> Iterator[tuple[PurePosixPath, Blob]]:
        """Yield the members that have the suffix of an image file."""
        for name, blob in self.members.items():
            place = PurePosixPath(name)
            if place.suffix.lower() in IMAGE_SUFFIXES:
                yield place, blob

    def tables(self) -> list[str]:
        """List the members that are CSV files."""
        return [name for name in self.members if name.lower().endswith(".csv")]

    def own_file(self, name: str) -> Path:
        """Return a member as a file of its own, copied out of its archive if needed."""
        blob = self.members[name]
        if isinstance(blob, FileBlob):
            return blob.path
        if name not in self.unpacked:
            self.unpacked[name] = _unpack(name, blob)
        return self.unpacked[name].path

    def plain_file(self, name: str) -> tuple[Path, int, int]:
        """Return the file, offset and size of a member, which is unpacked if it is packed."""
        blob = self.members[name]
        if isinstance(blob, SpanBlob):
            return blob.path, blob.offset, blob.size
        path = self.own_file(name)
        return path, 0, path.stat().st_size

    def _open_archive(self, name: str) -> Archive:
        try:
            return open_archive(self.own_file(name), name)
        except DatasetError as error:
            raise DatasetError(self.path / name, error.reason) from error


def _place_members(loose: Mapping[str, Blob], archives: Mapping[str, Archive]) -> dict[str, Blob]:
    """Put the members of archives where their archive lies, beside the loose files.

    Archives with another file of a name that is there already, loose or from another archive, get a folder of their
    own: that of the archive's name, or with its suffix where the folder holds such names, too.
    """
    beside = {name: _put_into(PurePosixPath(name).parent, archive) for name, archive in archives.items()}
    owners = dict.fromkeys(loose, "")
    apart: set[str] = set()
    for archive, members in beside.items():
        for name, blob in members.items():
            owner = owners.setdefault(name, archive)
            known = loose[name] if not owner else beside[owner][name]
            if not {owner, archive} <= {"", *apart} and owner != archive and _read(known) != _read(blob):
                apart |= {owner, archive} - {""}
    placed = {
        name: blob for archive, members in beside.items() if archive not in apart for name, blob in members.items()
    }
    placed |= loose
    for archive in sorted(apart):
        moved = _put_into(_folder_of(archive), archives[archive])
        free = placed.keys().isdisjoint(moved)
        placed |= moved if free else _put_into(PurePosixPath(archive), archives[archive])
    return placed


def _put_into(folder: PurePosixPath, archive: Archive) -> dict[str, Blob]:
    return {str(folder / name): blob for name, blob in archive.members.items()}


def _folder_of(archive: str) -> PurePosixPath:
    suffix = max((suffix for suffix in ARCHIVES if archive.lower().endswith(suffix)), key=len)
    return PurePosixPath(archive[: -len(suffix)])


def _read(blob: Blob) -> bytes | None:
    with suppress(OSError):  # what is damaged is rejected later
        return blob.read()
    return None


def _unpack(name: str, blob: Blob) -> Scratch:
    if isinstance(blob, GzipBlob):
        return unpack_file(blob.path)
    if not isinstance(blob, ZipBlob | SpanBlob):
        raise TypeError(f"{name} is no file")
    return unpack_member(blob)


def open_tree(path: str | os.PathLike[str]) -> Tree:
    """Open a folder, an archive or a single file as a tree."""
    root = Path(path)
    if root.is_dir():
        return _folder_tree(root)
    if not root.exists():
        raise MissingFileError(f"no such file or folder: {root}")
    if is_archive(root.name):
        archive = open_archive(root)
        return Tree(root, archive.members, scratch=list(archive.scratch))
    return Tree(root, dict([_open_file(root.name, root)]))


def hash_inputs(path: Path, outside: Sequence[Path] = ()) -> str:
    """Compute the SHA-256 of a file, or of the names and hashes in a folder, and of files that it names elsewhere."""
    if path.is_dir():
        own = _hash_together((file, file.relative_to(path)) for file, _ in iter_files(path, follow=True))
    else:
        own = hash_file(path)
    if not outside:
        return own
    beside = (path if path.is_dir() else path.parent).resolve()
    others = _hash_together((file, _name_from(beside, file.resolve())) for file in outside)
    return hashlib.sha256(f"{own}\n{others}\n".encode()).hexdigest()


def _name_from(folder: Path, file: Path) -> Path:
    try:
        return Path(os.path.relpath(file, folder))
    except ValueError:  # on another drive of Windows
        return file


def _hash_together(named: Iterable[tuple[Path, Path]]) -> str:
    """Compute the SHA-256 of the names and the hashes of files."""
    files = list(named)
    whole = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (_, name), digest in zip(files, pool.map(_hash_or_failure, [file for file, _ in files]), strict=True):
            whole.update(os.fsencode(name.as_posix()) + b"\0" + digest.encode() + b"\n")
    return whole.hexdigest()


def hash_file(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_or_failure(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:  # it is rejected later; here the hash only has to be the same each time
        return f"unreadable ({error.strerror})"


def _folder_tree(root: Path) -> Tree:
    tree = Tree(root, {})
    for file, failure in iter_files(root, follow=True):
        name = file.relative_to(root).as_posix()
        if failure:
            tree.failures[name] = failure.reason
        else:
            name, blob = _open_file(name, file)
            if isinstance(blob, FileBlob) or not (root / name).is_file():  # a table may lie beside its packed copy
                tree.members[name] = blob
    tree.members = dict(sorted(tree.members.items()))
    return tree


def _open_file(name: str, path: Path) -> tuple[str, FileBlob | GzipBlob]:
    """Return a file as a member of a tree; a packed table has the name that it has unpacked."""
    if name.lower().endswith(PACKED_TABLE):
        return name[: -len(".gz")], GzipBlob(path)
    return name, FileBlob(path)
