"""RAF-DB, the set of basic expressions: 15,339 faces from the web, each labelled by 40 people (Li et al. 2017).

    basic/EmoLabel/list_patition_label.txt            "train_00001.jpg 5" (spelled so); the split is in the name
    basic/Image/aligned/train_00001_aligned.jpg       100 x 100, turned until the eyes are level; or aligned.zip
    basic/Image/original/train_00001.jpg              the photos; or original.zip
    DATASET/train/5/train_00001_aligned.jpg           as on Kaggle: folders are the codes; DATASET/test/

Codes: 1 surprise, 2 fear, 3 disgust, 4 happy, 5 sad, 6 angry, 7 neutral. Names are train_ with five digits and test_
with four; nobody can tell who is on the images. The set of compound expressions has the same files with other codes (1
to 11): it is refused. Terms: for research that is not for business. Home: http://www.whdeng.cn/RAF/model1.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.text_rows import read_text_rows
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion
from facecrop import CropSpec

CODES = {
    "1": Emotion.SURPRISE,
    "2": Emotion.FEAR,
    "3": Emotion.DISGUST,
    "4": Emotion.HAPPY,
    "5": Emotion.SAD,
    "6": Emotion.ANGRY,
    "7": Emotion.NEUTRAL,
}
COMPOUND = ("8", "9", "10", "11")
COUNTS = {
    "train": dict(zip(CODES.values(), (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CODES.values(), (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
LIST = "list_patition_label.txt"
FILE_NAME = re.compile(r"((train|test)_\d{4,5})(_aligned)?", re.IGNORECASE)
Versions = dict[str, dict[str, PurePosixPath]]  # version -> name -> file
ALIGNED = CropSpec(size=100, align=True)  # how wide a margin it has is not published


class RafDb(Reader):
    """RAF-DB's basic expressions, with the publisher's list of labels or in folders named by code.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "train" / "5").mkdir(parents=True)
        >>> (folder / "train" / "5" / "train_00001_aligned.jpg").touch()
        >>> [(sample.emotion.value, sample.split) for sample in READERS["rafdb"](folder)]
        [('sad', 'train')]
    """

    name: ClassVar[str] = "rafdb"
    title: ClassVar[str] = "RAF-DB (basic)"
    accepts: ClassVar[str] = "its folder basic, or Kaggle's folder DATASET"
    expected: ClassVar[str] = (
        "basic/EmoLabel/list_patition_label.txt with basic/Image/aligned/train_00001_aligned.jpg, or "
        "DATASET/train/5/train_00001_aligned.jpg"
    )
    home: ClassVar[str] = "by request from http://www.whdeng.cn/RAF/model1.html"
    terms: ClassVar[str] = "RAF-DB is given out for research only, not for business; its images may not be passed on."
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    images: ClassVar[int | None] = 15_339
    published: ClassVar[Published | None] = Published(COUNTS)
    choices: ClassVar[Mapping[str, Choice]] = {
        "images": Choice("Read RAF-DB's aligned faces, or find faces in the original photos", ("aligned", "original"))
    }
    needs_subjects: ClassVar[bool] = False  # it has none

    def recognise(self, tree: Tree) -> Layout | None:
        lists = [place for place in map(PurePosixPath, tree.members) if place.name.lower() == LIST]
        return self._listed(tree, lists) if lists else self._sorted(tree)

    def _listed(self, tree: Tree, lists: list[PurePosixPath]) -> Layout | None:
        found = [place for place in lists if "compound" not in str(place).lower()]
        if len(found) != 1:
            raise DatasetError(tree.path, f"{len(found)} lists of basic expressions: give the folder basic")
        base = found[0].parent.parent if found[0].parent.name.lower() == "emolabel" else found[0].parent
        images = self._find_images(tree, base)
        if not images[self.chosen["images"]] and tree.archives():
            return None  # they may lie in their zip
        self._check_version(tree, images)
        rows = [*read_text_rows(tree, str(found[0]))]
        if any(cells[-1] in COMPOUND for _, cells in rows):
            raise DatasetError(tree.path, "these are the labels of the compound expressions: give the folder basic")
        return self._make_layout(LIST, lambda: self._read_list(tree, rows, images))

    def _sorted(self, tree: Tree) -> Layout | None:
        images = self._find_images(tree, PurePosixPath())
        if not any(place.parent.name in CODES for version in images.values() for place in version.values()):
            return None
        self._check_version(tree, images)
        return self._make_layout("folders named by code", lambda: self._read_folders(tree, images))

    def _find_images(self, tree: Tree, base: PurePosixPath) -> Versions:
        """Find the images of each version, by their names in the list without the suffix."""
        versions: Versions = {"aligned": {}, "original": {}}
        for place, _ in tree.images():
            if (match := FILE_NAME.fullmatch(place.stem)) and place.is_relative_to(base):
                versions["aligned" if match[3] else "original"].setdefault(match[1].lower(), place)
        return versions

    def _check_version(self, tree: Tree, images: Versions) -> None:
        chosen = self.chosen["images"]
        for other in images:
            if images[other] and not images[chosen]:
                option = f"images={other} (--rafdb-images {other})"
                raise DatasetError(tree.path, f"there are no {chosen} images here; choose {option}")

    def _make_layout(self, title: str, samples: Callable[[], Iterator[Sample | Rejected]]) -> Layout:
        aligned = self.chosen["images"] == "aligned"
        return Layout(
            f"{title}, {self.chosen['images']} images",
            samples,
            framing=ALIGNED if aligned else None,
            published=self.published,
        )

    def _read_list(
        self, tree: Tree, rows: list[tuple[int, list[str]]], versions: Versions
    ) -> Iterator[Sample | Rejected]:
        images = versions[self.chosen["images"]]
        listed = set()
        for number, cells in rows:
            stem = PurePosixPath(cells[0]).stem.lower()
            if len(cells) != 2 or not FILE_NAME.fullmatch(stem):
                detail = f"{LIST}, row {number}: {' '.join(cells)[:60]!r}, not a name and a code"
                yield self.reject(f"row {number}", DropReason.BAD_ROW, detail)
            elif stem in listed:
                yield self.reject(stem, DropReason.BAD_ROW, f"{LIST}, row {number}: listed before", _find_split(stem))
            else:
                listed.add(stem)
                yield self._make(tree, stem, cells[1], images.get(stem), f"{LIST}, row {number}")
        for stem in sorted(set(images) - listed):
            yield self.reject(stem, DropReason.NO_LABEL, f"{LIST} does not list it", _find_split(stem))
        yield from self._reject_others(tree, versions)

    def _read_folders(self, tree: Tree, versions: Versions) -> Iterator[Sample | Rejected]:
        for stem, place in versions[self.chosen["images"]].items():
            yield self._make(tree, stem, place.parent.name, place, f"its folder {place.parent}")
        yield from self._reject_others(tree, versions)

    def _reject_others(self, tree: Tree, versions: Versions) -> Iterator[Rejected]:
        known = {place for version in versions.values() for place in version.values()}
        for version in versions.keys() - {self.chosen["images"]}:
            for stem in versions[version]:
                yield self.reject(stem, DropReason.NOT_SELECTED, f"the {version} image", _find_split(stem))
        for place, _ in tree.images():
            if place not in known and "compound" in str(place).lower():
                yield self.reject(str(place), DropReason.NOT_SELECTED, "of the compound expressions")
            elif place not in known:
                yield self.reject(str(place), DropReason.BAD_LABEL, "it is no image of the list, or there twice")

    def _make(self, tree: Tree, stem: str, code: str, place: PurePosixPath | None, where: str) -> Sample | Rejected:
        split = _find_split(stem)
        if code not in CODES:
            return self.reject(stem, DropReason.BAD_LABEL, f"{where}: code {code[:40]!r}, not 1 to 7", split)
        if place is None:
            chosen = self.chosen["images"]
            return self.reject(stem, DropReason.UNREADABLE, f"{where}: its {chosen} image is not there", split)
        return Sample(
            f"{self.name}/{stem}", EncodedImage(tree.members[str(place)]), CODES[code], self.name, split=split
        )


def _find_split(stem: str) -> str:
    return stem.partition("_")[0]
