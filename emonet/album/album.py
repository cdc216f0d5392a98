"""The album of a folder of photos: a page to look through in a browser, which needs no server.

FOLDER/album.html              the page; of up to 500 photos, with all images in it
FOLDER/album/0123456789abcdef.jpg  previews, named after their photos; of more photos, also thumbnails and crops of
                                   faces, named after what is in them
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from emonet.album.bursts import BurstPhoto, find_bursts
from emonet.album.entry import Entry
from emonet.album.page_data import PlainPhoto, describe_plainly, make_burst_data, make_photo_data
from emonet.album.previews import FOLDER
from emonet.atomic import SUFFIX
from emonet.errors import OptionError
from emonet.html.images import embed_jpeg
from emonet.html.render import write_page
from emonet.labels import Emotion
from facecrop.text import printable

PAGE = "album.html"
EMBEDDED = 500  # photos whose images a page holds; those of more photos are files, which the browser reads when it must
SCRIPTS = (
    "album_data.js",
    "album_address.js",
    "album_marks.js",
    "rows.js",
    "album_rows.js",
    "album_corrections.js",
    "album_views.js",
    "album_lightbox.js",
    "album.js",
)
IMAGES = {"img-src": "'self' file:"}  # originals, previews and thumbnails; for a page from the disk, `self` is nothing
OURS = re.compile(r"[0-9a-f]{16}\.jpg")  # what albums write into FOLDER


def write_album(
    entries: Iterable[Entry],
    folder: Path,
    *,
    title: str,
    classes: Sequence[Emotion],
    count: int,
    footer: str = "",
    originals: str = "",
    find_preview: Callable[[str], str | None] | None = None,
) -> Path:
    """Write an album, and return the path of `album.html`.

    Args:
        entries: The photos, in the order in which they are shown.
        folder: Where the album is written.
        title: Its heading.
        classes: Those that the model can answer.
        count: How many entries there will be.
        footer: A line at the end of the page.
        originals: The address of the folder of photos, as the page reaches it; empty if it does not.
        find_preview: Returns the address of a larger copy of a photo, given its path; None if there is none.

    Raises:
        OptionError: There are more or fewer entries than `count`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = _Images(folder / FOLDER, embed=count <= EMBEDDED)
    plain: list[PlainPhoto] = []
    photos: list[dict[str, Any]] = []
    compared: list[BurstPhoto] = []
    for number, entry in enumerate(_check_count(entries, count)):
        plain.append(describe_plainly(entry, images.add(entry.thumbnail)))
        faces = [images.add(crop) for crop in entry.looks.faces]
        preview = images.keep(find_preview(entry.path)) if find_preview else ""
        photos.append(make_photo_data(entry, classes, faces, preview))
        if found := BurstPhoto.of(number, entry):
            compared.append(found)
    write_page(
        folder / PAGE,
        "album.html.j2",
        script=SCRIPTS,
        more_policy=IMAGES,
        title=printable(title),
        sections={},
        tiles=_count(photos),
        plain=plain,
        data={
            "classes": [emotion.value for emotion in classes],
            "labels": [emotion.value for emotion in Emotion],
            "originals": originals,
            "photos": photos,
            "bursts": [make_burst_data(burst) for burst in find_bursts(compared)],
        },
        footer=footer,
    )
    images.remove_others()
    return folder / PAGE


class _Images:
    """The images of an album: in the page, or as files beside it.

    Files are named after what is in them, so that a run that is killed leaves no photo with the face of another.
    """

    def __init__(self, folder: Path, *, embed: bool) -> None:
        self.folder, self.embed = folder, embed
        self.names: set[str] = set()
        if not embed:
            folder.mkdir(exist_ok=True)

    def add(self, data: bytes) -> str:
        """Keep a JPEG, and return its address in the page; empty for no data."""
        if not data or self.embed:
            return embed_jpeg(data).source if data else ""
        name = f"{sha256(data).hexdigest()[:16]}.jpg"
        path = self.folder / name
        if name not in self.names and not (path.is_file() and path.stat().st_size == len(data)):
            temporary = path.with_name(f"{name}{SUFFIX}")
            temporary.write_bytes(data)  # without waiting for the disk, which takes minutes for ten thousand files:
            temporary.replace(path)  # what a power failure truncates has another size, and is written anew
        self.names.add(name)
        return f"{FOLDER}/{name}"

    def keep(self, address: str | None) -> str:
        """Keep an image that is there already, and return its address; empty if there is none."""
        if address:
            self.names.add(address.rpartition("/")[2])
        return address or ""

    def remove_others(self) -> None:
        """Remove what earlier runs left, and the folder if nothing else is in it."""
        for path in self.folder.glob("*"):
            if OURS.fullmatch(path.name) and path.name not in self.names and path.is_file():
                path.unlink()
        if self.folder.is_dir() and not list(self.folder.iterdir()):
            self.folder.rmdir()


def _check_count(entries: Iterable[Entry], count: int) -> Iterable[Entry]:
    """Yield the entries; refuse more or fewer than were announced before anything is written of them."""
    seen = 0
    for entry in entries:
        seen += 1
        if seen > count:
            break
        yield entry
    if seen != count:
        came = "more" if seen > count else seen
        raise OptionError(f"count must be that of the entries: it is {count}, but {came} came")


def _count(photos: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """Numbers for the head of the page; what is rare only where there is some."""
    faces = [face for photo in photos for face in photo.get("faces", [])]
    unsure = sum("unsure" in face for face in faces)
    failed = sum("failed" in photo for photo in photos)
    faceless = sum("faces" not in photo for photo in photos) - failed
    rare = {"unsure faces": unsure, "without a face": faceless, "unreadable": failed}
    always = [("photos", len(photos)), ("faces", len(faces) - unsure)]
    return always + [(words, number) for words, number in rare.items() if number]
