"""Entries for albums, made up: photos of one grey, with faces that are said to be there."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from emonet.album.entry import Entry
from emonet.labels import Emotion
from emonet.prediction import PhotoResult, Prediction
from facecrop import Face, ImageError

CLASSES = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
SIZE_WH = (640, 480)
BOX = (100, 120, 200, 250)


def thumbnail():
    data = BytesIO()
    Image.new("RGB", (4, 3), "grey").save(data, "JPEG")
    return data.getvalue()


THUMBNAIL = thumbnail()


def said(emotion, confidence, box=BOX, rest="neutral"):
    """A face of which all that is not the first expression is the second."""
    shares = dict.fromkeys(CLASSES, 0.0) | {Emotion(rest): 1 - confidence, Emotion(emotion): confidence}
    return Prediction(Face(box=box, score=1.0), shares)


def entry(path, *faces, rejections=(), size_wh=SIZE_WH):
    return Entry(path, *size_wh, PhotoResult(path, faces, tuple(rejections)), THUMBNAIL)


def unreadable(path, reason):
    return Entry(path, 0, 0, PhotoResult(path, error=ImageError(path, reason)))
