"""The predictor: it finds the faces of an image, chooses among them, crops them as in training and classifies them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import asdict, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from emonet.errors import ImageError, OptionError
from emonet.inference.backends import choose_machine, describe_backend
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import Machine, open_machine
from emonet.prediction.doubts import DoubtRules, mark_unsure
from emonet.prediction.inputs import (
    GivenDetector,
    GivenModel,
    Name,
    Raise,
    Return,
    check_models,
    frame_face,
    make_pixels,
    name_images,
    open_models,
    read_crops,
    refuse_single_image,
    select_faces,
    to_rgb,
)
from emonet.prediction.many import answer_photos
from emonet.prediction.notebook import make_thumbnail
from emonet.prediction.prediction import PhotoResult, Prediction, normalise, sort_from_left
from emonet.prediction.turned import look_if_turned
from facecrop import CropSpec, Face, FilterRules, read_image
from facecrop.detectors import DEFAULT
from facecrop.detectors.protocol import Detector
from facecrop.images import Image, Source
from facecrop.scanning import BATCH_IMAGES, Read, ScannedPhoto, scan_batches

if TYPE_CHECKING:
    from emonet.inference.classifier import Classifier
    from emonet.inference.torch_classifier import TorchClassifier


class EmotionPredictor:
    """Finds the faces in images and predicts their expressions.

    It uses one model or several, and crops faces as they were trained with.

    Args:
        model: `emonet`, `emonet_fast`, a model file, an ONNX file of `emonet export`, an open model, or a list of
            these. The probabilities of several models are averaged; they must know the same classes.
        detector: A name or an open detector, whichever the models were made with: all boxes are alike. A name is
            opened at first use. `predict_faces` needs no detector.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: `auto`, `fp32` or `bf16`.
        backend: `torch`, `onnx` (ONNX Runtime, on the processor), or `auto`, which takes ONNX Runtime on a processor
            where it can run the models.
        rules: Which faces may be used, and how many an image may have. What they leave out is among the rejections.
        doubts: When the answer to a face is "unsure"; by default, what was measured for the detector,
            `DoubtRules.for_photos`. `DoubtRules()` answers to every face.
        turns: Whether photos that show no sure face are also looked at turned by quarters.
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
        detector: str | Detector = DEFAULT,
        device: str = "auto",
        precision: str = "auto",
        rules: FilterRules | None = None,
        doubts: DoubtRules | None = None,
        turns: bool = True,
        tta: str = "mirror",
        batch: int = BATCH_IMAGES,
        head: str | None = None,
        prior: str | None = None,
        backend: str = "auto",
    ) -> None:
        self._given = {name: value for name, value in locals().items() if name not in ("self", "model", "detector")}
        self.models = open_models(model)
        self.choices = tuple(one.choice(head, prior) for one in self.models)
        self.classes = self.choices[0].classes
        self.rules = rules or FilterRules()
        self.tta = tta
        self.batch, self.turns = batch, turns
        self._detector = GivenDetector(detector)
        check_models(self.models, self.choices, self.rules, self._detector.kind)
        self.doubts = DoubtRules.for_photos(self._detector.kind.name) if doubts is None else doubts
        self.machine = choose_machine(self.models, backend, device, precision, tta)
        self.classifiers = [open_classifier(one, self.machine, view=tta) for one in self.models]

    def __repr__(self) -> str:
        names = ", ".join(model.model for model in self.models)
        answered = ", ".join(f"{name} {value}" for name, value in self.answered_by.items())
        return f"<EmotionPredictor: {names}; {answered}; detector {self._detector.kind.name}; tta {self.tta}>"

    @property
    def detector(self) -> Detector:
        """The detector, opened at first use."""
        return self._detector.open(str(self.machine.device))

    def with_other(self, **arguments: Any) -> EmotionPredictor:
        """Return a predictor of the same models, made as this one but for some arguments."""
        return EmotionPredictor(self.models, **{"detector": self._detector.given, **self._given, **arguments})

    def side_by_side(self) -> EmotionPredictor:
        """Return this predictor for use in several threads, in each of which ONNX Runtime has one thread of its own."""
        alike = copy(self)
        alike.classifiers = self._classifiers_of_one_thread
        return alike

    @cached_property
    def _classifiers_of_one_thread(self) -> list[Classifier]:
        if isinstance(self.machine, Machine) or self.machine.threads == 1:  # of torch, `map_photos` takes care
            return self.classifiers
        return [open_classifier(one, replace(self.machine, threads=1), view=self.tta) for one in self.models]

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
            "doubts": self.doubts.to_dict(),
            "turns": self.turns,
            "tta": self.tta,
        }

    def predict(self, image: Source, *, bgr: bool = False) -> list[Prediction]:
        """Find the faces of an image and their expressions.

        Args:
            image: A path, the bytes of a file, an open file, a Pillow image or an array.
            bgr: Whether an array has its channels in the order of OpenCV: blue, green, red.

        Returns:
            A prediction for each face that passes the rules, from left to right; an empty list without such a face.

        Raises:
            ImageError: The image cannot be read.
            MissingFileError: There is no such file.
        """
        photo = read_image(to_rgb(image, bgr=bgr))
        (result,) = self.answer([(0, photo)])
        return [replace(one, thumbnail=make_thumbnail(photo, one.face)) for one in result.predictions]

    def predict_many(self, images: Iterable[Source], *, bgr: bool = False) -> Iterator[PhotoResult]:
        """Find the faces of many images and their expressions, side by side on all processors.

        Args:
            images: Whatever yields images as `predict` takes them. Only a few are in memory, however many there are.
            bgr: As in `predict`.

        Returns:
            An iterator with a result for each image, in order. An image that cannot be read has its error there.

        Raises:
            TypeError: `images` is a single image.
        """
        refuse_single_image(images, "predict_many", "use predict, or put it into a list")
        return answer_photos(self, name_images(images, bgr=bgr), lambda answer: answer.result)

    @overload
    def predict_faces(
        self, crops: Iterable[Source], framing: CropSpec | None = ..., *, bgr: bool = ..., on_error: Raise = ...
    ) -> list[Prediction]: ...
    @overload
    def predict_faces(
        self, crops: Iterable[Source], framing: CropSpec | None = ..., *, bgr: bool = ..., on_error: Return
    ) -> list[Prediction | ImageError]: ...
    def predict_faces(
        self,
        crops: Iterable[Source],
        framing: CropSpec | None = None,
        *,
        bgr: bool = False,
        on_error: Raise | Return = "raise",
    ) -> list[Prediction] | list[Prediction | ImageError]:
        """Classify images that are crops of faces already, without looking for faces.

        Nothing is doubted: each crop has an answer.

        Args:
            crops: Images as `predict` takes them.
            framing: How the crops were cut out, such as `CropSpec.fer2013()`; by default, as the model's own.
            bgr: As in `predict`.
            on_error: What becomes of a crop that cannot be read: `raise` its error, or `return` it in its place.

        Returns:
            A prediction for each crop, or, with `on_error="return"`, its error.

        Raises:
            ImageError: A crop cannot be read; nothing was classified yet.
            TypeError: `crops` is a single image.
        """
        images = read_crops(crops, bgr=bgr, on_error=on_error)
        readable = [image for image in images if not isinstance(image, ImageError)]
        said = iter(self.classify_faces([(image, frame_face(image, framing)) for image in readable]))
        return [image if isinstance(image, ImageError) else next(said) for image in images]

    def classify_faces(self, faces: Iterable[tuple[Image, Face]]) -> list[Prediction]:
        """Classify faces that were found already, each given with its image, all together."""
        if not (given := list(faces)):
            return []
        answers = [
            choose(classify(make_pixels(given, model)))
            for model, choose, classify in zip(self.models, self.choices, self.classifiers, strict=True)
        ]
        rows = np.stack(answers).mean(0, dtype=np.float64)
        return [
            Prediction(face, normalise(dict(zip(self.classes, map(float, row), strict=True))))
            for (_, face), row in zip(given, rows, strict=True)
        ]

    def answer(self, photos: Iterable[Read[Name]]) -> Iterator[PhotoResult]:
        """Predict photos that were read already; only a batch of them is in memory.

        Args:
            photos: Names with images, or with the error that says why there is no image.

        Returns:
            An iterator with their results, in order.
        """
        return chain.from_iterable(map(self._answer_batch, scan_batches(photos, self.detector, self.batch)))

    def _answer_batch(self, batch: Sequence[ScannedPhoto[Name]]) -> Iterator[PhotoResult]:
        if self.turns:
            batch = [look_if_turned(photo, self.detector) for photo in batch]
        selections = [select_faces(photo, self.rules) for photo in batch]
        chosen_of = zip(batch, selections, strict=True)
        faces = [(cast("Image", photo.image), face) for photo, chosen in chosen_of for face in chosen.faces]
        answers = zip((image for image, _ in faces), self.classify_faces(faces), strict=True)
        predictions = mark_unsure(answers, self.doubts, self.detector)
        for photo, chosen in zip(batch, selections, strict=True):
            error = photo.image if isinstance(photo.image, ImageError) else None
            found = sort_from_left([next(predictions) for _ in chosen.faces])
            yield PhotoResult(photo.name, found, chosen.rejections, error)
