"""An album of photos: their expressions as tables and pages, and scored where the photos are labelled."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "AlbumRun": "run",
    "AlbumScore": "labelled",
    "Entry": "entry",
    "FaceLabel": "labelled",
    "LabelTable": "labelled",
    "Labels": "labelled",
    "PhotoFile": "photos",
    "PhotoListing": "photos",
    "find_labels": "labelled",
    "list_photos": "photos",
    "match_labels": "labelled",
    "predict_folder": "folder",
    "read_labels": "labelled",
    "score_album": "labelled",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: one photo is predicted without the pages."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
