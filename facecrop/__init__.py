"""Find faces in images, choose among them, and crop them. Knows nothing of expressions."""

from facecrop.cropping import CropSpec, crop_face
from facecrop.detectors import DETECTORS, find_faces, open_detector
from facecrop.detectors.protocol import Detector
from facecrop.errors import EmonetError, ImageError, MissingFileError, MissingPackageError, OptionError
from facecrop.face import Face
from facecrop.filtering import FilterRules, Reason, Rejection, Selection, choose_faces
from facecrop.folders import iter_images
from facecrop.images import Image, Source, read_image

__all__ = [
    "DETECTORS",
    "CropSpec",
    "Detector",
    "EmonetError",
    "Face",
    "FilterRules",
    "Image",
    "ImageError",
    "MissingFileError",
    "MissingPackageError",
    "OptionError",
    "Reason",
    "Rejection",
    "Selection",
    "Source",
    "choose_faces",
    "crop_face",
    "find_faces",
    "iter_images",
    "open_detector",
    "read_image",
]
