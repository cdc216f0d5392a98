"""What readers yield: samples, whose images are opened only when they are needed, and what could not become one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from emonet.errors import ImageError, OptionError
from emonet.labels import Emotion
from facecrop.images import Image, read_image
from facecrop.text import as_text

SPLITS = ("train", "dev", "validation", "test")
EVALUATED = ("validation", "test")
REGION_MARGIN = 0.3  # of a published face box, on each side: detectors need some surroundings
PUBLISHED_SPLITS = ("train", "validation", "test")  # `dev` is only ever taken from train, by the build

Votes = tuple[int, ...]  # of ten people, in the order of FER+'s columns


class DropReason(StrEnum):
    """Why something in the data did not become a crop.

    Faces that fail the filter rules have the reasons of `facecrop.Reason` instead.
    """

    BAD_ROW = "bad_row"  # a row that lacks columns
    BAD_LABEL = "bad_label"  # a code or a name that is not an expression
    BAD_SPLIT = "bad_split"
    UNREADABLE = "unreadable"  # an image that cannot be opened
    NO_LABEL = "no_label"
    CORRECTED = "corrected"  # dropped by the user's corrections
    CONTEMPT = "contempt"
    NOT_IN_CLASSES = "not_in_classes"
    NOT_SELECTED = "not_selected"  # by a choice of the reader: another angle, light or version of the image
    AUGMENTED_COPY = "augmented_copy"
    CONVERTED_COPY = "converted_copy"
    ONSET = "onset"
    BLANK = "blank"
    NOT_A_FACE = "not_a_face"  # say the votes of FER+
    LEAK = "leak"
    NEAR_LEAK = "near_leak"


BROKEN = frozenset({DropReason.BAD_ROW, DropReason.BAD_LABEL, DropReason.BAD_SPLIT, DropReason.UNREADABLE})


@dataclass(frozen=True, slots=True)
class Rejected:
    """One thing that is not in the data set, and why."""

    key: str
    source: str
    split: str | None
    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("key", "detail"):
            object.__setattr__(self, name, as_text(getattr(self, name)))


class Blob(Protocol):
    """A file, on the disk or in an archive; small, and can be pickled."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes: ...


class ImageSource(Protocol):
    """Where an image comes from. `read` returns it as RGB, or raises ImageError."""

    def read(self) -> Image: ...


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image in a file, or in a member of an archive."""

    blob: Blob

    def read(self) -> Image:
        try:
            return read_image(self.blob.read())
        except ImageError as error:
            raise ImageError(self.blob.name, error.reason) from error
        except OSError as error:
            raise ImageError(self.blob.name, f"cannot be opened: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class RegionImage:
    """A face in a larger photo, with its surroundings, so that a detector finds this face and no other.

    Attributes:
        photo: The whole photo.
        box: The face as its publisher marked it: left, top, right and bottom in pixels.
    """

    photo: EncodedImage
    box: tuple[float, float, float, float]

    def read(self) -> Image:
        image = self.photo.read()
        left, top, right, bottom = self.box
        across, down = REGION_MARGIN * (right - left), REGION_MARGIN * (bottom - top)
        x0, y0 = (max(0, round(edge)) for edge in (left - across, top - down))
        region = image[y0 : max(0, round(bottom + down)), x0 : max(0, round(right + across))]
        if not region.size:
            height, width = image.shape[:2]
            raise ImageError(
                self.photo.blob.name, f"the face box {self.box} lies outside its {width} x {height} pixels"
            )
        return np.ascontiguousarray(region)


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a data set with the label that its publisher gave it.

    Every frame of a sequence carries the label of the sequence: the build finds and drops the neutral ones.

    Attributes:
        key: A name that is unique and stays the same; reports and corrections use it.
        image: Where the image comes from; `image.read()` opens it.
        emotion: None where the publisher gave no label.
        source: The name of the data set.
        subject: Who is on the image, where that is known.
        sequence: The name of the film that it is a frame of.
        frame: The number of the frame in its sequence.
        split: `train`, `validation` or `test`; None where the publisher made no splits.
        votes: FER+'s ten votes, in the order of `ferplus.VOTES`.
        points: A file of 68 landmarks.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import PIL.Image
        >>> from emonet.datasets import Folder
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "happy").mkdir()
        >>> PIL.Image.new("RGB", (48, 48)).save(folder / "happy" / "anna.png")
        >>> (sample,) = Folder(folder)
        >>> sample.key, sample.emotion.value, sample.image.read().shape
        ('folder/happy/anna.png', 'happy', (48, 48, 3))
    """

    key: str
    image: ImageSource
    emotion: Emotion | None
    source: str
    subject: str | None = None
    sequence: str | None = None
    frame: int | None = None
    split: str | None = None
    votes: Votes | None = field(default=None, compare=False)
    points: Blob | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.key or not self.source:
            raise OptionError(f"a sample needs a key and a source, got {self.key!r} and {self.source!r}")
        for name in ("key", "subject", "sequence"):
            if text := getattr(self, name):
                object.__setattr__(self, name, as_text(text))
        if self.emotion is not None:
            object.__setattr__(self, "emotion", Emotion(self.emotion))
        if self.split is not None and self.split not in PUBLISHED_SPLITS:
            raise OptionError(f"split must be one of {', '.join(PUBLISHED_SPLITS)} or None, got {self.split!r}")
