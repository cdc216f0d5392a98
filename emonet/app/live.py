"""The page of the camera, and what it is told about each frame."""

from __future__ import annotations

import base64
from typing import Any

from emonet.app.reader import AnsweredPhoto
from emonet.html.render import render_page
from emonet.prediction import EmotionPredictor
from emonet.prediction.inputs import make_pixels
from facecrop.images import Image

SCRIPTS = ("webpage_drawing.js", "webpage_results.js", "webpage_live.js", "app_live.js")
POLICY = {"connect-src": "'self'", "img-src": "blob:", "media-src": "blob:"}


def render_live(predictor: EmotionPredictor) -> str:
    """Render the page of the camera."""
    settings = {
        "crop": {"size": predictor.models[0].input.size},
        "answer": {"classes": [str(emotion) for emotion in predictor.classes]},
    }
    return render_page(
        "app_live.html.j2", script=SCRIPTS, more_policy=POLICY, title="Camera", sections={}, settings=settings
    )


def describe_frame(photo: AnsweredPhoto, predictor: EmotionPredictor) -> dict[str, Any]:
    """Collect what the page shows of each face: the crop that the network sees as bytes, grey or RGB, in base64."""
    faces = [
        {
            "box": one.box,
            "score": one.face.score,
            "probabilities": list(one.emotions.values()),
            "unsure": one.unsure,
            "crop": base64.b64encode(pixels.tobytes()).decode(),
        }
        for one, pixels in zip(photo.result.predictions, crop_as_seen(photo, predictor), strict=True)
    ]
    return {"faces": faces}


def crop_as_seen(photo: AnsweredPhoto, predictor: EmotionPredictor) -> list[Image]:
    """Crop the faces of a photo as the first network sees them: (size, size, 1 or 3)."""
    faces = [(photo.image, one.face) for one in photo.result.predictions]
    return list(make_pixels(faces, predictor.models[0])) if faces else []
