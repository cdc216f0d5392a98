"""Oulu-CASIA NIR&VIS: 80 people film six expressions, from neutral to the peak (Zhao et al. 2011).

    OriginalImg/VL/Strong/P001/Anger/000.jpeg                  320 x 240, 25 frames a second; 000 is the first frame
    PreProcess_Img/VL_Acropped/Strong/P001/Anger/000.jpeg      the faces of the same frames, cut out by the publisher

VL is the camera for visible light, NI the one for near infrared. Light: Strong (lamps), Weak (the computer's screen),
Dark (next to none). Folders: Anger, Disgust, Fear, Happiness, Sadness, Surprise; P001 to P080 are people. There are
480 sequences for each of the two cameras and three lights. Papers use VL in strong light, and the last three frames of
each sequence. Terms: for research, by agreement. Home: University of Oulu, Center for Machine Vision and Signal
Analysis
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion

CLASSES: tuple[Emotion, ...] = tuple(
    emotion for emotion in Emotion if emotion not in (Emotion.NEUTRAL, Emotion.CONTEMPT)
)
PEOPLE = 80
LIGHTS = {"strong": ("Strong",), "weak": ("Weak",), "dark": ("Dark",), "all": ("Strong", "Weak", "Dark")}
CAMERAS = {"visible": "VL", "infrared": "NI"}

PLACE = re.compile(
    r"(?:(?:(VL|NI)(_Acropped)?/)?(Strong|Weak|Dark)/)?P(\d{3})/([a-z]+)/(\d+)\.(?:jpe?g|png|bmp)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, by what its folders say; what none of them says is what was asked for."""

    blob: Blob
    camera: str
    cropped: bool
    light: str
    subject: str
    folder: str
    number: int

    @property
    def sequence(self) -> str:
        """The name of the film that it is a frame of."""
        return f"{self.camera}_{self.light}_{self.subject}_{self.folder}"


class OuluCasia(Reader):
    """Oulu-CASIA: by default its original frames in visible and strong light.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "VL/Strong/P001/Anger").mkdir(parents=True)
        >>> (folder / "VL/Strong/P001/Anger/000.jpeg").touch()
        >>> [(sample.subject, sample.frame, sample.emotion.value) for sample in READERS["oulucasia"](folder)]
        [('P001', 0, 'angry')]
    """

    name: ClassVar[str] = "oulucasia"
    title: ClassVar[str] = "Oulu-CASIA"
    accepts: ClassVar[str] = "the folder with OriginalImg or PreProcess_Img, or an archive"
    expected: ClassVar[str] = "OriginalImg/VL/Strong/P001/Anger/000.jpeg"
    home: ClassVar[str] = "by request from the University of Oulu, Center for Machine Vision and Signal Analysis"
    terms: ClassVar[str] = "Oulu-CASIA is given out for research only, by agreement; its images may not be passed on."
    classes: ClassVar[tuple[Emotion, ...]] = CLASSES
    sequences: ClassVar[int | None] = len(CAMERAS) * 3 * PEOPLE * len(CLASSES)
    people: ClassVar[int | None] = PEOPLE
    published: ClassVar[Published | None] = Published({"": dict.fromkeys(CLASSES, PEOPLE)}, "sequences")
    choices: ClassVar[Mapping[str, Choice]] = {
        "camera": Choice("Read Oulu-CASIA's films in visible light or near infrared", tuple(CAMERAS)),
        "light": Choice("Read Oulu-CASIA's films in this light", tuple(LIGHTS)),
        "images": Choice(
            "Read Oulu-CASIA's whole frames, or the faces cut out by its publisher", ("original", "cropped")
        ),
    }

    def recognise(self, tree: Tree) -> Layout | None:
        frames = [frame for place, blob in tree.images() if (frame := self._find_frame(tree, place, blob))]
        if not frames:
            return None
        if not any(map(self._is_selected, frames)):
            if tree.archives():
                return None  # they may lie in their archive
            raise DatasetError(tree.path, f"no frames of {self._selection()} are here; it has {_list_kinds(frames)}")
        counts = dict.fromkeys(CLASSES, PEOPLE * len(LIGHTS[self.chosen["light"]]))
        return Layout(
            f"folders of frames ({self._selection()})",
            lambda: self._read(tree),
            subjects=True,
            starts_neutral=True,
            published=Published({"": counts}, "sequences"),
        )

    def _find_frame(self, tree: Tree, place: PurePosixPath, blob: Blob) -> Frame | None:
        match = PLACE.search(f"{tree.path.absolute().as_posix()}/{place}")  # the user may have given .../VL/Strong
        if match is None or not find_emotion(match[5]):
            return None
        return Frame(
            blob,
            camera=(match[1] or CAMERAS[self.chosen["camera"]]).upper(),
            cropped=bool(match[2]) if match[1] else self.chosen["images"] == "cropped",
            light=(match[3] or LIGHTS[self.chosen["light"]][0]).capitalize(),
            subject=f"P{match[4]}",
            folder=match[5].capitalize(),
            number=int(match[6]),
        )

    def _is_selected(self, frame: Frame) -> bool:
        return (
            frame.camera == CAMERAS[self.chosen["camera"]]
            and frame.light in LIGHTS[self.chosen["light"]]
            and frame.cropped == (self.chosen["images"] == "cropped")
        )

    def _selection(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.chosen.items())

    def _read(self, tree: Tree) -> Iterator[Sample | Rejected]:
        sequences: dict[str, dict[int, Frame]] = defaultdict(dict)
        for place, blob in tree.images():
            frame = self._find_frame(tree, place, blob)
            if frame is None:
                detail = "it is no frame: its folders are not of the form P001/Anger"
                yield self.reject(str(place), DropReason.BAD_LABEL, detail)
            elif not self._is_selected(frame):
                yield self.reject(str(place), DropReason.NOT_SELECTED, "another camera, light or version")
            elif sequences[frame.sequence].setdefault(frame.number, frame) is not frame:
                yield self.reject(str(place), DropReason.CONVERTED_COPY, "another file has the same place")
        for name, frames in sorted(sequences.items()):
            for number, frame in sorted(frames.items()):
                yield self._make(name, number, frame)

    def _make(self, sequence: str, number: int, frame: Frame) -> Sample | Rejected:
        key, emotion = f"{sequence}_{number:03d}", find_emotion(frame.folder)
        if emotion not in CLASSES:
            return self.reject(key, DropReason.BAD_LABEL, f"{frame.folder} is no expression of Oulu-CASIA")
        return Sample(
            f"{self.name}/{key}",
            EncodedImage(frame.blob),
            emotion,
            self.name,
            subject=frame.subject,
            sequence=sequence,
            frame=number,
        )


def _list_kinds(frames: list[Frame]) -> str:
    names = {code: name for name, code in CAMERAS.items()}
    kinds = {(names[one.camera], one.light.lower(), "cropped" if one.cropped else "original") for one in frames}
    return "; ".join(f"camera {camera}, light {light}, images {version}" for camera, light, version in sorted(kinds))
