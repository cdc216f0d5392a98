"""An album of photos: their expressions as tables and pages, and scored where the photos are labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.album.entry import Entry
    from emonet.album.folder import predict_folder
    from emonet.album.labelled import (
        FaceLabel,
        Labels,
        LabelTable,
        find_labels,
        match_labels,
        read_labels,
    )
    from emonet.album.photos import PhotoFile, PhotoListing, list_photos
    from emonet.album.run import AlbumRun
    from emonet.album.score import AlbumScore, score_album

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
        "labelled": ("FaceLabel", "LabelTable", "Labels", "find_labels", "match_labels", "read_labels"),
        "photos": ("PhotoFile", "PhotoListing", "list_photos"),
        "run": ("AlbumRun",),
        "score": ("AlbumScore", "score_album"),
    },
)
