"""Adapt a model to own labelled faces: find them, learn a new head, judge it, and add it to the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emonet.adapting.faces import OwnFaces, cut_faces, find_groups, join_faces, leave_out_rare, read_own_faces
from emonet.adapting.features import compute_features, find_last_layer
from emonet.adapting.fitting import Examples, make_own_layer
from emonet.adapting.head import BEFORE, add_head, check_name, leave_out_added, list_added, read_last_layer
from emonet.adapting.judging import Judgement, fit_head, judge, restrict
from emonet.adapting.labelled import find_labelled_photos
from emonet.adapting.options import AdaptOptions
from emonet.datasets.store.layout import DESCRIPTION
from emonet.errors import OptionError
from emonet.evaluation.intervals import Clusters
from emonet.heads import HeadChoice
from emonet.inference import load_model
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.model_file import fits_half
from emonet.labels import Emotion
from emonet.prediction import EmotionPredictor

Place = str | os.PathLike[str]
Showing = Callable[[int], AbstractContextManager[Callable[[int], None]]]  # of a number of photos


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """A model with a new head, and how well the head answers.

    Attributes:
        model: The model with the new head, which answers by default.
        judgement: The figures before and after.
        base: How the model answered before, without heads of earlier adaptations.
        faces: What the head learned from.
        clusters: Which faces were kept in one fold.
        remarks: What one has to know to read the figures.
    """

    model: Checkpoint
    judgement: Judgement
    base: HeadChoice
    faces: OwnFaces
    clusters: Clusters
    remarks: tuple[str, ...]

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the new head."""
        return self.model.heads[-1].classes

    def save(self, path: Place) -> None:
        """Write the model file, with 16 bits for a weight if the model that it was made from has no more.

        Args:
            path: The file.
        """
        self.model.save(path, half=fits_half(self.model.weights))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return {
            "head": self.model.heads[-1].to_dict(),
            "prior": self.model.default_prior,
            BEFORE: {"head": self.base.head, "prior": self.base.prior},
            "faces": len(self.faces),
            "people": self.faces.person_count or None,
            "left_out": self.faces.left_out,
            "better": self.judgement.is_better,
            **self.judgement.to_dict(),
            "remarks": list(self.remarks),
        }


def adapt(
    places: Place | Sequence[Place],
    options: AdaptOptions | None = None,
    *,
    labels: Place | None = None,
    showing: Showing = lambda _: nullcontext(lambda _: None),
) -> Adapted:
    """Give a model a new head that learns from your own labelled photos.

    The network stays as it is: only rows are added to its last layer. Save what comes out with `.save(path)`.

    Args:
        places: Folders of photos in folders named after expressions, tables of path,label[,subject], or data sets that
            `emonet build` wrote.
        options: The model, the name of the head, and how it is judged.
        labels: A table of path,label[,subject] for a single folder of photos.
        showing: Opens a progress bar.

    Returns:
        The model, and what its head scored in cross-validation beside the model as it was.

    Raises:
        OptionError: There are too few faces, or the network cannot be adapted.
        MissingFileError: There is no such folder or table.
        DatasetError: A table or data set cannot be read.

    Examples:
        >>> from emonet.adapting import adapt
        >>> adapted = adapt("friends")  # doctest: +SKIP
        >>> adapted.judgement.before.accuracy, adapted.judgement.after.accuracy  # doctest: +SKIP
        (0.61, 0.74)
        >>> adapted.save("own.safetensors")  # doctest: +SKIP
    """
    options = options or AdaptOptions()
    base = load_model(options.model)
    check_name(base, options.name)
    layer = find_last_layer(base.network(), base)
    faces = _gather([Path(place) for place in _as_list(places)], base, options, labels, showing)
    return _learn(leave_out_rare(faces), base, layer, options)


def _as_list(places: Place | Sequence[Place]) -> list[Place]:
    found = [places] if isinstance(places, str | os.PathLike) else list(places)
    if not found:
        raise OptionError("places must be a folder of labelled photos or several, got none")
    return found


def _gather(
    places: Sequence[Path], base: Checkpoint, options: AdaptOptions, table: Place | None, showing: Showing
) -> OwnFaces:
    """Read the faces of all places."""
    stores = [place for place in places if (place / DESCRIPTION).is_file()]
    if table is not None and (len(places) != 1 or stores or not places[0].is_dir()):
        raise OptionError("--labels names the photos of one folder: give that folder alone")
    labels = None if table is None else Path(table)
    photos = [place for place in places if place not in stores]
    found = [find_labelled_photos(place, labels, confirmed=options.confirmed) for place in photos]
    parts = [read_own_faces(place, base) for place in stores]
    if found:
        predictor = EmotionPredictor(base, detector=options.detector, device=options.device)
        with showing(sum(len(one.names) for one in found)) as advance:
            parts += [cut_faces(one, predictor, advance) for one in found]
    faces = join_faces(parts)
    if options.people == "none" and faces.people:
        faces = replace(faces, people="", subjects=("",) * len(faces))
    return faces


