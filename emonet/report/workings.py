"""What goes on inside the network: the feature maps of one face, and where it looks when it is sure of an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emonet.heads import MEAN
from emonet.page import Html, code, join, soft, tag
from emonet.report.figures import shown
from emonet.report.insides import draw_attention, draw_feature_maps
from emonet.report.surest import Answered, answered, surest

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation


def find_face(evaluation: Evaluation, key: str = "") -> Answered:
    """The picture of a key; without one, the right answer that is surest, or the surest wrong one if none is right."""
    if not key:
        return answered(evaluation, _surest(evaluation))
    if key not in evaluation.faces.keys:
        example = evaluation.faces.keys[0]
        raise ValueError(f"no picture {key!r} in {evaluation.split}; its keys are of the form {example!r}")
    return answered(evaluation, evaluation.faces.keys.index(key))


def _surest(evaluation: Evaluation) -> int:
    probabilities = evaluation.answers[evaluation.view]
    right = probabilities.argmax(1) == evaluation.faces.labels
    return int(np.argmax(probabilities.max(1) + right))  # what is right counts more than any probability


def workings(evaluation: Evaluation, face: Answered, folder: Path) -> Html:
    """Draws into the folder."""
    folder.mkdir(exist_ok=True)
    network = evaluation.checkpoint.network()
    spec, pixels = evaluation.checkpoint.input, evaluation.faces.pixels
    watched, columns = _watched(evaluation), evaluation.choice.columns
    attention = draw_attention(
        network,
        spec,
        pixels[[one.row for one in watched]],
        [columns[one.place] for one in watched],
        ["\n".join(one.words) for one in watched],
        folder / "attention.png",
    )
    maps = draw_feature_maps(network, spec, pixels[face.row], folder / "feature_maps.png")
    return join(
        tag("h3", "Where it looks"),
        soft(
            "What in the surest right and wrong picture of each class speaks for the answer (Grad-CAM); where no "
            f"colour shows, nothing in the last convolution's maps does.{_of_first(evaluation)}"
        ),
        shown(attention, "faces, each beside itself with what speaks for the answer brought out"),
        tag("h3", "Feature maps of one face"),
        tag("p", code(face.key), f": {', '.join(face.words)}"),
        shown(maps, "what each convolution makes of the face, before and after its activation"),
    )


def _of_first(evaluation: Evaluation) -> str:
    """The mean of heads is no score of the network: what is shown is what speaks for the first head's."""
    first = evaluation.checkpoint.heads[0].name
    return f" Of the mean of heads, it is shown for the head {first}." if evaluation.choice.head == MEAN else ""


def _watched(evaluation: Evaluation) -> list[Answered]:
    """The surest right and the surest wrong picture of each class, where there are some."""
    classes = range(len(evaluation.faces.classes))
    return [one for truth in classes for right in (True, False) for one in surest(evaluation, truth, right=right)[:1]]
