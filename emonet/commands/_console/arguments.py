"""Arguments and options that several commands take, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.heads import Prior
from emonet.options import Group, Option
from emonet.prediction.doubts import DoubtRules
from facecrop import FilterRules

MODEL, FACES, UNSURE, RUNNING = "Model", "Faces", "Unsure", "Running"  # panels of --help

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="A data set that `emonet build` wrote.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="The model: emonet, emonet_fast or a model file.")]

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
FaceRules = Annotated[
    FilterRules,
    Group(
        allow=Option("Faces of a photo to use: all, one (the only one), largest or most_central.", panel=FACES),
        min_size=Option("Leave out faces whose shorter side has fewer pixels.", panel=FACES, aliases=("--min-face",)),
    ),
]
ANY_FACE = FilterRules()
Doubts = Annotated[
    DoubtRules,
    Group(
        min_score=Option("Answer unsure below this score of the detector.", panel=UNSURE, default="measured"),
        second_look=Option(
            "Look again, in its enlarged crop, for a face with a lower score.", panel=UNSURE, default="measured"
        ),
        sure_size=Option(
            "Answer unsure for faces whose shorter side has fewer pixels.", 0, panel=UNSURE, default="measured"
        ),
        min_sharpness=Option("Answer unsure for faces that are less sharp.", 0, panel=UNSURE, default="measured"),
        max_yaw=Option(
            "Answer unsure for heads that are turned aside by more degrees.", 0, panel=UNSURE, default="measured"
        ),
        least_confidence=Option(
            "Answer unsure below this probability of the expression.", 0, 1, panel=UNSURE, default="measured"
        ),
    ),
]
AS_MEASURED = DoubtRules()  # nothing is given
