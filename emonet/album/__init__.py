"""An album of photos: their expressions as tables and pages, and scored where the photos are labelled."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from emonet.album.entry import Entry
from emonet.album.labelled import AlbumScore, Labels, find_labels, read_labels, score_album
from emonet.album.photos import PhotoFile, PhotoListing, list_photos, read_photos
from emonet.album.run import AlbumRun

__all__ = [
    "AlbumRun",
    "AlbumScore",
    "Entry",
    "Labels",
    "PhotoFile",
    "PhotoListing",
    "find_labels",
    "list_photos",
    "read_labels",
    "read_photos",
    "score_album",
]

if not TYPE_CHECKING:  # type checkers shall report the old names

    def __getattr__(name: str) -> Any:
        """Return what had another name in the last release, with a warning."""
        if name not in _RENAMED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = _RENAMED[name]
        warnings.warn(f"emonet.album.{name} is now {found.__name__}", DeprecationWarning, stacklevel=2)
        return found


_RENAMED = {
    "FolderRun": AlbumRun,
    "FolderScore": AlbumScore,
    "Found": PhotoListing,
    "Photo": PhotoFile,
    "folder_labels": find_labels,
    "listed_labels": read_labels,
    "score_folder": score_album,
}
