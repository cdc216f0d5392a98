"""What happens inside the network: the feature maps of one face, and where the network looks (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from emonet.errors import OptionError
from emonet.explaining.feature_maps import FeatureMaps, feature_maps
from emonet.explaining.grad_cam import Maps, grad_cam, overlay_heat
from emonet.heads import MEAN
from emonet.html.images import embed_png
from emonet.inference.torch_classifier import images_as_tensor
from emonet.models import Network
from emonet.models.inputs import InputSpec, Pixels
from emonet.palette import INK
from emonet.report.sheets import LINE, AnsweredFace, Sheet, enlarge, find_answer, find_surest

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

WIDTH = 32  # letters that a pair of faces is wide
CONVOLUTIONS, SHOWN = 20, 16  # at most, and maps of each
MAP, LABELS = 48, 60  # pixels: a map's side, and the room for `before` and `after`
FACE, COLUMNS = 128, 3  # a face's side, and pairs side by side
NARROW, GAP = 3, 20  # pixels between maps, and between blocks


def find_face(evaluation: Evaluation, key: str = "") -> AnsweredFace:
    """Return the image of a key; without one the surest right answer, or the surest wrong one if none is right.

    Raises:
        OptionError: The split has no such image.
    """
    if not key:
        return find_answer(evaluation, _find_surest_row(evaluation))
    if key not in evaluation.faces.keys:
        example = evaluation.faces.keys[0]
        raise OptionError(f"no image {key!r} in {evaluation.split}; its keys are of the form {example!r}")
    return find_answer(evaluation, evaluation.faces.keys.index(key))


def _find_surest_row(evaluation: Evaluation) -> int:
    probabilities = evaluation.answers[evaluation.view]
    right = probabilities.argmax(1) == evaluation.faces.labels
    return int(np.argmax(probabilities.max(1) + right))  # what is right counts more than any probability


def draw_workings(evaluation: Evaluation, face: AnsweredFace, folder: Path) -> dict[str, Any]:
    """Draw Grad-CAM of some faces and the feature maps of one into the folder; return them for the page."""
    folder.mkdir(exist_ok=True)
    network = evaluation.checkpoint.network()
    spec, pixels = evaluation.checkpoint.input, evaluation.faces.array
    watched, columns = _choose_watched(evaluation), evaluation.choice.columns
    attention = draw_attention(
        network,
        spec,
        pixels[[one.row for one in watched]],
        [columns[one.place] for one in watched],
        ["\n".join(one.words) for one in watched],
        folder / "attention.png",
    )
    maps = draw_feature_maps(network, spec, pixels[face.row], folder / "feature_maps.png")
    # The mean of heads is no output of the network, so what speaks for the first head's output is shown.
    shown_head = evaluation.checkpoint.heads[0].name if evaluation.choice.head == MEAN else ""
    return {"face": face, "attention": embed_png(attention), "maps": embed_png(maps), "shown_head": shown_head}


def _choose_watched(evaluation: Evaluation) -> list[AnsweredFace]:
    """The surest right and the surest wrong image of each class, where there are some."""
    classes = range(len(evaluation.faces.classes))
    return [
        one for truth in classes for right in (True, False) for one in find_surest(evaluation, truth, right=right)[:1]
    ]


def draw_feature_maps(network: Network, spec: InputSpec, pixels: Pixels, path: Path) -> Path:
    """Write a PNG: an image (size, size, channels), and what convolutions make of it, before and after activation.

    Of many convolutions it shows some, evenly from the first to the last.
    """
    made = feature_maps(network, _scale_pixels(network, spec, pixels[None]))
    places = np.linspace(0, len(made) - 1, min(len(made), CONVOLUTIONS)).round().astype(int)
    block = LINE + 2 * (MAP + NARROW) + GAP
    sheet = Sheet(LABELS + SHOWN * (MAP + NARROW), FACE + GAP + len(places) * block - GAP)
    sheet.paste(enlarge(pixels, FACE), 0, 0)
    sheet.write(_describe_maps(spec, len(places), len(made)), FACE + GAP, 0)
    for number, place in enumerate(places):
        _draw_block(sheet, made[place], FACE + GAP + number * block)
    return sheet.save(path)


def _describe_maps(spec: InputSpec, shown: int, made: int) -> list[str]:
    kind = "grey" if spec.channels == 1 else "colour"
    return [
        f"What the network sees: {spec.size} x {spec.size} pixels, {kind}.",
        "Below, what each convolution answers, and what the activation behind it makes of that",
        "(those that are added up before it share one).",
        "Every map is drawn from its lowest value (black) to its highest (white).",
        *([f"{shown} of the {made} convolutions, evenly from the first to the last."] if shown < made else []),
    ]


def _draw_block(sheet: Sheet, maps: FeatureMaps, top: int) -> None:
    channels, height, width = maps.before.shape
    shown = f", the first {SHOWN}" if channels > SHOWN else ""
    sheet.write([f"{maps.name}: {channels} maps of {width} x {height}{shown}"], 0, top)
    rows = {"before": maps.before, "after": maps.after}
    for (label, row), place in zip(rows.items(), (top + LINE, top + LINE + MAP + NARROW), strict=True):
        sheet.write([label], 0, place + (MAP - LINE) // 2, INK)
        if row is None:
            sheet.write(["no activation before the next convolution"], LABELS, place + (MAP - LINE) // 2, INK)
            continue
        for number, one in enumerate(row[:SHOWN]):
            sheet.paste(_draw_map(one), LABELS + number * (MAP + NARROW), place)


def _draw_map(values: Maps) -> Image.Image:
    """Its own pixels where it is small."""
    lowest, highest = values.min(), values.max()
    grey = np.zeros_like(values) if highest == lowest else (values - lowest) / (highest - lowest)
    larger = max(values.shape) > MAP
    return Image.fromarray((255 * grey).astype(np.uint8)).resize(
        (MAP, MAP), Image.Resampling.BOX if larger else Image.Resampling.NEAREST
    )


def draw_attention(
    network: Network,
    spec: InputSpec,
    pixels: Pixels,
    places: Sequence[int],
    captions: Sequence[str],
    path: Path,
) -> Path:
    """Write a PNG of faces (N, size, size, channels), each beside itself under what in it speaks for a class.

    Captions may have several lines; those that are too long are broken.
    """
    if len(captions) != len(pixels):
        raise OptionError(f"{len(pixels)} images want as many captions, got {len(captions)}")
    heats = grad_cam(network, _scale_pixels(network, spec, pixels), places)
    broken = [[part for line in caption.split("\n") for part in wrap(line, WIDTH)] for caption in captions]
    pair = 2 * FACE + NARROW
    block = FACE + LINE * max(map(len, broken)) + GAP
    rows, columns = -(-len(pixels) // COLUMNS), min(len(pixels), COLUMNS)
    legend = wrap("On the right, what speaks for the class that was asked about: yellow the most.", columns * WIDTH)
    head = LINE * len(legend) + GAP // 2
    sheet = Sheet(columns * (pair + GAP) - GAP, head + rows * block - GAP)
    sheet.write(legend, 0, 0, INK)
    for number, (image, heat, lines) in enumerate(zip(pixels, heats, broken, strict=True)):
        row, column = divmod(number, COLUMNS)
        left, top = column * (pair + GAP), head + row * block
        sheet.paste(enlarge(image, FACE), left, top)
        sheet.paste(_lay_over(heat, enlarge(image, FACE)), left + FACE + NARROW, top)
        sheet.write(lines, left, top + FACE)
    return sheet.save(path)


def _lay_over(heat: Maps, face: Image.Image) -> Image.Image:
    large: Maps = np.asarray(cv2.resize(heat, (FACE, FACE), interpolation=cv2.INTER_LINEAR), np.float32)
    return Image.fromarray(overlay_heat(np.asarray(face), large))


def _scale_pixels(network: Network, spec: InputSpec, pixels: Pixels) -> Tensor:
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    return spec.scale(images_as_tensor(pixels).to(device))
