"""From photos to the expressions in them: faces are found, judged, cut out as in training, and classified."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np

from emonet.errors import ImageError, OptionError
from emonet.inference import load_model
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.models.inputs import Pixels
from emonet.prediction.prediction import PhotoResult, Prediction, from_left_to_right, normalised
from facecrop import CropSpec, Face, FilterRules, Selection, choose_faces, crop_face, open_detector, read_image
from facecrop.detectors import detector_class
from facecrop.detectors.protocol import Detector
from facecrop.images import Image, Source
from facecrop.scanning import BATCH_IMAGES, Read, ScannedPhoto, read_ahead, scan_batches

Model = str | os.PathLike[str] | Checkpoint
Name = str | os.PathLike[str] | int  # what a picture goes by, see PhotoResult

FRAMED = "whole"  # the detector of data that are cropped already: it finds nothing in photos
FINDER = "mtcnn"  # what finds faces for models of such data


class Answered(NamedTuple):
    """A photo as it was read, and what is said of it."""

    image: Image | ImageError
    result: PhotoResult


class EmotionPredictor:
    """A model, or several whose probabilities are averaged, with the detector and the crop that belong to it.

    `model` is `emonet`, `emonet_fast`, a model file, or a list of these, which must know the same classes. `detector`
    is a name or an open detector; unless given, it is the one that the first model was made with. A name is opened on
    first use; `predict_faces` needs no detector. `rules` say which faces will do and how many a photo may have; what
    they leave out is among the rejections. `tta` is how a face is looked at: as it is (`none`), with its mirror image
    (`mirror`), or over shifts to the corners too (`ten_crop`). `batch` is how many photos are searched together at
    most; large ones fewer, so that memory stays flat.
    `head` is the head of the model that answers, or `mean`; `prior` is `training`, `even` or `sqrt`
    (emonet.heads.HeadChoice says what they mean). Unless given, they are the defaults that each model file stores.
    """

    def __init__(
        self,
        model: Model | Sequence[Model] = "emonet",
        *,
        detector: str | Detector | None = None,
        device: str = "auto",
        precision: str = "auto",
        rules: FilterRules | None = None,
        tta: str = "mirror",
        batch: int = BATCH_IMAGES,
        head: str | None = None,
        prior: str | None = None,
    ) -> None:
        self.checkpoints = _opened(model)
        self.choices = tuple(checkpoint.choice(head or "", prior or "") for checkpoint in self.checkpoints)
        self.classes = self.choices[0].classes
        self.machine = open_machine(device, precision)
        self.rules = rules or FilterRules()
        self.tta = tta
        self.batch = batch
        self._asked = _default_detector(self.checkpoints[0]) if detector is None else detector
        self._check()
        self.classifiers = [open_classifier(one, self.machine, view=tta) for one in self.checkpoints]

    def _check(self) -> None:
        for choice in self.choices[1:]:
            if choice.classes != self.classes:
                raise OptionError(
                    "models that are averaged must know the same classes in one order: "
                    f"{', '.join(self.classes)} and {', '.join(choice.classes)}"
                )
        aligned = ["aligned crops"] if any(checkpoint.crop.align for checkpoint in self.checkpoints) else []
        wants = [*self.rules.landmark_rules(), *aligned]
        detector = detector_class(self._asked) if isinstance(self._asked, str) else self._asked
        if wants and not detector.has_landmarks:
            raise OptionError(f"{' and '.join(wants)}: the detector {detector.name!r} gives no landmarks")

    @cached_property
    def detector(self) -> Detector:
        """The detector, opened when it is first asked for."""
        if not isinstance(self._asked, str):
            return self._asked
        device = self.machine.device
        runs_there = device.type in detector_class(self._asked).device_kinds  # dlib: nowhere but on the processor
        return open_detector(self._asked, str(device) if runs_there else "cpu")

    @property
    def answered_by(self) -> dict[str, str]:
        """Name the `head` and the `prior` that answer; where models differ, all of theirs with commas."""
        heads, priors = zip(*((choice.head, choice.prior) for choice in self.choices), strict=True)
        return {"head": ", ".join(dict.fromkeys(heads)), "prior": ", ".join(dict.fromkeys(priors))}

    @property
    def identity(self) -> dict[str, Any]:
        """What answers depend on beside the pictures, as JSON takes it; but for the last digits, which the machine
        has a say in."""
        return {
            "models": [checkpoint.identity for checkpoint in self.checkpoints],
            "answers": [{"head": choice.head, "prior": choice.prior} for choice in self.choices],
            "detector": {"name": self.detector.name, "options": asdict(self.detector.options)},
            "rules": self.rules.to_dict(),
            "tta": self.tta,
        }

    def predict(self, image: Source) -> list[Prediction]:
        """The faces of one picture from left to right; without a face that will do, an empty list.

        Raises ImageError if it cannot be read.
        """
        ((_, result),) = self.answer([(0, read_image(image))])
        return list(result.predictions)

    def predict_many(self, images: Iterable[Source]) -> Iterator[PhotoResult]:
        """A result for each picture, in order, as they come: only a batch of them is in memory.

        Pictures are searched together, and all faces of a batch are classified together.
        """
        if isinstance(images, str | bytes | os.PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise TypeError("predict_many takes several pictures, and this is one: use predict, or put it into a list")
        for _, result in self.answer(read_ahead(_named(images))):
            yield result

    def predict_faces(self, crops: Iterable[Source], framing: CropSpec | None = None) -> list[Prediction]:
        """One for each picture that is a face already, without looking for any.

        `framing` is how they were cut out, where that is otherwise than the model's own: FER2013's, for most.
        """
        images = [read_image(crop) for crop in crops]
        faces = [_face(image, framing) for image in images]
        return self._predictions(list(zip(images, faces, strict=True)))

    def answer(self, photos: Iterable[Read[Name]]) -> Iterator[Answered]:
        """Photos that were read, with what is said of them, in order; only a batch of them is in memory."""
        return chain.from_iterable(map(self._answered, scan_batches(photos, self.detector, self.batch)))

    def _answered(self, batch: Sequence[ScannedPhoto[Name]]) -> Iterator[Answered]:
        chosen = [_chosen(photo, self.rules) for photo in batch]
        faces = [(photo.image, face) for photo, choice in zip(batch, chosen, strict=True) for face in choice.faces]
        answers = iter(self._predictions(cast("list[tuple[Image, Face]]", faces)))
        for photo, choice in zip(batch, chosen, strict=True):
            error = photo.image if isinstance(photo.image, ImageError) else None
            predictions = from_left_to_right([next(answers) for _ in choice.faces])
            yield Answered(photo.image, PhotoResult(photo.name, predictions, choice.rejections, error))

    def _predictions(self, faces: Sequence[tuple[Image, Face]]) -> list[Prediction]:
        """One for each face in its picture, all classified together."""
        if not faces:
            return []
        said = [
            choose(classify(_pixels(faces, checkpoint)))
            for checkpoint, choose, classify in zip(self.checkpoints, self.choices, self.classifiers, strict=True)
        ]
        rows = np.stack(said).mean(0, dtype=np.float64)
        return [
            Prediction(face, normalised(dict(zip(self.classes, map(float, row), strict=True))))
            for (_, face), row in zip(faces, rows, strict=True)
        ]


def _pixels(faces: Sequence[tuple[Image, Face]], checkpoint: Checkpoint) -> Pixels:
    """What the network of a checkpoint sees of them."""
    return np.stack([checkpoint.input.resize(crop_face(image, face, checkpoint.crop)) for image, face in faces])


def _chosen(photo: ScannedPhoto[Name], rules: FilterRules) -> Selection:
    if isinstance(photo.image, ImageError):
        return Selection((), ())
    return choose_faces(photo.image, photo.faces, rules)


def _opened(model: Model | Sequence[Model]) -> tuple[Checkpoint, ...]:
    models = [model] if isinstance(model, str | os.PathLike | Checkpoint) else list(model)
    if not models:
        raise OptionError("model must be a name, a model file or a list of these, got an empty list")
    return tuple(one if isinstance(one, Checkpoint) else load_model(one) for one in models)


def _default_detector(checkpoint: Checkpoint) -> str:
    return FINDER if checkpoint.detector == FRAMED else checkpoint.detector


def _named(images: Iterable[Source]) -> Iterator[tuple[Name, Source]]:
    """Paths go by themselves, other pictures by their place."""
    for place, image in enumerate(images):
        yield (image if isinstance(image, str | os.PathLike) else place), image


def _face(image: Image, framing: CropSpec | None) -> Face:
    """The face that a crop was cut out for: without a framing, the crop is as the model wants it."""
    height, width = image.shape[:2]
    if framing is None:
        return Face(box=(0, 0, width, height), score=1.0, detector=FRAMED, framed=True)
    across, down = (side * framing.margin / (1 + 2 * framing.margin) for side in (width, height))
    return Face(box=(across, down, width - across, height - down), score=1.0)
