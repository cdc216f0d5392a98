"""How predictions show in a notebook: the crop of the face, and bars of its most probable classes."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from emonet.palette import EXPRESSIONS
from facecrop import CropSpec, Face, crop_face
from facecrop.images import Image, encode_jpeg

if TYPE_CHECKING:
    from emonet.prediction.prediction import PhotoResult, Prediction

THUMBNAIL = CropSpec(size=96, margin=0.2)
SHOWN = 3  # classes with a bar
SIDE, BAR = 72, 120  # pixels: of the crop, and of a full bar


def make_thumbnail(image: Image, face: Face) -> bytes:
    """Make the small JPEG of a face that a notebook shows."""
    return encode_jpeg(crop_face(image, face, THUMBNAIL))


def show_prediction(prediction: Prediction) -> str:
    """Write a prediction as HTML; the crop is there if the prediction knows it."""
    shares = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:SHOWN]
    doubt = f"unsure: {escape(prediction.unsure)}" if prediction.unsure else ""
    rows = "".join(
        f'<tr><td style="text-align:left">{emotion}</td><td style="text-align:left">'
        f'<div style="width:{max(1, round(share * BAR))}px;height:10px;background:{EXPRESSIONS[emotion]}"></div>'
        f"</td><td>{share:.0%}</td></tr>"
        for emotion, share in shares
    )
    return (
        f'<div style="display:inline-flex;gap:8px;align-items:center;margin:4px;opacity:{0.6 if doubt else 1}">'
        f"{_show_crop(prediction)}<div>{doubt}<table>{rows}</table></div></div>"
    )


def show_result(result: PhotoResult) -> str:
    """Write the result of a photo as HTML."""
    from facecrop.text import as_text

    heading = f"<p>{escape(as_text(result.source))}</p>"
    if result.error is not None:
        return f"{heading}<p>{escape(result.error.reason)}</p>"
    left_out = "".join(f"<p>{escape(one.detail)}</p>" for one in result.rejections)
    return heading + "".join(map(show_prediction, result.predictions)) + left_out


def _show_crop(prediction: Prediction) -> str:
    if not prediction.thumbnail:
        return ""
    data = b64encode(prediction.thumbnail).decode()
    return f'<img alt="the face" width="{SIDE}" height="{SIDE}" src="data:image/jpeg;base64,{data}">'
