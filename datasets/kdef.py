"""KDEF: 4,900 photos of 70 people who act seven expressions, from five angles and twice (Lundqvist et al. 1998).

    KDEF_and_AKDEF/KDEF/AF01/AF01ANS.JPG      562 x 762, colour; the folders do not matter
    KDEF_and_AKDEF/AKDEF/FANS.JPG             averages of all women or men, which are left out

Names: session (A, B), sex (F, M), person of that sex (01 to 35), expression, angle. Expressions: AF afraid, AN angry,
DI disgusted, HA happy, NE neutral, SA sad, SU surprised. Angles: FL full left, HL half left, S straight, HR half right,
FR full right. Some images are damaged as published: AF31V.JPG and AM31H.JPG have lost part of their names, and ten are
nearly black. Terms: for researchers only, not for business, not to be passed on. Home: https://kdef.se
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from emonet.datasets.formats.named_images import has_named_images, read_named_images
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.labels import Emotion

CODES = {
    "AF": Emotion.FEAR,
    "AN": Emotion.ANGRY,
    "DI": Emotion.DISGUST,
    "HA": Emotion.HAPPY,
    "NE": Emotion.NEUTRAL,
    "SA": Emotion.SAD,
    "SU": Emotion.SURPRISE,
}
ANGLES = {"frontal": ("S",), "half": ("S", "HL", "HR"), "all": ("S", "HL", "HR", "FL", "FR")}
SHOTS = 2 * 70  # of each expression from each angle

FILE_NAME = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)", re.IGNORECASE)
AVERAGE = re.compile(r"[FM](AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)", re.IGNORECASE)
ANY_NAME = re.compile(f"{FILE_NAME.pattern}|({AVERAGE.pattern})", re.IGNORECASE)


class Kdef(Reader):
    """KDEF in any folders: its images are recognised by their names.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "AF01ANS.JPG").touch()
        >>> [(sample.subject, sample.emotion.value) for sample in READERS["kdef"](folder)]
        [('F01', 'angry')]
    """

    name: ClassVar[str] = "kdef"
    title: ClassVar[str] = "KDEF"
    accepts: ClassVar[str] = "the folder with its images, or an archive"
    expected: ClassVar[str] = "AF01ANS.JPG in any folder"
    home: ClassVar[str] = "https://kdef.se"
    terms: ClassVar[str] = (
        "KDEF may be used by researchers only, and not for business; its images may not be passed on without the "
        "written consent of its makers."
    )
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    images: ClassVar[int | None] = 4900
    people: ClassVar[int | None] = 70
    published: ClassVar[Published | None] = Published({"": dict.fromkeys(CODES.values(), SHOTS)})
    choices: ClassVar[Mapping[str, Choice]] = {
        "angles": Choice("Read KDEF's images from the front, to half a profile, or all", tuple(ANGLES))
    }

    def recognise(self, tree: Tree) -> Layout | None:
        if not has_named_images(tree, FILE_NAME):
            return None
        angles = self.chosen["angles"]
        counts = dict.fromkeys(CODES.values(), SHOTS * len(ANGLES[angles]))
        return Layout(
            f"file names, angles: {angles}",
            lambda: read_named_images(self, ANY_NAME, "AF01ANS.JPG", self._make),
            subjects=True,
            published=Published({"": counts}),
        )

    def _make(self, match: re.Match[str], stem: str, blob: Blob) -> Sample | Rejected:
        _, sex, person, code, angle, average, *_ = match.groups()
        key = stem.upper()
        if average:
            return self.reject(key, DropReason.NOT_SELECTED, "an average of many people")
        if angle.upper() not in ANGLES[self.chosen["angles"]]:
            return self.reject(key, DropReason.NOT_SELECTED, f"seen from the angle {angle.upper()}")
        emotion = CODES[code.upper()]
        return Sample(f"{self.name}/{key}", EncodedImage(blob), emotion, self.name, subject=f"{sex.upper()}{person}")
