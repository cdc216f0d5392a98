"""Own labelled faces as the network sees them: cut out of photos as in prediction, or read from a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.adapting.labelled import LabelledPhotos
from emonet.album.labelled import FaceLabel
from emonet.album.photos import list_sources
from emonet.datasets.curation.duplicates import find_near_pairs, join_groups, perceptual_hash
from emonet.datasets.store import open_store
from emonet.datasets.store.leaks import LEARNED
from emonet.errors import OptionError
from emonet.evaluation.intervals import Clusters, name_clusters
from emonet.evaluation.remarks import list_learned_sources
from emonet.faces import read_faces
from emonet.inference.checkpoint import Checkpoint
from emonet.labels import Emotion
from emonet.models.inputs import Pixels
from emonet.prediction import EmotionPredictor, PhotoResult
from emonet.prediction.inputs import make_pixels
from emonet.prediction.many import PhotoAnswer, answer_photos

NEAR = 0.9  # least correlation of the crops of a burst
LEAST = 5  # faces of a class: fewer cannot be cross-validated

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class OwnFaces:
    """Labelled faces as the network sees them.

    Attributes:
        pixels: (N, size, size, channels).
        labels: The expression of each face.
        keys: The photo, or the key in the data set, of each face.
        subjects: The person of each face; empty where that is not known.
        sequences: The film of each face that is a frame; empty for others.
        people: Where people are known from, in words; empty if they are not.
        left_out: Why something was left out -> its photos.
        remarks: What one has to know.
        data: The identities of the data sets that the faces were read from.
    """

    pixels: Pixels
    labels: tuple[Emotion, ...]
    keys: tuple[str, ...]
    subjects: tuple[str, ...]
    sequences: tuple[str, ...]
    people: str = ""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def person_count(self) -> int:
        """How many people are known."""
        return len(set(self.subjects) - {""})

    def count(self) -> Counter[Emotion]:
        """Count the faces of each expression."""
        return Counter(self.labels)

    def part(self, rows: Sequence[int]) -> OwnFaces:
        """Return some of the faces."""
        columns: Any = {name: tuple(getattr(self, name)[row] for row in rows) for name in COLUMNS}
        return replace(self, pixels=self.pixels[list(rows)], **columns)


COLUMNS = ("labels", "keys", "subjects", "sequences")


class _Cut(NamedTuple):
    """A label with the crop of its face, or with the reason why there is none."""

    key: str
    label: FaceLabel
    pixels: Pixels | None
    trouble: str


def cut_faces(photos: LabelledPhotos, predictor: EmotionPredictor, advance: Advance = lambda _: None) -> OwnFaces:
    """Find the labelled faces of photos, and cut them out as in prediction.

    Args:
        photos: The photos and their labels.
        predictor: What finds faces; crops are those of its first model.
        advance: Is called with the number of photos that are done.
    """
    model = predictor.models[0]

    def cut(answer: PhotoAnswer[str]) -> list[_Cut]:
        """Cut out the labelled faces while the photo is in memory."""
        key, image = str(answer.photo.name), answer.photo.image
        taken: dict[int, FaceLabel] = {}
        cuts: list[_Cut] = []
        for label, place in _place_labels(photos, key, answer.result):
            trouble = _find_trouble(answer.result, label, place, taken)
            pixels = None
            if not trouble and isinstance(image, np.ndarray):
                taken[place] = label
                pixels = make_pixels([(image, answer.drawn[place].face)], model)[0]
            cuts.append(_Cut(key, label, pixels, trouble))
        return cuts

    def watch(answers: Iterable[list[_Cut]]) -> Iterator[_Cut]:
        for cuts in answers:
            advance(1)
            yield from cuts

    sources = list_sources(photos.photos[name] for name in photos.names)
    cuts = list(watch(answer_photos(predictor, sources, cut)))
    left_out: dict[str, list[str]] = {}
    for one in cuts:
        if one.trouble:
            left_out.setdefault(one.trouble, []).append(one.key)
    kept = [one for one in cuts if one.pixels is not None]
    size, channels = model.input.size, model.input.channels
    return OwnFaces(
        pixels=np.array([one.pixels for one in kept], np.uint8).reshape(-1, size, size, channels),
        labels=tuple(one.label.emotion for one in kept),
        keys=tuple(one.key for one in kept),
        subjects=tuple(one.label.subject for one in kept),
        sequences=("",) * len(kept),
        people=photos.people,
        left_out=left_out,
        remarks=tuple(photos.remarks),
    )


def _place_labels(photos: LabelledPhotos, key: str, found: PhotoResult) -> Iterator[tuple[FaceLabel, int]]:
    """Yield the labels of a photo's faces, each with the place of its face among the predictions, or -1."""
    named = set()
    for label in photos.labels.get(key, ()):
        place = _find_place(label, found)
        named.add(place)
        yield label, place
    if photos.confirmed:
        named |= {_find_place(FaceLabel(Emotion.NEUTRAL, box), found) for box in photos.dropped.get(key, ())}
        for place, prediction in enumerate(found.predictions):
            if place not in named and not prediction.unsure:
                yield FaceLabel(prediction.emotion, prediction.box), place


def _find_place(label: FaceLabel, found: PhotoResult) -> int:
    face = label.find(found)
    return -1 if face is None else next(place for place, one in enumerate(found.predictions) if one is face)


