"""Translate the words and codes of data sets into one vocabulary: synonyms, class lists, contempt, corrections."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from emonet.datasets.sample import DropReason, Sample
from emonet.errors import DatasetError, OptionError
from emonet.labels import Emotion

Contempt = Literal["drop", "keep", "disgust"]

CLASS_LISTS = {
    "fer7": tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT),
    "fer6": tuple(emotion for emotion in Emotion if emotion not in (Emotion.DISGUST, Emotion.CONTEMPT)),
    "ck6": tuple(emotion for emotion in Emotion if emotion not in (Emotion.NEUTRAL, Emotion.CONTEMPT)),
    "ck7": tuple(emotion for emotion in Emotion if emotion is not Emotion.NEUTRAL),
    "ck8": tuple(Emotion),
}

SYNONYMS: dict[Emotion, tuple[str, ...]] = {
    Emotion.ANGRY: ("angry", "anger", "an", "ang"),
    Emotion.DISGUST: ("disgust", "disgusted", "di", "dis"),
    Emotion.FEAR: ("fear", "fearful", "afraid", "scared", "fe", "fea"),
    Emotion.HAPPY: ("happy", "happiness", "joy", "ha", "hap", "smile"),
    Emotion.SAD: ("sad", "sadness", "sa"),
    Emotion.SURPRISE: ("surprise", "surprised", "su", "sur"),
    Emotion.NEUTRAL: ("neutral", "neutrality", "ne", "neu", "calm"),
    Emotion.CONTEMPT: ("contempt", "contemptuous", "con"),
}
_BY_WORD = {word: emotion for emotion, words in SYNONYMS.items() for word in words}

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "public", "publictest"),
    "test": ("test", "private", "privatetest"),
}
_SPLIT_BY_WORD = {word: split for split, words in SPLIT_WORDS.items() for word in words}

DROP = "drop"
ONSET = re.compile(r"onset\s*=\s*(\d+)", re.IGNORECASE)


def find_emotion(text: str) -> Emotion | None:
    """Find the expression that a word names: "Happiness", "anger", "03_SURPRISED"."""
    return _BY_WORD.get(_keep_letters(text))


def is_code(text: str) -> bool:
    """Tell whether a text has two letters, as the codes of JAFFE and KDEF and the initials of people."""
    return len(_keep_letters(text)) <= 2


def _keep_letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text).casefold()


def find_split(text: str) -> str | None:
    """Find the split that a word names: "Training", "val", "PrivateTest"."""
    return _SPLIT_BY_WORD.get(re.sub(r"[\W_]+", "", text).casefold())


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Which expressions are classes of a data set, and what is done with contempt.

    Attributes:
        classes: In the order of Emotion, whatever order they are given in.
        contempt: `drop`, `keep` as a class of its own, or label it `disgust`.
    """

    classes: tuple[Emotion, ...] = CLASS_LISTS["fer7"]
    contempt: Contempt = "drop"

    def __post_init__(self) -> None:
        classes = tuple(emotion for emotion in Emotion if emotion in self.classes)
        object.__setattr__(self, "classes", classes)
        if len(classes) < 2:
            raise OptionError(f"a data set needs at least two classes, got {', '.join(classes) or 'none'}")
        if self.contempt not in get_args(Contempt):
            raise OptionError(f"contempt must be one of {', '.join(get_args(Contempt))}, got {self.contempt!r}")
        if (self.contempt == "keep") != (Emotion.CONTEMPT in classes):
            raise OptionError(f"contempt is {self.contempt!r}, which does not go with the classes {', '.join(classes)}")
        if self.contempt == "disgust" and Emotion.DISGUST not in classes:
            raise OptionError(f"contempt cannot become disgust: the classes are {', '.join(classes)}")

    @classmethod
    def parse(cls, classes: str, contempt: str | None = None) -> LabelRules:
        """Read the option `classes`: a list's name (fer7, ck8), or names with commas.

        Contempt is kept if it is among them and `contempt` is None.
        """
        chosen = CLASS_LISTS[classes] if classes in CLASS_LISTS else tuple(map(_parse_class, classes.split(",")))
        if contempt is None:
            contempt = "keep" if Emotion.CONTEMPT in chosen else "drop"
        return cls(chosen, cast("Contempt", contempt))  # __post_init__ checks it

    def label(self, emotion: Emotion) -> Emotion | DropReason:
        """Return the class of an expression, or the reason why it has none."""
        if emotion is Emotion.CONTEMPT and self.contempt != "keep":
            return Emotion.DISGUST if self.contempt == "disgust" else DropReason.CONTEMPT
        return emotion if emotion in self.classes else DropReason.NOT_IN_CLASSES


