"""The options of a predictor that several commands have, and the predictor that they open."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.arguments import (
    ANY_FACE,
    MODEL,
    RUNNING,
    DetectorName,
    Device,
    FaceRules,
    HeadName,
    PriorName,
)
from emonet.inference.backends import Backend
from emonet.inference.views import View
from emonet.options import Option, check_options
from facecrop.detectors import DEFAULT

if TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor

ModelNames = Annotated[
    tuple[str, ...],
    Option(
        "Model to use: emonet, emonet_fast, a model file, the folder of a run or of emonet share, hf://OWNER/NAME, or "
        "an ONNX file; of several, the mean.",
        panel=MODEL,
        path=True,
    ),
]
ViewName = Annotated[View, Option("Test-time augmentation: none, mirror or ten_crop.", panel=MODEL)]
BackendName = Annotated[
    Backend,
    Option(
        "Run the model with torch, with onnx (ONNX Runtime, on the processor), or auto: with onnx if it can and "
        "there is no GPU.",
        panel=RUNNING,
    ),
]


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """The options of a predictor: those of a command that opens one begin with them."""

    model: ModelNames = ("emonet",)
    head: HeadName = None
    prior: PriorName = None
    tta: ViewName = "mirror"
    detector: DetectorName = DEFAULT
    rules: FaceRules = ANY_FACE
    device: Device = "auto"
    backend: BackendName = "auto"

    def __post_init__(self) -> None:
        check_options(self)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of EmotionPredictor, but for the models."""
        return {field.name: getattr(self, field.name) for field in fields(PredictorOptions) if field.name != "model"}


def open_predictor(options: PredictorOptions) -> EmotionPredictor:
    """Open a predictor, and say which models and detector run where."""
    from emonet.prediction import EmotionPredictor

    predictor = EmotionPredictor(options.model, **options.arguments())
    backend = predictor.answered_by["backend"]
    typer.echo(
        f"{','.join(options.model)} and {predictor.detector.name} on {predictor.machine}, by {backend}", err=True
    )
    return predictor
