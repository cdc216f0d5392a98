"""The expressions in many photos, written as an album: tables, pages, and copies with the faces drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from emonet.album.album import write_album
from emonet.album.copies import draw_copy
from emonet.album.entry import Entry
from emonet.album.journal import Journal
from emonet.album.looks import look_at
from emonet.album.maker import describe_maker, format_maker
from emonet.album.output import NotOursError, OutputFolder, check_output
from emonet.album.page_data import locate_originals
from emonet.album.photos import PhotoFile, list_photos, list_sources
from emonet.album.previews import locate_preview, make_preview, write_preview
from emonet.album.tables import write_tables
from emonet.atomic import NAME_ERRORS, write_atomically
from emonet.database import JOURNAL
from emonet.errors import ImageError, OptionError
from emonet.folders import hash_place
from emonet.prediction import EmotionPredictor, PhotoResult
from emonet.prediction.many import PhotoAnswer, answer_photos
from facecrop.images import encode_jpeg, limit_size
from facecrop.text import as_text

THUMBNAIL = 320  # pixels of the longer side

Watch = Callable[[Entry, bool], None]  # told of each photo in order, and whether an earlier run did it


@dataclass(frozen=True, slots=True)
class _Done:
    """What a thread makes of a photo."""

    entry: Entry
    copy: bytes | None = None  # the JPEG with the faces drawn in
    preview: bytes | None = None  # the JPEG that the album enlarges


class AlbumRun:
    """A run over all photos below a folder, which writes an album into another folder.

    Run again, it does only the photos that are new or have changed. Answers of several models and settings are kept
    side by side. Only files that a run wrote are replaced or removed.

    Args:
        photos: The folder with the photos. Nothing is written there.
        album: The folder to write.
        predictor: What finds and reads the faces.
        annotate: Also write copies of the photos with the faces drawn in.
        previews: Also write copies of 1,280 pixels, which the album enlarges where a browser has no original.
        overwrite: Write into a folder that holds other things, and replace those that have the names of the album's.
        excel: Begin the CSV file with the mark by which Excel knows UTF-8.

    Raises:
        OptionError: The album would lie among the photos, or its folder holds other things.
    """

    def __init__(
        self,
        photos: Path,
        album: Path,
        predictor: EmotionPredictor,
        *,
        annotate: bool = False,
        previews: bool = False,
        overwrite: bool = False,
        excel: bool = False,
    ) -> None:
        if album.resolve().is_relative_to(photos.resolve()):
            raise OptionError(f"{album} is among the photos; nothing is written next to your photos")
        check_output(album, overwrite=overwrite)
        self.album = album
        self._folder = photos
        self.predictor = predictor
        self.annotate, self.previews, self.overwrite, self.excel = annotate, previews, overwrite, excel
        self.title = as_text(photos.resolve().name)
        self.originals = locate_originals(photos, album)
        listing = list_photos(photos)
        self.photos, self.others, self.albums = listing.photos, listing.others, listing.albums
        self._copy_failures: dict[str, str] = {}  # by the names of photos

    def __len__(self) -> int:
        return len(self.photos)

    def run(self, watch: Watch) -> Path:
        """Look at all photos and write the album.

        A run that was stopped or killed goes on after the last photo that it told of.

        Args:
            watch: Told of each photo, in order.

        Returns:
            The page to open: `album.html`.

        Raises:
            OptionError: Another run is writing this album now, or it is the album of other photos.
        """
        with self._open_journal() as journal:
            output = self._open_output(journal)
            output.remove_parts()
            done = [self._is_done(photo, journal, output) for photo in self.photos]
            asked = [not is_done and photo.failure is None for photo, is_done in zip(self.photos, done, strict=True)]
            answers = answer_photos(self.predictor, list_sources(compress(self.photos, asked)), self._finish)
            for photo, is_done, is_asked in zip(self.photos, done, asked, strict=True):
                if is_asked:
                    self._store(photo, next(answers), journal, output)
                watch(self._read_entry(photo, journal), is_done)
            with output.listing_writes():
                page = self._write(journal)
            output.remove_old(self.photos)
            journal.note_folder(self.title, hash_place(self._folder))
            return page

    def entries(self) -> Iterator[Entry]:
        """Read the entries of all photos in order, after the run."""
        with self._open_journal() as journal:
            yield from self._read_entries(journal)

    def write_text(self, name: str, text: str) -> None:
        """Write one more file into the album, after the run.

        Raises:
            OptionError: Somebody else's file has this name.
        """
        with self._open_journal() as journal:
            output = OutputFolder(self.album, journal, overwrite=self.overwrite)
            with output.listing_writes(), write_atomically(self.album / name) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def _open_output(self, journal: Journal) -> OutputFolder:
        """Open the folder of the album, unless the photos that it shows are gone."""
        known, names = journal.names, {one.name for one in self.photos}
        failures = [photo.failure for photo in self.photos if photo.failure is not None]
        if known and len(failures) == len(self.photos):
            found = str(failures[0]) if failures else f"there is no photo in {self.title!r}"
            raise OptionError(
                f"{found}, and {self.album} is the album of {len(known):,}: is the disk away? If they are gone for "
                "good, remove the album"
            )
        output = OutputFolder(self.album, journal, overwrite=self.overwrite)
        if journal.unlisted:
            output.adopt(names | known)
        if known and not self.overwrite:
            self._check_photos(journal)
        return output

    def _check_photos(self, journal: Journal) -> None:
        """Refuse to replace the album of other photos; cameras give folders and photos the same names."""
        stamps, title = journal.stamps, journal.title
        same = journal.place == hash_place(self._folder) if journal.place else title in ("", self.title)
        kept = sum(stamps.get(photo.name) == photo.stamp for photo in self.photos)
        has_names = any(photo.name in stamps for photo in self.photos)
        if has_names and (same or 2 * kept >= len(stamps)):
            return
        whose = f"the album of {title!r}" if title else "an album"
        found = f"only {kept:,}" if kept else "none"
        raise OptionError(
            f"{self.album} holds {whose}, and {found} of its {len(stamps):,} photos is in {self._folder} as it "
            "was: choose another folder with -o, or, if they were renamed or replaced, replace the album with "
            "--overwrite"
        )

    def _write(self, journal: Journal) -> Path:
        classes, facts = self.predictor.classes, describe_maker(self.predictor)
        write_tables(self._read_entries(journal), self.album, classes, facts, excel=self.excel)
        return write_album(
            self._read_entries(journal),
            self.album,
            title=self.title,
            classes=classes,
            count=len(self.photos),
            footer=format_maker(facts),
            originals=self.originals,
            find_preview=self._find_previews().get if self.previews else None,
        )

    def _find_previews(self) -> dict[str, str]:
        """Find the addresses of previews, by the paths of entries; what cannot be read has none."""
        addresses = {as_text(photo.name): locate_preview(photo) for photo in self.photos}
        return {path: address for path, address in addresses.items() if (self.album / address).is_file()}

    def _open_journal(self) -> Journal:
        return Journal(self.album / JOURNAL, self.predictor.identity, self.title, hash_place(self._folder))

    def _read_entries(self, journal: Journal) -> Iterator[Entry]:
        return (self._read_entry(photo, journal) for photo in self.photos)

    def _read_entry(self, photo: PhotoFile, journal: Journal) -> Entry:
        if photo.failure is not None:  # a folder that cannot be listed; the journal is of photos alone
            path = as_text(photo.name)
            return Entry(path, 0, 0, PhotoResult(path, error=ImageError(path, photo.failure.reason)))
        entry = journal.find(photo.name, photo.stamp)
        if entry is None:
            raise OptionError(f"{as_text(photo.name)!r} is not in the album yet: run first")
        failure = self._copy_failures.get(photo.name)
        return entry if failure is None else entry.fail_copy(failure)

    def _is_done(self, photo: PhotoFile, journal: Journal, output: OutputFolder) -> bool:
        """Tell whether an earlier run read a photo, and wrote its copies if there shall be some.

        What could not be read is tried again: the disk may have been away.
        """
        entry = journal.find(photo.name, photo.stamp)
        if entry is None or entry.result.error is not None:
            return False
        has_preview = not self.previews or (self.album / locate_preview(photo)).is_file()
        return has_preview and (not self.annotate or output.has_copy(photo))

    def _finish(self, answer: PhotoAnswer[str]) -> _Done:
        """Make of a photo what is kept of it; called in the photo's thread."""
        image, path = answer.photo.image, answer.photo.name
        if isinstance(image, ImageError):
            return _Done(Entry(path, 0, 0, answer.result))
        copy = draw_copy(image, answer.drawn) if self.annotate else None
        preview = make_preview(image) if self.previews else None
        looks = look_at(image, [one.face for one in answer.drawn])
        thumbnail = encode_jpeg(limit_size(image, THUMBNAIL))
        return _Done(Entry(path, *answer.photo.size_wh, answer.result, thumbnail, looks), copy, preview)

    def _store(self, photo: PhotoFile, done: _Done, journal: Journal, output: OutputFolder) -> None:
        """Store a photo, and its copies before it: what the journal has is done."""
        if done.preview is not None:
            write_preview(self.album, photo, done.preview)
        if done.copy is not None:
            try:
                output.write_copy(photo, done.copy)
            except NotOursError as error:
                self._copy_failures[photo.name] = str(error)
            except OSError as error:
                if error.errno not in NAME_ERRORS:
                    raise
                self._copy_failures[photo.name] = error.strerror or str(error)
        journal.add(photo.name, photo.stamp, done.entry)
