"""What every reader yields: samples whose pictures are opened where they are needed, and records that gave none."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emonet.errors import ImageError, OptionError
from emonet.labels import Emotion
from facecrop.images import Image, read_image

SPLITS = ("train", "dev", "validation", "test")
PUBLISHED_SPLITS = ("train", "validation", "test")  # `dev` is only ever taken from train, by the build


class DropReason(StrEnum):
    """Why something in the data did not become a crop; faces that will not do have facecrop's reasons besides."""

    BAD_ROW = "bad_row"  # a row without the columns it should have
    BAD_LABEL = "bad_label"  # a code or a name that is no expression
    BAD_SPLIT = "bad_split"
    UNREADABLE = "unreadable"  # a picture that will not open
    NO_LABEL = "no_label"
    CORRECTED = "corrected"  # dropped by hand, in the corrections
    CONTEMPT = "contempt"
    NOT_IN_CLASSES = "not_in_classes"
    AUGMENTED_COPY = "augmented_copy"
    CONVERTED_COPY = "converted_copy"
    ONSET = "onset"
    BLANK = "blank"
    NOT_A_FACE = "not_a_face"  # by the votes of people
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


class Blob(Protocol):
    """A file's bytes, wherever they lie; small and picklable, opened where they are needed."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes: ...


class ImageSource(Protocol):
    """Where a picture is to be had; `read` gives it as facecrop does, RGB uint8, or raises ImageError."""

    def read(self) -> Image: ...


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture in a file, or in a member of an archive."""

    blob: Blob

    def read(self) -> Image:
        try:
            return read_image(self.blob.read())
        except ImageError as error:
            raise ImageError(self.blob.name, error.reason) from error
        except OSError as error:
            raise ImageError(self.blob.name, f"cannot be opened: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class ArrayImage:
    """A picture at hand: an array of any kind that `facecrop.read_image` takes."""

    array: NDArray[np.uint8]

    def read(self) -> Image:
        return read_image(self.array)


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of one data set as its publisher labelled it.

    Every frame of a sequence carries the sequence's label; dropping the neutral ones is the build's work. `emotion`
    is None where the publisher gave no label, `split` where there is no official one.
    """

    key: str  # unique and stable: names the sample in reports and corrections
    image: ImageSource
    emotion: Emotion | None
    source: str
    subject: str | None = None
    sequence: str | None = None
    frame: int | None = None
    split: str | None = None
    votes: tuple[int, ...] | None = field(default=None, compare=False)  # in the order of ferplus.VOTES
    points: Blob | None = field(default=None, compare=False)  # a file of 68 landmarks

    def __post_init__(self) -> None:
        if not self.key or not self.source:
            raise OptionError(f"a sample needs a key and a source, got {self.key!r} and {self.source!r}")
        if self.emotion is not None:
            object.__setattr__(self, "emotion", Emotion(self.emotion))
        if self.split is not None and self.split not in PUBLISHED_SPLITS:
            raise OptionError(f"split must be one of {', '.join(PUBLISHED_SPLITS)} or None, got {self.split!r}")
