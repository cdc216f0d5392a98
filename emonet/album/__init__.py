"""An album of photos: their expressions as tables and pages, and scored where the photos are labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.album.entry import Entry
    from emonet.album.folder import predict_folder
    from emonet.album.labelled import (
        AlbumScore,
        FaceLabel,
        Labels,
        LabelTable,
        find_labels,
        match_labels,
        read_labels,
        score_album,
    )
    from emonet.album.photos import PhotoFile, PhotoListing, list_photos
    from emonet.album.run import AlbumRun

__all__ = [
    "AlbumRun",
    "AlbumScore",
    "Entry",
    "FaceLabel",
    "LabelTable",
    "Labels",
    "PhotoFile",
    "PhotoListing",
    "find_labels",
    "list_photos",
    "match_labels",
    "predict_folder",
    "read_labels",
    "score_album",
]

__getattr__, __dir__ = import_when_used(
    __name__,
    {
        "entry": ("Entry",),
        "folder": ("predict_folder",),
        "labelled": (
            "AlbumScore",
            "FaceLabel",
            "LabelTable",
            "Labels",
            "find_labels",
            "match_labels",
            "read_labels",
            "score_album",
        ),
        "photos": ("PhotoFile", "PhotoListing", "list_photos"),
        "run": ("AlbumRun",),
    },
)
