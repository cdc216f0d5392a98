"""Everything that decides what a build writes. It is stored in dataset.json, and a build is repeated from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from emonet.datasets.curation.onset import OnsetRule
from emonet.datasets.curation.splits import DEFAULT_SHARES, check_shares
from emonet.datasets.labels import LabelRules
from emonet.errors import OptionError
from emonet.labels import Emotion
from facecrop import CropSpec, FilterRules
from facecrop.detectors import detector_class

Undetected = Literal["drop", "keep"]
Neutral = Literal["drop", "first"]
Leaks = Literal["drop", "near", "keep", "report"]
SplitBy = Literal["auto", "subject", "none"]

LARGEST_FACE = FilterRules(allow="largest")
FER2013_CROP = CropSpec.fer2013()


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """One build. Paths are kept as they were given; the number of workers is no option, for it changes nothing."""

    inputs: Mapping[str, str]  # reader -> path
    ferplus: str | None = None  # FER+'s votes, which join FER2013's rows
    drop_no_face_votes: bool = False  # pictures in which half of FER+'s people saw no face
    classes: str = "fer7"
    contempt: str | None = None  # drop, keep or disgust; None keeps it where the classes have it
    relabel: str | None = None  # a CSV of key,label
    onset: str = "auto"
    neutral: Neutral = "drop"  # `first` takes the first frame of a sequence as a neutral face
    detector: str = "mtcnn"
    device: str = "cpu"  # what "auto" became: other devices round otherwise
    undetected: Undetected = "drop"
    filter_eval: bool = False
    recrop: bool = False
    rules: FilterRules = LARGEST_FACE
    crop: CropSpec = FER2013_CROP
    leaks: Leaks = "drop"
    near: float = 0.97  # least correlation of near copies
    split: SplitBy = "auto"
    shares: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    dev: int = 0
    folds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("nothing to build from: name at least one data set")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise OptionError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not 0 < self.near <= 1:
            raise OptionError(f"near must be a correlation above 0, at most 1, got {self.near}")
        if self.dev < 0 or self.folds < 0 or self.folds == 1:
            raise OptionError(f"dev and folds must be 0 or more, folds not 1; got {self.dev} and {self.folds}")
        if (self.ferplus or self.drop_no_face_votes) and "fer2013" not in self.inputs:
            raise OptionError("FER+'s votes belong to FER2013, which is not among the data sets")
        if self.drop_no_face_votes and not self.ferplus:
            raise OptionError("pictures are dropped by FER+'s votes only where the votes are given")
        if self.neutral == "first" and Emotion.NEUTRAL not in self.labels.classes:
            raise OptionError(f"first frames cannot be neutral faces: the classes are {', '.join(self.labels.classes)}")
        if self.rules.allow == "all":
            raise OptionError("a sample is one face: allow must be one, largest or most_central, got 'all'")
        check_shares(self.shares)
        OnsetRule.parse(self.onset)
        self._check_landmarks()

    def _check_landmarks(self) -> None:
        """Refuses at once what the detector cannot serve."""
        has_landmarks = detector_class(self.detector).has_landmarks
        FilterRules(**self.rules.to_dict() | {"detector": self.detector})
        if self.crop.align and not has_landmarks:
            raise OptionError(f"aligned crops need landmarks, and the detector {self.detector!r} gives none")

    @property
    def labels(self) -> LabelRules:
        return LabelRules.parse(self.classes, self.contempt)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> BuildOptions:
        """From what `to_dict` gave; unknown names are refused."""
        unknown = sorted(set(stored) - {option.name for option in fields(cls)})
        if unknown:
            raise OptionError(f"unknown options of a build: {', '.join(unknown)}")
        values = dict(stored)
        return cls(**values | {"rules": FilterRules(**values["rules"]), "crop": CropSpec(**values["crop"])})


_CHOICES = {
    "undetected": get_args(Undetected),
    "neutral": get_args(Neutral),
    "leaks": get_args(Leaks),
    "split": get_args(SplitBy),
}
