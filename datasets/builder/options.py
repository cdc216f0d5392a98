"""The options of a build. They are stored in dataset.json, from which a build can be repeated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Annotated, Any, Literal

from emonet.datasets import READERS
from emonet.datasets.curation.onset import OnsetRule
from emonet.datasets.curation.splits import DEFAULT_SHARES, check_shares
from emonet.datasets.labels import Contempt, Corrections, LabelRules
from emonet.datasets.sample import EVALUATED
from emonet.errors import OptionError
from emonet.labels import Emotion
from emonet.options import Group, Option, check_options
from facecrop import CropSpec, FilterRules
from facecrop.detectors import detector_class

Undetected = Literal["drop", "keep"]
Neutral = Literal["drop", "first"]
Leaks = Literal["near", "exact", "report", "keep", "drop"]
SplitBy = Literal["auto", "subject", "none"]


LARGEST_CROP = 1024  # pixels: networks take 224 or less, and a worker holds hundreds of crops in memory
LARGEST_FACE = FilterRules(allow="largest")
FER2013_CROP = CropSpec.fer2013()

DATA, LABELS, FACES, CROPS, COPIES = (
    partial(Option, panel=panel) for panel in ("Data", "Labels and frames", "Faces", "Crops", "Copies and splits")
)

INPUTS = Group(
    {name: DATA(f"Read {reader.title} from {reader.accepts}.", path=True) for name, reader in READERS.items()}
)
CHOICES = Group(
    {
        f"{name}_{choice}": DATA(f"{asked.help}: {', '.join(asked.values)}.", default=asked.values[0])
        for name, reader in READERS.items()
        for choice, asked in reader.choices.items()
    }
)
RULES = Group(
    allow=FACES("Where there are several faces, use the largest or the most_central, or reject the image (one)."),
    min_size=FACES("Reject faces whose shorter side has fewer pixels."),
    min_share=FACES("Reject faces whose shorter side is a smaller share of the image's shorter side."),
    min_score=FACES("Reject faces to which the detector gives a lower score."),
    max_roll=FACES("Reject faces that are tilted by more degrees."),
    max_yaw=FACES("Reject faces that are turned to the side by more degrees."),
    min_sharpness=FACES("Reject faces that are less sharp: the variance of the Laplacian."),
    min_contrast=FACES("Reject faces with less contrast: the standard deviation of the brightness."),
)
CROP = Group(
    size=CROPS("Side of the crops in pixels.", 1, LARGEST_CROP),
    margin=CROPS("Margin on each side, as a share of the face's width."),
    align=CROPS("Turn crops until the eyes are level."),
    grey=CROPS("Make crops grey; with --colour they keep their colours.", flag="--grey/--colour"),
)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The options of one build.

    Paths are kept as they were given. The number of workers is not an option, for it changes nothing.

    Raises:
        OptionError: A value cannot be used, or options contradict one another.
    """

    inputs: Annotated[Mapping[str, str], INPUTS]  # reader -> path
    choices: Annotated[Mapping[str, str], CHOICES] = field(default_factory=dict)  # READER_CHOICE -> value
    ferplus: Annotated[
        str | None, DATA("Read the FER+ votes from fer2013new.csv; they join the rows of FER2013.", path=True)
    ] = None
    drop_no_face_votes: Annotated[
        bool, LABELS("Drop images in which at least half of the FER+ voters saw no face.")
    ] = False
    classes: Annotated[str, LABELS("Classes: fer7, fer6, ck6, ck7, ck8, or names separated by commas.")] = "fer7"
    contempt: Annotated[
        Contempt | None,
        LABELS("Treat contempt: drop, keep, or disgust (as disgust).", default="keep if it is a class, else drop"),
    ] = None
    relabel: Annotated[
        str | None,
        LABELS(
            "Correct labels by this CSV of key,label, as `emonet review` writes it: drop leaves an image out, and "
            "onset=N keeps the frames of a sequence from N on.",
            path=True,
        ),
    ] = None
    onset: Annotated[
        str, LABELS("Frames of a sequence to keep: auto[=SHARE], fraction=SHARE, last=N, or peak (the last one).")
    ] = "auto"
    neutral: Annotated[
        Neutral, LABELS("First frames of sequences: drop them, or use the first of those as a neutral face (first).")
    ] = "drop"
    detector: Annotated[
        str,
        FACES(
            "Find faces with yunet, mtcnn or dlib; with whole, each image is a face. The default is not yunet, as for "
            "photos, because mtcnn also runs on a GPU, and another default would build other data sets."
        ),
    ] = "mtcnn"
    device: Annotated[str, FACES("Find faces on auto, cpu, cuda or cuda:N.", default="auto")] = (
        "cpu"  # what "auto" became: other devices round otherwise
    )
    undetected: Annotated[
        Undetected,
        FACES("Training images that their publisher cropped, in which no face is found: keep or drop."),
    ] = "keep"
    filter_eval: Annotated[bool, FACES("Reject faces of validation and test, too.")] = False
    recrop: Annotated[bool, FACES("Crop images anew that are cropped already, at the face in them.")] = False
    rules: Annotated[FilterRules, RULES] = LARGEST_FACE
    crop: Annotated[CropSpec, CROP] = FER2013_CROP
    leaks: Annotated[
        Leaks,
        COPIES(
            "Drop training copies of validation and test images: near (in any crop or light, and mirrored ones), exact "
            "(drop is its old name), or none: report, or keep, which does not look for near ones."
        ),
    ] = "near"
    near: Annotated[float, COPIES("Least correlation of near copies.", at_most=1, above=0)] = 0.97
    split: Annotated[
        SplitBy, COPIES("Split data without official splits by person (auto, or subject: must be known), or none.")
    ] = "auto"
    shares: Annotated[
        Mapping[str, float],
        COPIES("Share of the people in train,validation,test.", 0, 1, keys=tuple(DEFAULT_SHARES)),
    ] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    learn_validation: Annotated[bool, COPIES("Move validation to train, for a model that is scored on test alone.")] = (
        False
    )
    dev: Annotated[int, COPIES("Move so many images from train to dev, the split that everything is chosen on.", 0)] = 0
    folds: Annotated[int, COPIES("Number of folds of the training images, each person in one fold; 0: none.", 0)] = 0
    seed: Annotated[int, COPIES("Seed of the random splits and folds.", -math.inf, math.inf)] = 0

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("nothing to build from: name at least one data set")
        check_options(self)
        self._check_choices()
        if self.folds == 1:
            raise OptionError("`folds` must be 0, or 2 or more, got 1")
        if (self.ferplus or self.drop_no_face_votes) and "fer2013" not in self.inputs:
            raise OptionError("`ferplus` holds votes on FER2013's images: give `fer2013`, too")
        if self.drop_no_face_votes and not self.ferplus:
            raise OptionError("`drop_no_face_votes` needs the votes: give `ferplus`")
        if self.neutral == "first" and Emotion.NEUTRAL not in self.labels.classes:
            raise OptionError(f"first frames cannot be neutral faces: the classes are {', '.join(self.labels.classes)}")
        if self.rules.allow == "all":
            raise OptionError("a sample is one face: allow must be one, largest or most_central, got 'all'")
        check_shares(self.shares)
        OnsetRule.parse(self.onset)
        self._check_landmarks()

    def _check_choices(self) -> None:
        for name in self.inputs:
            if name in READERS:
                READERS[name].choose(self.choices_of(name))
        for option in self.choices:
            if not any(option.startswith(f"{name}_") for name in self.inputs):
                raise OptionError(f"`{option}` belongs to a data set that is not among {', '.join(self.inputs)}")

    def choices_of(self, name: str) -> dict[str, str]:
        """Return the choices of one reader, by their names there."""
        return {
            key.removeprefix(f"{name}_"): value for key, value in self.choices.items() if key.startswith(f"{name}_")
        }

    def _check_landmarks(self) -> None:
        """Refuse rules and crops that need landmarks which the detector does not give."""
        has_landmarks = detector_class(self.detector).has_landmarks
        FilterRules(**self.rules.to_dict() | {"detector": self.detector})
        if self.crop.align and not has_landmarks:
            raise OptionError(f"aligned crops need landmarks, and {self.detector!r} gives none: use yunet or mtcnn")

    @property
    def labels(self) -> LabelRules:
        """The classes of the data set, and what becomes of contempt."""
        return LabelRules.parse(self.classes, self.contempt)

    @property
    def evaluated(self) -> tuple[str, ...]:
        """The splits that are kept for scores."""
        return tuple(split for split in EVALUATED if self.move_split(split) == split)

    def move_split(self, split: str) -> str:
        """Name the split that images of `split` go to: those of validation to train, with `learn_validation`."""
        return "train" if self.learn_validation and split == "validation" else split

    def read_corrections(self) -> Corrections:
        """Read the corrections of labels and onsets; there are none without `relabel`."""
        return Corrections({}) if self.relabel is None else Corrections.read(self.relabel)

    def to_dict(self) -> dict[str, Any]:
        """Return what dataset.json stores."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> BuildOptions:
        """Make options from what `to_dict` gave; unknown names raise an OptionError."""
        unknown = sorted(set(stored) - {option.name for option in fields(cls)})
        if unknown:
            raise OptionError(f"unknown options of a build: {', '.join(unknown)}")
        values = dict(stored)
        return cls(**values | {"rules": FilterRules(**values["rules"]), "crop": CropSpec(**values["crop"])})
