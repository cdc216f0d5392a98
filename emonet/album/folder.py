"""Predict all photos of a folder in one call, with or without an album."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from emonet.album.photos import list_photos, list_sources
from emonet.album.run import AlbumRun
from emonet.errors import MissingFileError, OptionError
from emonet.prediction import EmotionPredictor, PhotoResult
from emonet.prediction.kept import keep_predictor
from emonet.prediction.many import answer_photos


def predict_folder(
    photos: str | os.PathLike[str],
    album: str | os.PathLike[str] | None = None,
    *,
    predictor: EmotionPredictor | None = None,
    annotate: bool = False,
) -> Iterator[PhotoResult]:
    """Find the faces in all photos below a folder, and their expressions.

    Args:
        photos: The folder. Nothing is written there.
        album: A folder to write the tables and the pages of `emonet predict` to, before the first result is returned.
            What an earlier call did there is not done again. None writes nothing.
        predictor: What finds and names faces; by default, the bundled model.
        annotate: Also write copies of the photos with the faces drawn in; needs `album`.

    Returns:
        An iterator with a result for each photo, sorted by path; `source` is the path below the folder. A photo that
        cannot be read has its error there.

    Raises:
        MissingFileError: There is no such folder.
        OptionError: The album would lie among the photos, or there shall be copies and no album.

    Examples:
        >>> import tempfile
        >>> from emonet import predict_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     list(predict_folder(folder))
        []
    """
    folder = Path(photos)
    if not folder.is_dir():
        raise MissingFileError(f"no such folder: {folder}")
    asked = predictor or keep_predictor()
    if album is None:
        if annotate:
            raise OptionError("annotate writes copies of the photos: give a folder as album")
        return answer_photos(asked, list_sources(list_photos(folder).photos), lambda answer: answer.result)
    run = AlbumRun(folder, Path(album), asked, annotate=annotate)
    run.run(lambda *_: None)
    return (entry.result for entry in run.entries())
