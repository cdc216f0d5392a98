"""A folder of photos: what is in them, written as tables and an album, and scored where they are labelled."""

from __future__ import annotations

from emonet.album.entry import Entry
from emonet.album.labelled import FolderScore, Labels, folder_labels, listed_labels, score_folder
from emonet.album.photos import Found, Photo, list_photos, read_photos
from emonet.album.run import FolderRun

__all__ = [
    "Entry",
    "FolderRun",
    "FolderScore",
    "Found",
    "Labels",
    "Photo",
    "folder_labels",
    "list_photos",
    "listed_labels",
    "read_photos",
    "score_folder",
]
