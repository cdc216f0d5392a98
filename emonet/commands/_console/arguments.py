"""Arguments and options that several commands take, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.heads import Prior
from emonet.options import Group, Option
from facecrop import FilterRules

MODEL, FACES, RUNNING = "Model", "Faces", "Running"  # panels of --help

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
