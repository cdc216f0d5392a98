"""FER+ as a data set of its own: FER2013's images with the majority of ten people's votes (Barsoum et al. 2016).

    fer2013.csv, fer2013new.csv      side by side: FER2013's rows and FER+'s votes on them, in the same order
    FER2013Train/fer0000000.png      the image tree that FER+'s script makes: see ferplus.py
    FER2013Train/label.csv, FER2013Valid/, FER2013Test/

Eight classes: FER2013's seven and contempt (`--classes ck8` keeps it). Images without a majority have no label. Those
in which half of the people saw no face are no part of FER+, and have none either. Splits: Training is `train`,
PublicTest `validation`, PrivateTest `test`. To keep FER2013's labels and store the votes beside them, give `--fer2013`
and `--ferplus` instead. Terms: the votes bear the MIT licence; the images are FER2013's. Home:
https://github.com/microsoft/FERPlus
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.fer2013 import CODES, WHOLE_TABLES, Fer2013
from emonet.datasets.ferplus import VotedRows, find_label_files, find_majority, is_no_face, read_tree
from emonet.datasets.formats.coded_rows import read_coded_rows
from emonet.datasets.formats.pixel_table import PixelTable, open_pixel_table
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Reader
from emonet.datasets.sample import DropReason, Rejected, Sample
from facecrop import CropSpec

VOTES_TABLE = "fer2013new.csv"


class Fer2013Plus(Reader):
    """FER+: FER2013's images with the majority of FER+'s votes as their labels.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp()) / "FER2013Train"
        >>> folder.mkdir()
        >>> (folder / "fer0000000.png").touch()
        >>> _ = (folder / "label.csv").write_text('fer0000000.png,"(0, 0, 48, 48)",1,0,0,0,0,0,0,9,0,0')
        >>> [(sample.emotion.value, sample.split) for sample in READERS["fer2013plus"](folder.parent)]
        [('contempt', 'train')]
    """

    name: ClassVar[str] = "fer2013plus"
    title: ClassVar[str] = "FER+"
    accepts: ClassVar[str] = "a folder with fer2013.csv and fer2013new.csv, or its image tree"
    expected: ClassVar[str] = (
        "fer2013.csv beside fer2013new.csv, or FER2013Train/label.csv and FER2013Train/fer0000000.png"
    )
    home: ClassVar[str] = "https://github.com/microsoft/FERPlus for the votes; the images are FER2013's"
    terms: ClassVar[str] = f"FER+'s votes bear the MIT licence; for the images: {Fer2013.terms}"
    images: ClassVar[int | None] = Fer2013.images
    needs_subjects: ClassVar[bool] = False  # it has none; copies are kept in one split instead

    def recognise(self, tree: Tree) -> Layout | None:
        if find_label_files(tree):
            return Layout("image tree", lambda: read_tree(tree, self.name), framing=CropSpec.fer2013())
        votes = _find_named(tree, (VOTES_TABLE,))
        tables = _find_named(tree, WHOLE_TABLES)
        if not votes or not tables:
            return None
        table = open_pixel_table(tree, tables[0], ("emotion", "pixels", "usage"))
        title = f"{PurePosixPath(tables[0]).name} with {VOTES_TABLE}"
        return Layout(title, lambda: self._read(tree, votes[0], table), framing=CropSpec.fer2013())

    def _read(self, tree: Tree, votes: str, table: PixelTable) -> Iterator[Sample | Rejected]:
        voted = VotedRows.read(tree.own_file(votes))
        for entry in read_coded_rows(self.name, table, CODES, prefix="fer", votes=voted.find):
            yield self._label(entry) if isinstance(entry, Sample) else entry

    def _label(self, sample: Sample) -> Sample | Rejected:
        votes = sample.votes or ()
        if is_no_face(votes):
            key = sample.key.removeprefix(f"{self.name}/")
            detail = f"{votes[-1]} of {sum(votes)} people saw no face"
            return self.reject(key, DropReason.NO_LABEL, detail, sample.split)
        return replace(sample, emotion=find_majority(votes))


def _find_named(tree: Tree, names: tuple[str, ...]) -> list[str]:
    """The members with one of these names, in the order of the names."""
    return [name for known in names for name in tree.members if PurePosixPath(name).name.lower() == known]
