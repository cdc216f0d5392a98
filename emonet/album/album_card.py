"""A photo in the album: its picture with the faces marked, what was said of each, and what was left out and why."""

from __future__ import annotations

from collections.abc import Sequence

from emonet.album.album_marks import marks
from emonet.album.entry import Entry
from emonet.html.page import Html, bar, code, join, percent, photo, tag
from emonet.prediction import Prediction
from emonet.prediction.table import UNREADABLE
from facecrop import Rejection
from facecrop.errors import printable

FACELESS = "no_face"  # beside expressions and UNREADABLE, what a photo is found as
LEAST = 0.05  # of a class that has a bar
OPENED = 3  # faces of which all classes are shown, and reasons: of more only when they are asked for


def card(entry: Entry) -> Html:
    """`data-holds` is what the album's script goes by: for each face its expression and how sure that is."""
    result, name = entry.result, printable(entry.path)
    opened = len(result.predictions) <= OPENED
    return tag(
        "article",
        _picture(entry) if entry.thumbnail else "",
        tag("p", code(name), class_="name"),
        *(_face(number, said, opened) for number, said in enumerate(result.predictions, start=1)),
        _reasons([_left_out(rejection) for rejection in result.rejections]),
        _reasons([result.error.reason] if result.error else []),
        aria_label=name,
        data_holds=" ".join(_holds(entry)),
    )


def kinds(entry: Entry) -> set[str]:
    """What a photo is found as."""
    if entry.result.error is not None:
        return {UNREADABLE}
    return {said.emotion.value for said in entry.result.predictions} or {FACELESS}


def _holds(entry: Entry) -> list[str]:
    return [f"{said.emotion}={said.confidence:.6f}" for said in entry.result.predictions] or list(kinds(entry))


def _picture(entry: Entry) -> Html:
    faces = [said.emotion.value for said in entry.result.predictions]
    words = f"photo; its faces from left to right: {', '.join(faces)}" if faces else "photo without a marked face"
    shape = f"aspect-ratio:{max(1.0, entry.width / entry.height):.4f}"  # upright ones have a square
    return tag("div", photo(entry.thumbnail, words, loading="lazy"), marks(entry), class_="photo", style=shape)


def _face(number: int, prediction: Prediction, opened: bool) -> Html:
    """Its expression and, as long as it is open, the other classes, most probable first."""
    (emotion, confidence), *others = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    rare = [f"{other} {percent(share)}".replace(" ", "\u00a0") for other, share in others if share < LEAST]
    return tag(
        "details",
        tag("summary", tag("b", number, class_=emotion), _row(emotion, confidence)),
        *(tag("div", _row(other, share)) for other, share in others if share >= LEAST),
        tag("p", ", ".join(rare), class_="soft") if rare else "",
        class_="face",
        open="" if opened else None,
    )


def _row(emotion: str, share: float) -> Html:
    return join(tag("span", emotion), bar(share, emotion), tag("span", percent(share), class_="number"))


def _left_out(rejection: Rejection) -> str:
    if rejection.face is None:
        return rejection.detail
    return f"a face was left out, {rejection.reason.replace('_', ' ')}: {rejection.detail}"


def _reasons(lines: Sequence[str]) -> Html:
    found = join(*(tag("p", line, class_="why soft") for line in lines))
    if len(lines) <= OPENED:
        return found
    return tag("details", tag("summary", f"{len(lines)} faces left out (dashed)"), found)
