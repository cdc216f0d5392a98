"""The faces of a photo as a drawing that lies over its picture: frames in their expressions' colours, with numbers."""

from __future__ import annotations

from emonet.album.entry import Entry
from emonet.html.page import Html, join, tag
from facecrop.face import Box

# Pixels on the screen, about.
SIDE = 320  # of a photo, the longer one
MARK = 17  # the height of a number's field
LETTERS, LETTER = 12, 7  # a digit's height and width
LEFT_OUT = "left-out"


def marks(entry: Entry) -> Html:
    """In pixels of the photo; numbers are about as large on the screen whatever its size, and lie above all frames."""
    pixel = max(entry.width, entry.height) / SIDE  # of the screen, in those of the photo
    faces = [(_inside(said.box, entry), said.emotion.value) for said in entry.result.predictions]
    others = [_inside(rejection.face.box, entry) for rejection in entry.result.rejections if rejection.face]
    return tag(
        "svg",
        *(_frame(box, LEFT_OUT) for box in others),
        *(join(_frame(box, "rim"), _frame(box, emotion)) for box, emotion in faces),
        *(_number(place, box, emotion, pixel, entry) for place, (box, emotion) in enumerate(faces, start=1)),
        aria_hidden="true",
        viewBox=f"0 0 {entry.width} {entry.height}",
    )


def _inside(box: Box, entry: Entry) -> Box:
    """The part of a box that lies in the photo."""
    x1, y1, x2, y2 = box
    return _limited(x1, entry.width), _limited(y1, entry.height), _limited(x2, entry.width), _limited(y2, entry.height)


def _limited(value: float, most: float) -> float:
    return max(0.0, min(value, most))


def _frame(box: Box, kind: str) -> Html:
    x1, y1, x2, y2 = box
    return _rectangle(x1, y1, x2 - x1, y2 - y1, kind)


def _number(number: int, box: Box, kind: str, pixel: float, entry: Entry) -> Html:
    """Above the frame's left corner, or in it where the photo ends."""
    text = str(number)
    width, height = pixel * (MARK + LETTER * (len(text) - 1)), pixel * MARK
    x, y = _limited(box[0], entry.width - width), _limited(box[1] - height, entry.height - height)
    middle = {"x": f"{x + width / 2:.1f}", "y": f"{y + height / 2:.1f}"}
    return join(
        _rectangle(x, y, width, height, f"field {kind}"),
        tag("text", text, **middle, font_size=f"{pixel * LETTERS:.1f}"),
    )


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> Html:
    return tag("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", class_=kind)
