"""The user's own photos: in folders named after expressions, or listed in a CSV.

    photos/happy/anna.jpg                      folders named by a word in labels.py, with photos at any depth below
    photos/train/Sadness/summer/IMG_1.heic     a folder train, validation (val, valid) or test above them is the split
    photos.csv                                 path,label[,subject][,split], or other names in photo_table.py
                                               anna/1.jpg,happy,anna,train

Paths in a CSV are relative to it. All files in a folder of photos are taken, whatever their names: what is not a photo
is rejected when it is opened.
"""

from __future__ import annotations

from typing import ClassVar

from emonet.datasets.formats.class_folders import (
    LabelledFile,
    find_labelled_files,
    list_passed_splits,
    make_entry,
)
from emonet.datasets.formats.photo_table import COLUMNS, open_photo_table, read_photos
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Reader
from emonet.datasets.sample import Sample


class Folder(Reader):
    """Photos that the user labelled. Folders do not say who is on them; a CSV can.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import Folder
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "happy").mkdir()
        >>> (folder / "happy" / "anna.jpg").touch()
        >>> [(sample.key, sample.emotion.value) for sample in Folder(folder)]
        [('folder/happy/anna.jpg', 'happy')]
    """

    name: ClassVar[str] = "folder"
    title: ClassVar[str] = "your own photos"
    accepts: ClassVar[str] = "folders named after expressions, or from a CSV"
    expected: ClassVar[str] = "folders named after expressions (photos/happy/anna.jpg) or a CSV of path,label"
    home: ClassVar[str] = "your own photos"

    def recognise(self, tree: Tree) -> Layout | None:
        files = find_labelled_files(tree)
        if files:
            self._note_what_is_passed_over(tree, files)
            return Layout("class folders", lambda: (make_entry(self, file) for file in files))
        tables = tree.tables()
        if len(tables) != 1:
            return None
        table = open_photo_table(tree, tables[0])
        entries = list(read_photos(self, table))
        samples = [entry for entry in entries if isinstance(entry, Sample)]
        if unknown := [column for column in table.columns if column not in COLUMNS]:
            self.notes.append(f"columns that are not read: {', '.join(unknown)}")
        named = sum(sample.subject is not None for sample in samples)
        title = f"CSV ({', '.join(table.columns)})"
        if 0 < named < len(samples):
            title += f", a subject in {named:,} of {len(samples):,} rows"
            self.notes.append(
                f"the column subject is filled in {named:,} of {len(samples):,} rows: the others may show the same "
                "people in another split, and a split by subject is impossible"
            )
        return Layout(title, lambda: iter(entries), subjects=0 < named == len(samples), lists_files=True)

    def _note_what_is_passed_over(self, tree: Tree, files: list[LabelledFile]) -> None:
        labelled = {file.name for file in files}
        if tables := [name for name in tree.tables() if name not in labelled]:
            self.notes.append(
                f"{', '.join(tables)}: not read, because there are folders named after expressions; to read people and "
                "splits from a table, give the table itself"
            )
        if splits := list_passed_splits(files):
            self.notes.append(
                f"no split is read from {', '.join(splits)}: name it train, validation or test, and put the folders of "
                "expressions into it (test/happy), or else its images may be learned from"
            )
