"""The crops and drawings that `emonet faces` writes: found, chosen, and named after their photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emonet.atomic import NAME_ERRORS, remove_abandoned, write_atomically
from emonet.errors import ImageError, OptionError
from emonet.folders import FACES_MARK, check_own, hash_place
from facecrop import CropSpec, Face, FilterRules, Selection

if TYPE_CHECKING:
    from emonet.album import PhotoFile
    from facecrop import Detector, Image
    from facecrop.side_by_side import OpenedPhoto


def check_output(folder: Path, places: Sequence[Path], shared: Path) -> None:
    """Refuse to write among the photos, or into a folder that holds other things than faces of these photos.

    Args:
        folder: Where crops or drawings shall be written.
        places: What is read.
        shared: The folder that all photos are below; faces of the photos of another one may have the same names.

    Raises:
        OptionError: It holds something else.
    """
    for place in places:
        _check_outside(place, folder)
    check_own(folder, "crops and drawings of faces", [FACES_MARK], "choose another folder")
    mark = folder / FACES_MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") != hash_place(shared):
        raise OptionError(f"{folder} holds faces of other photos than those below {shared}: choose another folder")


def begin_output(folder: Path, shared: Path) -> None:
    """Make a folder of crops or drawings and mark it; remove what killed runs left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACES_MARK).write_text(hash_place(shared), encoding="utf-8")
    remove_abandoned(folder)


def _check_outside(source: Path, folder: Path) -> None:
    target, read = folder.resolve(), source.resolve()
    if target.is_relative_to(read) if read.is_dir() else target == read.parent:
        raise OptionError(f"{folder} is where the photos are read from; nothing is written next to your photos")


def find_shared(places: Sequence[Path]) -> Path:
    """Find the folder that all photos are below."""
    folders = [(place if place.is_dir() else place.parent).resolve() for place in places]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:  # on Windows
        raise OptionError(f"{', '.join(map(str, places))} are on several drives: give those of one") from error


@dataclass(frozen=True, slots=True)
class FaceSearch:
    """Finds and chooses the faces of photos, and writes the crops and drawings that are asked for.

    It is called in several threads, each with photos of its own.
    """

    detector: Detector
    rules: FilterRules
    spec: CropSpec
    crops: Path | None
    draw: Path | None
    shared: Path  # crops and drawings lie as the photos do below this folder

    def __call__(self, batch: Sequence[OpenedPhoto[PhotoFile]]) -> list[tuple[PhotoFile, Selection | ImageError]]:
        """Search some photos together; returns each, and its faces or what is wrong."""
        found = iter(self.detector.detect([one.image for one in batch if not isinstance(one.image, ImageError)]))
        return [
            (one.name, one.image if isinstance(one.image, ImageError) else self._finish(one, next(found)))
            for one in batch
        ]

    def _finish(self, photo: OpenedPhoto[PhotoFile], faces: Sequence[Face]) -> Selection | ImageError:
        """Choose among the faces of a photo, and write its files; a name that cannot be written is its error."""
        from facecrop import choose_faces

        image = cast("Image", photo.image)
        rules = self.rules
        if rules.min_size is not None:
            rules = replace(rules, min_size=rules.min_size / photo.scale)
        selection = choose_faces(image, faces, rules)
        try:
            self._write(photo.name.path, image, selection)
        except OSError as error:
            if error.errno not in NAME_ERRORS:
                raise
            return ImageError(photo.name.path, f"its files cannot be written: {error.strerror or error}")
        placed = tuple(photo.place_rejection(one, self.rules) for one in selection.rejections)
        return Selection(tuple(map(photo.place, selection.faces)), placed)

    def _write(self, path: Path, image: Image, selection: Selection) -> None:
        from facecrop import crop_face
        from facecrop.drawing import draw_faces
        from facecrop.images import encode_jpeg, encode_png
        from facecrop.naming import name_copy

        name = (path.parent.resolve() / path.name).relative_to(self.shared).as_posix()
        if self.crops is not None:
            for number, face in enumerate(selection.faces, start=1):
                crop = encode_png(crop_face(image, face, self.spec))
                _write_file(self.crops / name_copy(name, f"-{number}.png"), crop)
            _remove_crops(self.crops, name, len(selection.faces) + 1)
        if self.draw is not None:
            rejected = [rejection.face for rejection in selection.rejections if rejection.face]
            drawing = encode_jpeg(draw_faces(image, selection.faces, rejected))
            _write_file(self.draw / name_copy(name, ".jpg"), drawing)


def _remove_crops(folder: Path, name: str, number: int) -> None:
    """Remove the crops that an earlier run wrote of faces that are not used now, from a number on."""
    from facecrop.naming import name_copy

    while (crop := folder / name_copy(name, f"-{number}.png")).is_file():
        crop.unlink()
        number += 1


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
