"""The user's own photos: in folders named after expressions, or listed in a CSV.

    photos/happy/anna.jpg                      folders in any of the words in labels.py, photos at any depth below
    photos/train/Sadness/summer/IMG_1.heic     train, validation (val, valid) or test above them tells the split
    photos.csv                                 path,label[,subject][,split] under one of the names in photo_table.py
                                               anna/1.jpg,happy,anna,train

Paths in a CSV are relative to it. What is no picture in a folder of photos is found out when it is opened, whatever
its name says.
"""

from __future__ import annotations

from typing import ClassVar

from emonet.datasets.formats.class_folders import photo_entry, photos_in_folders
from emonet.datasets.formats.photo_table import listed_photos, open_photo_table
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Reader
from emonet.datasets.sample import Sample


class Folder(Reader):
    """Photos that the user labelled. In folders nobody tells who is on them; a CSV may."""

    name: ClassVar[str] = "folder"
    expected: ClassVar[str] = "folders named after expressions (photos/happy/anna.jpg) or a CSV of path,label"
    home: ClassVar[str] = "your own photos"

    def recognise(self, tree: Tree) -> Layout | None:
        photos = photos_in_folders(tree)
        if photos:
            return Layout("class folders", lambda: (photo_entry(self, photo) for photo in photos))
        tables = tree.tables()
        if len(tables) != 1:
            return None
        table = open_photo_table(tree, tables[0])
        entries = list(listed_photos(self, table))
        samples = [entry for entry in entries if isinstance(entry, Sample)]
        known = bool(samples) and all(sample.subject for sample in samples)
        return Layout(f"CSV ({', '.join(table.columns)})", lambda: iter(entries), subjects=known)
