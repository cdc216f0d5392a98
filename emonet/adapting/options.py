"""The options of `emonet adapt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from emonet.errors import OptionError
from emonet.heads import MEAN, Prior
from emonet.options import Option, check_options
from facecrop.detectors import DEFAULT

FACES, JUDGING, WRITING = "Faces", "Judging", "Writing"  # panels of --help

People = Literal["auto", "none"]


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """The options of an adaptation.

    Examples:
        >>> from emonet.adapting import AdaptOptions
        >>> AdaptOptions(model="emonet_fast").name
        'own'
    """

    model: Annotated[str, Option("Adapt this model: emonet, emonet_fast or a model file.", path=True)] = "emonet"
    name: Annotated[str, Option("Name the new head.", panel=WRITING)] = "own"
    prior: Annotated[
        Prior | None,
        Option(
            "Let the new head expect each class as often as in your labels (training), equally often (even), or "
            "between (sqrt).",
            panel=WRITING,
            default="the model's",
        ),
    ] = None
    anyway: Annotated[
        bool, Option("Write the model also if the new head is no better than the model was.", panel=WRITING)
    ] = False
    overwrite: Annotated[bool, Option("Replace the file that is to be written.", panel=WRITING)] = False
    detector: Annotated[
        str, Option("Find faces with yunet, mtcnn or dlib; with whole, each photo is a face.", panel=FACES)
    ] = DEFAULT
    confirmed: Annotated[
        bool,
        Option(
            "Take all other faces of the folder, which --labels does not name, as rightly answered by the model: you "
            "have looked through all of them.",
            panel=FACES,
        ),
    ] = False
    people: Annotated[
        People,
        Option(
            "Learn from the column subject, or from folders below those of the expressions, who is in a photo (auto), "
            "or take people as unknown (none).",
            panel=JUDGING,
        ),
    ] = "auto"
    folds: Annotated[
        int, Option("Cross-validate in so many folds, or fewer where there are few faces.", 2, 20, panel=JUDGING)
    ] = 5
    device: Annotated[str, Option("Run on auto, cpu, mps, cuda, or cuda:1 for one of several GPUs.")] = "auto"

    def __post_init__(self) -> None:
        check_options(self)
        if not self.name.isidentifier() or self.name == MEAN:
            raise OptionError(f"name must be letters, digits and _, and other than {MEAN!r}, got {self.name!r}")