def _parse_class(text: str) -> Emotion:
    emotion = find_emotion(text)
    if emotion is None:
        lists = ", ".join(CLASS_LISTS)
        raise OptionError(f"classes must be one of {lists} or a list of {', '.join(Emotion)}, got {text.strip()!r}")
    return emotion


class Corrections:
    """Labels and onsets that the user corrected.

    Args:
        labels: The key of an image or of a sequence -> the right label, or None to drop it.
        onsets: The key of a sequence -> the number of the first frame to keep.
    """

    def __init__(self, labels: Mapping[str, Emotion | None], onsets: Mapping[str, int] | None = None) -> None:
        self._labels = dict(labels)
        self._onsets = dict(onsets or {})
        self._unused = {*self._labels, *self._onsets}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Corrections:
        """Read a CSV of key,label, with or without a header; the label may be `drop`, or `onset=7` for a sequence."""
        labels: dict[str, Emotion | None] = {}
        onsets: dict[str, int] = {}
        for key, correction in read_corrections(path):
            if isinstance(correction, int):
                onsets[key] = correction
            else:
                labels[key] = correction
        return cls(labels, onsets)

    def unused(self) -> list[str]:
        """List the keys that no sample had so far."""
        return sorted(self._unused)

    def label(self, sample: Sample) -> Emotion | DropReason | None:
        """Return the label of a sample, corrected if there is a correction.

        A correction of the image goes before one of its sequence.
        """
        for key in _list_keys(sample):
            if key in self._labels:
                self._unused.discard(key)
                return self._labels[key] or DropReason.CORRECTED
        return sample.emotion

    def has_label_of(self, sample: Sample) -> bool:
        """Tell whether there is a correction of the image itself."""
        return sample.key in self._labels

    def onset(self, sample: Sample) -> int | None:
        """Return the number of the first frame to keep of a sample's sequence; None if there is no correction."""
        key = f"{sample.source}/{sample.sequence}"
        if sample.sequence is None or key not in self._onsets:
            return None
        self._unused.discard(key)
        return self._onsets[key]


def read_corrections(path: str | os.PathLike[str]) -> list[tuple[str, Emotion | int | None]]:
    """Read the rows of a file of corrections, in order.

    Returns:
        Keys, each with its label, the first frame to keep, or None to drop it.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(enumerate(csv.reader(file), 1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(path, f"not a CSV in UTF-8: {error}") from error
    found: list[tuple[str, Emotion | int | None]] = []
    first: dict[tuple[str, bool], tuple[int, Emotion | int | None]] = {}
    for number, row in rows:
        if row and not _is_header(row):
            key, value = _parse_correction(path, number, row)
            before, earlier = first.setdefault((key, isinstance(value, int)), (number, value))
            if earlier != value:
                raise DatasetError(path, f"{key} is corrected otherwise in row {before}", number)
            found.append((key, value))
    return found


def _list_keys(sample: Sample) -> Iterable[str]:
    yield sample.key
    if sample.sequence is not None:
        yield f"{sample.source}/{sample.sequence}"


def _is_header(row: list[str]) -> bool:
    return [cell.strip().lower() for cell in row[:2]] == ["key", "label"]


def _parse_correction(path: str | os.PathLike[str], number: int, row: list[str]) -> tuple[str, Emotion | int | None]:
    if len(row) != 2:
        raise DatasetError(path, f"a correction is key,label; this row has {len(row)} columns", number)
    key, label = (cell.strip() for cell in row)
    if label.lower() == DROP:
        return key, None
    if onset := ONSET.fullmatch(label):
        return key, int(onset[1])
    emotion = find_emotion(label)
    if emotion is None:
        allowed = f"{DROP} or one of {', '.join(Emotion)}, or onset=N for the first frame to keep of a sequence"
        raise DatasetError(path, f"the label must be {allowed}, got {label!r}", number)
    return key, emotion
