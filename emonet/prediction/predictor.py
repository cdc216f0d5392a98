"""The predictor: it finds the faces of an image, chooses among them, crops them as in training and classifies them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from emonet.errors import ImageError, OptionError
from emonet.inference.backends import choose_machine, describe_backend
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import Machine, open_machine
from emonet.inference.loading import load_to_predict
from emonet.inference.model import Model
from emonet.models.inputs import Pixels
from emonet.prediction.prediction import PhotoResult, Prediction, normalise, sort_from_left
from facecrop import CropSpec, Face, FilterRules, Selection, choose_faces, crop_face, open_detector, read_image
from facecrop.detectors import choose_detector, detector_class
from facecrop.detectors.protocol import Detector
from facecrop.images import Image, Source
from facecrop.scanning import BATCH_IMAGES, Read, ScannedPhoto, read_ahead, scan_batches

if TYPE_CHECKING:
    from emonet.inference.torch_classifier import TorchClassifier

GivenModel = str | os.PathLike[str] | Model
Name = str | os.PathLike[str] | int  # the source of a PhotoResult

WHOLE = "whole"  # the detector of data sets that are cropped already: it finds no faces in photos


class AnsweredPhoto(NamedTuple):
    """A photo as it was read, and its result."""

    image: Image | ImageError
    result: PhotoResult


class EmotionPredictor:
    """Finds the faces in images and predicts their expressions.

    It uses one model or several, with the detector and the crop that they were trained with.

    Args:
        model: `emonet`, `emonet_fast`, a model file, an ONNX file of `emonet export`, an open model, or a list of
            these. The probabilities of several models are averaged; they must know the same classes.
        detector: A name or an open detector; by default, the one that the first model was made with, or `yunet` where
            that is not installed. A name is opened at first use. `predict_faces` needs no detector.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: `auto`, `fp32` or `bf16`.
        backend: `torch`, `onnx` (ONNX Runtime, on the processor), or `auto`, which takes ONNX Runtime on a processor
            where it can run the models.
        rules: Which faces may be used, and how many an image may have. What they leave out is among the rejections.
        tta: Test-time augmentation: `none`, `mirror` (also the mirror image) or `ten_crop` (also shifts to the
            corners).
        batch: The most images that are searched together. Large images make smaller batches, so that memory stays flat.
        head: The head of the model that answers, or `mean`; by default, the one that the model file names.
        prior: `training`, `even` or `sqrt`, see `emonet.heads.HeadChoice`; by default, the one of the model file.

    Raises:
        OptionError: An option has a value that is not allowed, or the models know different classes.
        CheckpointError: A model file cannot be used.

    Examples:
        >>> import numpy as np
        >>> from emonet import EmotionPredictor
        >>> predictor = EmotionPredictor("emonet_fast", device="cpu")
        >>> predictor.predict(np.zeros((60, 90, 3), np.uint8))  # a black image has no face
        []
    """

    def __init__(
        self,
        model: GivenModel | Sequence[GivenModel] = "emonet",
        *,
        detector: str | Detector | None = None,
        device: str = "auto",
        precision: str = "auto",
        rules: FilterRules | None = None,
        tta: str = "mirror",
        batch: int = BATCH_IMAGES,
        head: str | None = None,
        prior: str | None = None,
        backend: str = "auto",
    ) -> None:
        self.models = _open_models(model)
        self.choices = tuple(one.choice(head or "", prior or "") for one in self.models)
        self.classes = self.choices[0].classes
        self.rules = rules or FilterRules()
        self.tta = tta
        self.batch = batch
        self._asked = _choose_detector(self.models[0]) if detector is None else detector
        self._check()
        self.machine = choose_machine(self.models, backend, device, precision, tta)
        self.classifiers = [open_classifier(one, self.machine, view=tta) for one in self.models]

    def _check(self) -> None:
        for choice in self.choices[1:]:
            if choice.classes != self.classes:
                raise OptionError(
                    "models that are averaged must know the same classes in one order: "
                    f"{', '.join(self.classes)} and {', '.join(choice.classes)}"
                )
        aligned = ["aligned crops"] if any(model.crop.align for model in self.models) else []
        wants = [*self.rules.landmark_rules(), *aligned]
        detector = detector_class(self._asked) if isinstance(self._asked, str) else self._asked
        if wants and not detector.has_landmarks:
            raise OptionError(f"{' and '.join(wants)}: the detector {detector.name!r} gives no landmarks")

    @cached_property
    def detector(self) -> Detector:
        """The detector, opened at first use."""
        if not isinstance(self._asked, str):
            return self._asked
        device = str(self.machine.device)
        runs_there = device.partition(":")[0] in detector_class(self._asked).device_kinds  # dlib: on the CPU alone
        return open_detector(self._asked, device if runs_there else "cpu")

    @cached_property
    def network(self) -> TorchClassifier:
        """The network of the first model in torch, which explains answers, whichever back end gives them.

        Raises:
            OptionError: The model is an ONNX file, which holds no such network.
            MissingPackageError: PyTorch is not installed.
        """
        model = self.models[0]
        if not isinstance(model, Checkpoint):
            raise OptionError("an ONNX file holds no network of torch: give the model file that it was exported from")
        if isinstance(self.machine, Machine):
            return cast("TorchClassifier", self.classifiers[0])
        return open_classifier(model, open_machine("cpu", "fp32"))

    @property
    def checkpoints(self) -> tuple[Model, ...]:
        """The name of `models` before 0.2."""
        return self.models

    @property
    def answered_by(self) -> dict[str, str]:
        """The `head` and the `prior` that answer, and the `backend` with its version.

        Heads and priors of several models are listed with commas, where they differ.
        """
        heads, priors = zip(*((choice.head, choice.prior) for choice in self.choices), strict=True)
        return {
            "head": ", ".join(dict.fromkeys(heads)),
            "prior": ", ".join(dict.fromkeys(priors)),
            "backend": describe_backend(self.machine),
        }

    @property
    def identity(self) -> dict[str, Any]:
        """What the predictions depend on beside the image, as plain values for JSON.

        The back end, the device and the size of batches are left out: they change the last digits only.
        """
        return {
            "models": [model.identity for model in self.models],
            "answers": [{"head": choice.head, "prior": choice.prior} for choice in self.choices],
            "detector": {"name": self.detector.name, "options": asdict(self.detector.options)},
            "rules": self.rules.to_dict(),
            "tta": self.tta,
        }

    def predict(self, image: Source) -> list[Prediction]:
        """Find the faces of an image and their expressions.

        Args:
            image: A path, the bytes of a file, a Pillow image or an array.

        Returns:
            A prediction for each face that passes the rules, from left to right; an empty list without such a face.

        Raises:
            ImageError: The image cannot be read.
            FileNotFoundError: There is no such file.
        """
        ((_, result),) = self.answer([(0, read_image(image))])
        return list(result.predictions)

    def predict_many(self, images: Iterable[Source]) -> Iterator[PhotoResult]:
        """Find the faces of many images and their expressions, a batch at a time.

        Only a batch of images is in memory, however many there are.

        Args:
            images: Whatever yields images as `predict` takes them.

        Returns:
            An iterator with a result for each image, in order. An image that cannot be read has its error there.

        Raises:
            TypeError: `images` is a single image.
        """
        if isinstance(images, str | bytes | os.PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise TypeError("predict_many takes several images, and this is one: use predict, or put it into a list")
        return (result for _, result in self.answer(read_ahead(_name_images(images))))

    def predict_faces(self, crops: Iterable[Source], framing: CropSpec | None = None) -> list[Prediction]:
        """Classify images that are crops of faces already, without looking for faces.

        Args:
            crops: Images as `predict` takes them.
            framing: How the crops were cut out, such as `CropSpec.fer2013()`; by default, as the model's own.

        Returns:
            A prediction for each crop.

        Raises:
            ImageError: A crop cannot be read.
        """
        images = [read_image(crop) for crop in crops]
        faces = [_frame_face(image, framing) for image in images]
        return self._classify(list(zip(images, faces, strict=True)))

    def classify_faces(self, faces: Iterable[tuple[Image, Face]]) -> list[Prediction]:
        """Classify faces that were found already, each given with its image."""
        return self._classify(list(faces))

    def answer(self, photos: Iterable[Read[Name]]) -> Iterator[AnsweredPhoto]:
        """Predict photos that `read_ahead` or `iter_images` has read; only a batch of them is in memory.

        Args:
            photos: Names with images, or with the error that says why there is no image.

        Returns:
            An iterator with each image and its result, in order.
        """
        return chain.from_iterable(map(self._answer_batch, scan_batches(photos, self.detector, self.batch)))

    def _answer_batch(self, batch: Sequence[ScannedPhoto[Name]]) -> Iterator[AnsweredPhoto]:
        selections = [_choose_faces(photo, self.rules) for photo in batch]
        faces = [(photo.image, face) for photo, chosen in zip(batch, selections, strict=True) for face in chosen.faces]
        predictions = iter(self._classify(cast("list[tuple[Image, Face]]", faces)))
        for photo, chosen in zip(batch, selections, strict=True):
            error = photo.image if isinstance(photo.image, ImageError) else None
            found = sort_from_left([next(predictions) for _ in chosen.faces])
            yield AnsweredPhoto(photo.image, PhotoResult(photo.name, found, chosen.rejections, error))

    def _classify(self, faces: Sequence[tuple[Image, Face]]) -> list[Prediction]:
        """Classify faces, each given with its image, all together."""
        if not faces:
            return []
        answers = [
            choose(classify(_make_pixels(faces, model)))
            for model, choose, classify in zip(self.models, self.choices, self.classifiers, strict=True)
        ]
        rows = np.stack(answers).mean(0, dtype=np.float64)
        return [
            Prediction(face, normalise(dict(zip(self.classes, map(float, row), strict=True))))
            for (_, face), row in zip(faces, rows, strict=True)
        ]


def _make_pixels(faces: Sequence[tuple[Image, Face]], model: Model) -> Pixels:
    """Crop faces as the network of a model sees them."""
    return np.stack([model.input.resize(crop_face(image, face, model.crop)) for image, face in faces])


def _choose_faces(photo: ScannedPhoto[Name], rules: FilterRules) -> Selection:
    if isinstance(photo.image, ImageError):
        return Selection((), ())
    return choose_faces(photo.image, photo.faces, rules)


def _open_models(model: GivenModel | Sequence[GivenModel]) -> tuple[Model, ...]:
    models = [model] if isinstance(model, str | os.PathLike | Model) else list(model)
    if not models:
        raise OptionError("model must be a name, a model file or a list of these, got an empty list")
    return tuple(one if isinstance(one, Model) else load_to_predict(one) for one in models)


def _choose_detector(model: Model) -> str:
    """Choose the detector that the model was made with, or another where that is not installed."""
    return choose_detector() if model.detector == WHOLE else choose_detector(model.detector)


def _name_images(images: Iterable[Source]) -> Iterator[tuple[Name, Source]]:
    """Name a path by itself, and any other image by its place."""
    for place, image in enumerate(images):
        yield (image if isinstance(image, str | os.PathLike) else place), image


def _frame_face(image: Image, framing: CropSpec | None) -> Face:
    """Return the face that a crop was cut out for; without a framing, the crop is as the model wants it."""
    height, width = image.shape[:2]
    if framing is None:
        return Face(box=(0, 0, width, height), score=1.0, detector=WHOLE, framed=True)
    across, down = (side * framing.margin / (1 + 2 * framing.margin) for side in (width, height))
    return Face(box=(across, down, width - across, height - down), score=1.0)