def _find_trouble(found: PhotoResult, label: FaceLabel, place: int, taken: dict[int, FaceLabel]) -> str:
    """Say why a label gives no crop; nothing if it gives one."""
    if found.error is not None:
        return "cannot be read"
    if place < 0:
        return "no face that will do" if label.box is None else "no face where the label has its box"
    if place in taken:
        return "labelled twice" if taken[place].emotion == label.emotion else "labelled twice, and differently"
    return ""


def read_own_faces(folder: Path, model: Checkpoint) -> OwnFaces:
    """Read the splits train and dev of a data set that `emonet build` wrote.

    Raises:
        OptionError: The data set has neither split.
        DatasetError: The data set cannot be read.
    """
    store = open_store(folder)
    splits = [split for split in LEARNED if split in store.splits]
    if not splits:
        raise OptionError(f"{folder} has neither a split train nor dev: only these are learned from")
    faces = read_faces(store, splits, model.input, storage="memory")
    subjects = [] if faces.subjects is None else faces.subjects.tolist()
    sequences = [] if faces.sequences is None else faces.sequences.tolist()
    named = [f"{source}/{subject}" if subject else "" for source, subject in zip(faces.sources, subjects, strict=True)]
    remarks = [*_remark_learned(model, {*faces.sources.tolist()})]
    if (store.crop.margin, store.crop.align) != (model.crop.margin, model.crop.align):
        remarks.append("the faces of the data set were cropped differently from those that the model learned from")
    return OwnFaces(
        pixels=faces.array,
        labels=tuple(faces.classes[place] for place in faces.labels),
        keys=tuple(faces.keys),
        subjects=tuple(named),
        sequences=tuple(sequences),
        people="the data set" if any(named) else "",
        remarks=tuple(remarks),
        data=(store.identity,),
    )


def _remark_learned(model: Checkpoint, sources: set[str]) -> Iterator[str]:
    """Say whether the model itself learned from images of these data sets."""
    learned = list_learned_sources(model)
    if learned is None:
        yield "whether the model learned from the images of the data set is not known: if so, both figures are too high"
    elif known := sorted(sources.intersection(learned)):
        yield f"the model learned from {', '.join(known)}, perhaps from these images: both figures may be too high"


def join_faces(parts: Sequence[OwnFaces]) -> OwnFaces:
    """Join faces of several places."""
    columns = {name: tuple(value for part in parts for value in getattr(part, name)) for name in COLUMNS}
    left_out: dict[str, list[str]] = {}
    for part in parts:
        for reason, names in part.left_out.items():
            left_out.setdefault(reason, []).extend(names)
    people = " and ".join(dict.fromkeys(part.people for part in parts if part.people))
    remarks = tuple(remark for part in parts for remark in part.remarks)
    pixels = np.concatenate([part.pixels for part in parts])
    data = tuple(identity for part in parts for identity in part.data)
    return OwnFaces(pixels, people=people, left_out=left_out, remarks=remarks, data=data, **columns)


def leave_out_rare(faces: OwnFaces) -> OwnFaces:
    """Leave out the classes with fewer than LEAST faces.

    Raises:
        OptionError: Fewer than two classes remain.
    """
    counts = faces.count()
    rare = {emotion: count for emotion, count in counts.items() if count < LEAST}
    words = ", ".join(f"{emotion} {counts[emotion]:,}" for emotion in Emotion if emotion in counts) or "none"
    if len(counts) - len(rare) < 2:
        raise OptionError(
            f"a head needs at least {LEAST} faces of each of two expressions or more; there are: {words}"
            + "".join(f"; {len(names):,} left out: {reason}" for reason, names in faces.left_out.items())
        )
    if not rare:
        return faces
    remarks = [
        f"{emotion} is left out: it has {counts[emotion]} of the {LEAST} faces that a class needs"
        for emotion in Emotion
        if emotion in rare
    ]
    kept = [row for row, emotion in enumerate(faces.labels) if emotion not in rare]
    return replace(faces.part(kept), remarks=(*faces.remarks, *remarks))


def find_groups(faces: OwnFaces) -> Clusters:
    """Find which faces are never divided: those of a person, of a film, or of a burst where neither is known."""
    sequences: list[str | None] = list(faces.sequences)
    rows = [row for row in range(len(faces)) if not faces.subjects[row] and not sequences[row]]
    for row, first in zip(rows, _join_near(faces.pixels[rows]), strict=True):
        sequences[row] = first
    return name_clusters([""] * len(faces), [*faces.subjects], sequences, [str(row) for row in range(len(faces))])


def _join_near(pixels: Pixels) -> list[str]:
    """Name the group of near copies of each crop; empty for those that are alone."""
    images = np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    hashes = np.array([perceptual_hash(image) for image in images], np.uint64)

    def pick(places: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        return (images[place] for place in places)

    pairs = find_near_pairs(hashes, pick, NEAR) if len(images) > 1 else []
    first = (
        join_groups(len(images), [(pair.first, pair.second) for pair in pairs]) if len(images) else np.array([], int)
    )
    sizes = Counter(first.tolist())
    return [f"burst {group}" if sizes[group] > 1 else "" for group in first.tolist()]
