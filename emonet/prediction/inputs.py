"""What callers give to a predictor: models, images, and crops of faces."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, Literal

import numpy as np
import PIL.Image

from emonet.errors import ImageError, OptionError
from emonet.heads import HeadChoice
from emonet.inference.loading import load_to_predict
from emonet.inference.model import Model
from emonet.models.inputs import Pixels
from facecrop import CropSpec, Detector, Face, FilterRules, Selection, choose_faces, crop_face, open_detector
from facecrop.detectors import detector_class
from facecrop.images import Image, Source, try_read_image
from facecrop.scanning import ScannedPhoto

GivenModel = str | os.PathLike[str] | Model
Name = str | os.PathLike[str] | int  # the source of a PhotoResult

Raise = Literal["raise"]  # what becomes of a crop that cannot be read
Return = Literal["return"]

WHOLE = "whole"  # the detector of images that are crops already


def open_models(model: GivenModel | Sequence[GivenModel]) -> tuple[Model, ...]:
    """Open one model or several."""
    models = [model] if isinstance(model, str | os.PathLike | Model) else list(model)
    if not models:
        raise OptionError("model must be a name, a model file or a list of these, got an empty list")
    return tuple(one if isinstance(one, Model) else load_to_predict(one) for one in models)


class GivenDetector:
    """A detector that was given open or by its name, and is opened at first use; threads share it.

    Attributes:
        given: The name, or the open detector.
    """

    def __init__(self, given: str | Detector) -> None:
        self.given = given
        self._opening = Lock()

    @property
    def kind(self) -> Detector | type[Detector]:
        """What says its name and whether it gives landmarks."""
        return detector_class(self.given) if isinstance(self.given, str) else self.given

    def open(self, device: str) -> Detector:
        """Return it, opened on a device if it runs there, else on the processor, as dlib does."""
        with self._opening:
            if isinstance(self.given, str):
                runs_there = device.partition(":")[0] in detector_class(self.given).device_kinds
                self.given = open_detector(self.given, device if runs_there else "cpu")
            return self.given


def name_images(images: Iterable[Source], *, bgr: bool = False) -> Iterator[tuple[Name, Source]]:
    """Name a path by itself, and any other image by its place."""
    for place, image in enumerate(images):
        yield (image if isinstance(image, str | os.PathLike) else place), to_rgb(image, bgr=bgr)


def to_rgb(image: Source, *, bgr: bool) -> Source:
    """Return an array of OpenCV's, whose channels are blue, green and red, as RGB; files know their own order."""
    if not bgr or not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] < 3:
        return image
    return image[..., [2, 1, 0, *range(3, image.shape[2])]]


def refuse_single_image(images: Any, function: str, instead: str) -> None:
    """Raise a TypeError if one image is given where several are taken: it would be read row by row."""
    single = isinstance(images, str | bytes | os.PathLike | PIL.Image.Image) or hasattr(images, "read")
    if isinstance(images, np.ndarray):  # (N, H, W) is a stack of grey images, (H, W, 3) is one
        single = images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
    if single:
        raise TypeError(f"{function} takes several images, and this is one: {instead}")


def read_crops(crops: Iterable[Source], *, bgr: bool, on_error: str) -> list[Image | ImageError]:
    """Read crops; of one that cannot be read, raise or return the error, which says which crop it is."""
    if on_error not in ("raise", "return"):
        raise OptionError(f"on_error must be raise or return, got {on_error!r}")
    refuse_single_image(crops, "predict_faces", "put it into a list")
    images = [_try_read_crop(place, to_rgb(crop, bgr=bgr)) for place, crop in enumerate(crops)]
    errors = [image for image in images if isinstance(image, ImageError)]
    if errors and on_error == "raise":
        raise errors[0]
    return images


def _try_read_crop(place: int, crop: Source) -> Image | ImageError:
    found = try_read_image(crop, missing="no such file")
    if isinstance(found, ImageError) and found.path is None:
        return ImageError(None, f"crop {place}: {found.reason}")
    return found


def frame_face(image: Image, framing: CropSpec | None) -> Face:
    """Return the face that a crop was cut out for; without a framing, the crop is as the model wants it."""
    height, width = image.shape[:2]
    if framing is None:
        return Face(box=(0, 0, width, height), score=1.0, detector=WHOLE, framed=True)
    across, down = (side * framing.margin / (1 + 2 * framing.margin) for side in (width, height))
    return Face(box=(across, down, width - across, height - down), score=1.0)


def make_pixels(faces: Sequence[tuple[Image, Face]], model: Model) -> Pixels:
    """Crop faces as the network of a model sees them."""
    return np.stack([model.input.resize(crop_face(image, face, model.crop)) for image, face in faces])


def check_models(
    models: Sequence[Model], choices: Sequence[HeadChoice], rules: FilterRules, detector: Detector | type[Detector]
) -> None:
    """Raise unless the models know the same classes and the detector gives the landmarks that are needed."""
    for choice in choices[1:]:
        if choice.classes != choices[0].classes:
            raise OptionError(
                "models that are averaged must know the same classes in one order: "
                f"{', '.join(choices[0].classes)} and {', '.join(choice.classes)}"
            )
    aligned = ["aligned crops"] if any(model.crop.align for model in models) else []
    wants = [*rules.landmark_rules(), *aligned]
    if wants and not detector.has_landmarks:
        raise OptionError(f"{' and '.join(wants)}: {detector.name!r} gives no landmarks; use yunet or mtcnn")


def select_faces(photo: ScannedPhoto[Name], rules: FilterRules) -> Selection:
    """Choose the faces of a photo by the rules; one that cannot be read has none."""
    if isinstance(photo.image, ImageError):
        return Selection((), ())
    return choose_faces(photo.image, photo.faces, rules)
