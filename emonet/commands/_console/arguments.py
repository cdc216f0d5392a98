"""Arguments and options that several commands take, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.errors import OptionError
from emonet.heads import Prior
from emonet.options import MOST, Group, Option
from emonet.prediction.doubts import PHOTO_DOUBTS, DoubtRules
from facecrop import FilterRules

MODEL, FACES, UNSURE, RUNNING = "Model", "Faces", "Unsure", "Running"  # panels of --help


def read_place(written: str) -> Path:
    """Read the name of a photo or a folder; an empty one, as of a variable that is not set, is not this folder."""
    if not written:
        raise typer.BadParameter("the name of a photo or folder is empty")
    return Path(written)


PhotosArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTOS", parser=read_place, help="A folder of photos, or several photos and folders."),
]
StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="A data set that `emonet build` wrote.")]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="The model: emonet, emonet_fast, a model file, the folder of a run, or hf://OWNER/NAME."
    ),
]

Device = Annotated[str, Option("Run on auto, cpu, mps, cuda, or cuda:1 for one of several GPUs.", panel=RUNNING)]
HeadName = Annotated[str | None, Option("Use this head of the model, or mean.", panel=MODEL, default="the model's")]
PriorName = Annotated[
    Prior | None,
    Option(
        "Expect each class as often as in training (training), equally often (even), or between (sqrt).",
        panel=MODEL,
        default="the model's",
    ),
]
DetectorName = Annotated[
    str, Option("Find faces with yunet, mtcnn or dlib; with whole, each image is a face.", panel=FACES)
]
FaceRules = Annotated[
    FilterRules,
    Group(
        allow=Option("Faces of a photo to use: all, one (the only one), largest or most_central.", panel=FACES),
        min_size=Option("Leave out faces whose shorter side has fewer pixels.", panel=FACES, aliases=("--min-face",)),
    ),
]
ANY_FACE = FilterRules()
MODEL_SUFFIX = ".safetensors"


def check_model_out(path: Path, *, overwrite: bool) -> None:
    """Refuse to write a model to a path that no command would open, or that is taken."""
    if path.suffix != MODEL_SUFFIX:
        raise OptionError(f"--out must be a file that ends in {MODEL_SUFFIX}, got {path}")
    if path.is_dir():
        raise OptionError(f"--out must be a file, and {path} is a folder")
    if path.exists() and not overwrite:
        raise OptionError(f"{path} exists: give another --out, or --overwrite")


def _show_measured(rule: str) -> str:
    """Write the measured value of a doubt, for each detector if they differ."""
    values = {name: getattr(rules, rule) for name, rules in PHOTO_DOUBTS.items() if rules != DoubtRules()}
    words = {name: "none" if value is None else f"{value:g}" for name, value in values.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{value} with {name}" for name, value in words.items())


def _doubt(help_text: str, rule: str, at_least: float = -MOST, at_most: float = MOST) -> Option:
    return Option(help_text, at_least, at_most, panel=UNSURE, default=_show_measured(rule))


Doubts = Annotated[
    DoubtRules,
    Group(
        min_score=_doubt("Answer unsure below this score of the detector.", "min_score"),
        second_look=_doubt("Look again, in its enlarged crop, for a face with a lower score.", "second_look"),
        sure_size=_doubt("Answer unsure for faces whose shorter side has fewer pixels.", "sure_size", 0),
        min_sharpness=_doubt("Answer unsure for faces that are less sharp.", "min_sharpness", 0),
        max_yaw=_doubt("Answer unsure for heads that are turned aside by more degrees.", "max_yaw", 0),
        least_confidence=_doubt("Answer unsure below this probability of the expression.", "least_confidence", 0, 1),
    ),
]
AS_MEASURED = DoubtRules()  # nothing is given
