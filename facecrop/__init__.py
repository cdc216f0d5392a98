"""Find faces, decide whether they will do, cut them out. Knows nothing of expressions."""

from facecrop.cropping import CropSpec, crop_face
from facecrop.detectors import DETECTORS, open_detector
from facecrop.errors import ImageError
from facecrop.face import Face
from facecrop.filtering import FilterRules, Reason, Rejection, Selection, choose_faces
from facecrop.folders import iter_images
from facecrop.images import read_image

__all__ = [
    "DETECTORS",
    "CropSpec",
    "Face",
    "FilterRules",
    "ImageError",
    "Reason",
    "Rejection",
    "Selection",
    "choose_faces",
    "crop_face",
    "iter_images",
    "open_detector",
    "read_image",
]
