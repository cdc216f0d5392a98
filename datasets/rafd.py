"""RaFD: 8,040 photos of 67 people who act eight expressions (Radboud Faces Database, Langner et al. 2010).

    Rafd090_01_Caucasian_female_angry_frontal.jpg     681 x 1024, colour; the folders do not matter

Names: angle of the camera, person (01 to 73, six numbers are not used), Caucasian, Moroccan or Kid, sex, expression,
and where the eyes look (left, frontal, right). Angles: 000 and 180 profile, 045 and 135 half profile, 090 frontal.
Expressions: angry, contemptuous, disgusted, fearful, happy, neutral, sad, surprised. Each is photographed with all
three directions of the eyes and from all five angles. Terms: for research at universities, not for business. Home:
https://rafd.socsci.ru.nl
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from emonet.datasets.formats.named_images import has_named_images, read_named_images
from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.labels import Emotion

ANGLES = {"frontal": ("090",), "half": ("045", "090", "135"), "all": ("000", "045", "090", "135", "180")}
SHOTS = 67 * 3  # of each expression from each angle

FILE_NAME = re.compile(
    r"Rafd(000|045|090|135|180)_(\d\d)_(Caucasian|Moroccan|Kid)_(female|male)_([a-z]+)_(left|frontal|right)",
    re.IGNORECASE,
)


class Rafd(Reader):
    """RaFD in any folders: its images are recognised by their names.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "Rafd090_01_Caucasian_female_angry_frontal.jpg").touch()
        >>> [(sample.subject, sample.emotion.value) for sample in READERS["rafd"](folder)]
        [('01', 'angry')]
    """

    name: ClassVar[str] = "rafd"
    title: ClassVar[str] = "RaFD"
    accepts: ClassVar[str] = "the folder with its images, or an archive"
    expected: ClassVar[str] = "Rafd090_01_Caucasian_female_angry_frontal.jpg in any folder"
    home: ClassVar[str] = "https://rafd.socsci.ru.nl"
    terms: ClassVar[str] = (
        "RaFD is given to researchers of universities, not for business; its images may not be passed on."
    )
    images: ClassVar[int | None] = 8040
    people: ClassVar[int | None] = 67
    published: ClassVar[Published | None] = Published({"": dict.fromkeys(Emotion, SHOTS)})
    choices: ClassVar[Mapping[str, Choice]] = {
        "angles": Choice("Read RaFD's images from the front, to half a profile, or all", tuple(ANGLES))
    }

    def recognise(self, tree: Tree) -> Layout | None:
        if not has_named_images(tree, FILE_NAME):
            return None
        angles = self.chosen["angles"]
        return Layout(
            f"file names, angles: {angles}",
            lambda: read_named_images(self, FILE_NAME, "Rafd090_01_Caucasian_female_angry_frontal.jpg", self._make),
            subjects=True,
            published=Published({"": dict.fromkeys(Emotion, SHOTS * len(ANGLES[angles]))}),
        )

    def _make(self, match: re.Match[str], stem: str, blob: Blob) -> Sample | Rejected:
        angle, person, _, _, word, _ = match.groups()
        if angle not in ANGLES[self.chosen["angles"]]:
            return self.reject(stem, DropReason.NOT_SELECTED, f"seen from the angle {angle}")
        emotion = find_emotion(word)
        if emotion is None:
            return self.reject(stem, DropReason.BAD_LABEL, f"{word!r} is no expression of RaFD")
        return Sample(f"{self.name}/{stem}", EncodedImage(blob), emotion, self.name, subject=person)
