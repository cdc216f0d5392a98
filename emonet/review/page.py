"""What the page of a review is given, as JSON: numbers of all faces are packed as base64 of arrays."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.ferplus import VOTES
from emonet.errors import OptionError
from emonet.html.render import render_page
from emonet.labels import Emotion
from emonet.review.crops import MOST_IN_SHEET, SHEET_COLUMNS, CropFile
from emonet.review.review import Review

MOST_IN_FILE = 3000  # faces of a page in one file
NONE = 255  # of a class in a byte
WORD = 65535  # the largest of 16 bits: None for a share
EMOTIONS = tuple(Emotion)
SCRIPTS = ("review_data.js", "rows.js", "review_rows.js", "review_side.js", "review.js")

Places = NDArray[np.int64]


def describe_review(review: Review, chosen: Places | None = None) -> dict[str, Any]:
    """Collect what the page shows.

    Args:
        review: The review.
        chosen: The faces to show, in the order in which they are numbered on the page; all if None.
    """
    faces = review.faces
    places = np.arange(len(faces)) if chosen is None else chosen
    rank = np.empty(len(faces), np.int64)
    rank[review.order] = np.arange(len(faces))
    return {
        "title": f"Review of {review.store.path.name}",
        "store": review.store.identity[:16],
        "emotions": [str(emotion) for emotion in EMOTIONS],
        "classes": [EMOTIONS.index(emotion) for emotion in faces.classes],
        "keys": [faces.keys[place] for place in places],
        "labels": _pack(_as_emotions(review, faces.labels)[places], np.uint8),
        "splits": _pack_names([faces.splits[place] for place in places]),
        "sources": _pack_names([faces.sources[place] for place in places]),
        "subjects": [faces.subjects[place] for place in places],
        "votes": _pack_votes([faces.votes[place] for place in places]),
        "order": _pack(np.argsort(rank[places], kind="stable"), np.uint32),
        "map": None if review.places is None else _pack_shares(review.places[places]),
        "sequences": list(_describe_sequences(review, places)),
        "copies": list(_describe_copies(review, places)),
        "decisions": [tuple(one) for one in review.decisions.since()],
        "earlier": [(key, kind, value) for (key, kind), value in review.earlier.items()],
        "columns": SHEET_COLUMNS,
        **_describe_opinion(review, places),
    }


def render_review(review: Review, data: dict[str, Any] | None = None) -> str:
    """Render the page.

    Args:
        review: The review.
        data: What the page holds itself; without it, it asks the server that it comes from.
    """
    images = "blob:" if data else "'self'"
    return render_page(
        "review.html.j2",
        script=SCRIPTS,
        more_policy={"img-src": images} if data else {"img-src": images, "connect-src": "'self'"},
        title=f"Review of {review.store.path.name}",
        sections={},
        remarks=review.remarks,
        has_opinion=review.opinion is not None,
        keys=[(number, str(emotion)) for number, emotion in enumerate(EMOTIONS, 1)],
        data=data,
    )


def write_review(review: Review, path: Path, limit: int = MOST_IN_FILE) -> int:
    """Write the page as one file, with the most doubtful faces in it.

    Decisions are kept in the browser, and its button saves them as corrections.csv.

    Args:
        review: The review.
        path: The HTML file.
        limit: How many faces it holds at most, up to 3,000.

    Returns:
        The number of faces in it.
    """
    if not 0 < limit <= MOST_IN_FILE:
        raise OptionError(f"a page in one file holds 1 to {MOST_IN_FILE:,} faces, got {limit:,}")
    chosen = review.order[:limit]
    crops = review.open_crops()
    data = describe_review(review, chosen)
    data |= {"sheets": list(_make_sheets(crops, chosen)), "sheet_size": MOST_IN_SHEET, "cell": crops.cell}
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(render_review(review, data), encoding="utf-8")
    return len(chosen)


def _make_sheets(crops: CropFile, chosen: Places) -> Any:
    for start in range(0, len(chosen), MOST_IN_SHEET):
        yield base64.b64encode(crops.make_sheet(chosen[start : start + MOST_IN_SHEET].tolist())).decode()


def _describe_opinion(review: Review, places: Places) -> dict[str, Any]:
    if review.opinion is None or review.quality is None:
        return {"opinion": None}
    quality = review.quality
    return {
        "opinion": review.opinion.name,
        "answers": _pack(_as_emotions(review, quality.answers)[places], np.uint8),
        "doubtful": _pack(quality.doubtful[places], np.uint8),
        "margin": _pack_shares(quality.margin[places]),
        "confidence": _pack_shares(quality.confidence[places]),
        "probabilities": _pack((np.nan_to_num(review.opinion.probabilities[places]) * 255).round(), np.uint8),
    }


def _as_emotions(review: Review, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn places among the classes into places among all expressions; -1 becomes NONE."""
    table = np.array([*(EMOTIONS.index(emotion) for emotion in review.faces.classes), NONE])
    return np.asarray(table[labels], np.int64)


def _describe_sequences(review: Review, places: Places) -> Any:
    """Yield the sequences of which all frames that are in the data set are shown."""
    shown = {place: number for number, place in enumerate(places.tolist())}
    for sequence in review.faces.sequences:
        if all(frame.face < 0 or frame.face in shown for frame in sequence.frames):
            frames = [(one.number, shown.get(one.face, -1), one.activation) for one in sequence.frames]
            yield {"key": sequence.key, "onset": sequence.onset, "frames": frames}


def _describe_copies(review: Review, places: Places) -> Any:
    shown = {place: number for number, place in enumerate(places.tolist())}
    for group in review.faces.copies:
        there = [shown[place] for place in group if place in shown]
        if len(there) > 1:
            yield there


def _pack(values: Any, kind: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _pack_shares(values: NDArray[np.floating]) -> str:
    """Pack numbers from 0 to 1 as 16 bits; NaN as the largest."""
    return _pack(np.where(np.isnan(values), WORD, (np.nan_to_num(values) * (WORD - 1)).round()), np.uint16)


def _pack_names(names: list[str]) -> dict[str, Any]:
    known = sorted(set(names))
    return {"names": known, "places": _pack([known.index(name) for name in names], np.uint8)}


def _pack_votes(votes: list[list[int] | None]) -> dict[str, Any] | None:
    if not any(votes):
        return None
    none = [0] * len(VOTES)
    return {"names": [str(name) for name in VOTES], "counts": _pack([one or none for one in votes], np.uint8)}