def _learn(faces: OwnFaces, base: Checkpoint, layer: str, options: AdaptOptions) -> Adapted:
    """Learn a head from faces, judge it, and add it to the model."""
    classes = tuple(emotion for emotion in Emotion if emotion in faces.labels)
    prior = options.prior or base.default_prior
    faces, remarks = _look_at_people(faces)
    clusters = find_groups(faces)
    features = compute_features(base, layer, faces.pixels, open_machine(options.device, "fp32"))
    rows, choice = read_last_layer(base, layer), leave_out_added(base)
    labels = np.array([classes.index(emotion) for emotion in faces.labels], np.int64)
    examples = Examples(features.values, labels, make_own_layer(rows, choice, classes))
    before = restrict(choice, features.probabilities, classes)
    said = [choice.classes[place] for place in choice(features.probabilities).argmax(1)]
    rightly = float(np.mean([one == label for one, label in zip(said, faces.labels, strict=True)]))
    judgement = judge(examples, before, classes, clusters, prior, options.folds)
    new = fit_head(examples, judgement.penalty)
    remarks = [*(remarks or _remark_people(faces, classes)), *_remark(classes, choice, rightly, judgement)]
    if added := list_added(base):
        remarks.append(f"{', '.join(added)} may have learned from these faces: before is what the other heads answer")
    about = {  # without the names of photos and people: model files are passed on
        "from": Path(options.model).name,
        "identity": base.identity,
        "head": options.name,
        BEFORE: {"head": choice.head, "prior": choice.prior},
        "faces": {str(emotion): count for emotion, count in faces.count().items()},
        "people": faces.person_count or None,
        "data": list(faces.data),
        "judgement": judgement.to_dict(),
        "remarks": remarks,
    }
    model = add_head(base, layer, new, options.name, classes, examples.shares.tolist(), prior, about)
    return Adapted(model, judgement, choice, faces, clusters, (*faces.remarks, *remarks))


def _look_at_people(faces: OwnFaces) -> tuple[OwnFaces, list[str]]:
    """Forget people where there is only one, for folds cannot be divided by person then."""
    if faces.person_count == 1 and all(faces.subjects):
        alone = replace(faces, subjects=("",) * len(faces))
        return alone, ["all faces are of one person: the figures hold for this person alone"]
    return faces, []


def _remark_people(faces: OwnFaces, classes: Sequence[Emotion]) -> list[str]:
    """Say what is not known of people, and what that does to the figures."""
    if not faces.person_count:
        return [
            "who is in the photos is not known: other photos of the same people are in other folds, which flatters the "
            "new head; a column subject, or folders such as happy/anna, say who it is"
        ]
    unnamed = faces.subjects.count("")
    remarks = [f"of {unnamed:,} of the {len(faces):,} faces the person is not known"] if unnamed else []
    alone = [emotion for emotion in classes if len(_list_people(faces, emotion)) == 1]
    return remarks + [f"{emotion} is of one person alone: it is never learned from others" for emotion in alone]


def _remark(classes: Sequence[Emotion], base: HeadChoice, rightly: float, judgement: Judgement) -> list[str]:
    """Say what one has to know of the model as it was, and of chance."""
    remarks = []
    if unknown := [str(emotion) for emotion in classes if emotion not in base.classes]:
        remarks.append(f"before, the model could not answer {', '.join(unknown)}")
    if set(base.classes) != set(classes):
        remarks.append(f"before, with all its own classes, the model answered {rightly:.1%} of these faces rightly")
    if rightly < 1 / len(classes):
        remarks.append(
            "the model answered hardly any of these faces rightly: if they were chosen because it was wrong, as an "
            "album's corrections are, before is too low, and the head learns from mistakes alone; add faces that were "
            "answered rightly, or look through the whole album and give --confirmed"
        )
    if judgement.gain > 0 and not judgement.is_certain:
        low, high = judgement.interval.ends
        remarks.append(
            f"the gain of {judgement.gain:+.1%} may be chance: it lies from {low:+.1%} to {high:+.1%} "
            f"({judgement.interval.method})"
        )
    return remarks


def _list_people(faces: OwnFaces, emotion: Emotion) -> set[str]:
    people = zip(faces.labels, faces.subjects, faces.keys, strict=True)
    return {subject or key for label, subject, key in people if label == emotion}
