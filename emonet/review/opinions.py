"""A second opinion on each label: the probabilities of a model, or of networks that did not learn from the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import Store
from emonet.datasets.store.leaks import LEARNED
from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.evaluation.answers import ANSWERS, METADATA, read_answers
from emonet.evaluation.remarks import list_learned_sources
from emonet.faces import read_faces
from emonet.heads import MEAN, HeadChoice, list_answers, sizes
from emonet.labels import Emotion
from emonet.review.faces import FaceList
from emonet.training.teacher_labels import TEACHER_LABELS, load_teacher_labels

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint

PIECE = 1024  # images that are classified between two calls of `watch`

Watch = Callable[[int], None]  # called with how many images were classified
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SecondOpinion:
    """What a model says of each face.

    Attributes:
        probabilities: Of each class of the data set (N, classes); NaN in the rows of faces without an answer.
        name: Who says so, for people.
        remarks: What one has to know, above all whether the model learned from these images.
        features: What the network's last layer is given (N, features); None if no network was run.
    """

    probabilities: Floats
    name: str
    remarks: tuple[str, ...] = ()
    features: Floats | None = None


def ask_model(
    checkpoint: Checkpoint, store: Store, faces: FaceList, *, name: str, head: str = "", watch: Watch | None = None
) -> SecondOpinion:
    """Classify all faces of a data set, and keep the features of each.

    Args:
        checkpoint: The model.
        store: The data set.
        faces: Its faces.
        name: The name of the model, for people.
        head: The head that answers; the default of the model if empty.
        watch: Called with the number of images of each piece that is done.
    """
    import torch

    from emonet.heads import softmax_heads
    from emonet.inference import open_machine
    from emonet.inference.torch_classifier import images_as_tensor
    from emonet.review.features import recording_features

    choice, machine = checkpoint.choice(head), open_machine()
    network = checkpoint.network().to(machine.device)
    pixels = read_faces(store, list(store.splits), checkpoint.input).array
    answers, features = [], []
    with torch.inference_mode(), recording_features(network) as take, machine.autocast():
        for start in range(0, len(pixels), PIECE):
            x = checkpoint.input.scale(images_as_tensor(pixels[start : start + PIECE]).to(machine.device))
            logits = network(x.contiguous(memory_format=torch.channels_last))
            answers.append(softmax_heads(logits.float(), sizes(checkpoint.heads)).cpu().numpy())
            features.append(take())
            if watch:
                watch(len(x))
    own = choice(np.concatenate(answers))
    remarks = _remark_on_learning(checkpoint, faces)
    return SecondOpinion(_align(own, choice.classes, faces.classes), name, remarks, np.concatenate(features))


def read_opinion(path: Path, faces: FaceList, head: str = "") -> SecondOpinion:
    """Read the probabilities that another command wrote.

    Args:
        path: answers.parquet of `emonet evaluate` or `emonet protocol`, teacher_labels.parquet of `emonet train
            --out-of-fold`, or the folder of either.
        faces: The faces of the data set.
        head: The head that answers; of several the mean if empty.

    Raises:
        MissingFileError: There is no such file.
        DatasetError: The file holds something else, or answers to none of the faces.
    """
    file = _find_file(path)
    opinion = _read_answers(file, faces, head) if _holds_answers(file) else _read_teacher_labels(file, faces, head)
    answered = int(np.isfinite(opinion.probabilities).all(1).sum())
    if not answered:
        raise DatasetError(file, "answers to none of the images of this data set: their keys differ")
    if answered < len(faces):
        missing = f"{len(faces) - answered:,} of {len(faces):,} faces have no answer in {file.name}, and are last"
        opinion = replace(opinion, remarks=(*opinion.remarks, missing))
    return opinion


def _find_file(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise MissingFileError(f"no such file: {path}")
        return path
    for name in (TEACHER_LABELS, ANSWERS):
        if (path / name).is_file():
            return path / name
    raise MissingFileError(f"neither {TEACHER_LABELS} nor {ANSWERS} in {path}")


def _holds_answers(file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return METADATA in (pq.read_schema(file).metadata or {})
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(file, f"cannot be read as Parquet: {error}") from error


def _read_answers(file: Path, faces: FaceList, head: str) -> SecondOpinion:
    answers = read_answers(file)
    view = answers.views[-1]
    classes = answers.about["heads"][head] if head in answers.about["heads"] else answers.classes(view)
    aligned = _align(answers.probabilities(view, head), tuple(map(Emotion, classes)), faces.classes)
    remarks: tuple[str, ...] = ()
    if "protocol" not in answers.about and {*answers.column("split")} & set(LEARNED):
        remarks = ("the model may have learned from images of train and dev: it defends the labels that it memorised",)
    return SecondOpinion(_spread(answers.keys, aligned, faces.keys), answers.name, remarks)


def _read_teacher_labels(file: Path, faces: FaceList, head: str) -> SecondOpinion:
    try:
        labels = load_teacher_labels(file)
    except OptionError as error:
        raise DatasetError(file, f"holds neither answers nor teacher labels: {error}") from error
    answers = list_answers(labels.heads)
    choice = HeadChoice(labels.heads, head or (MEAN if MEAN in answers else answers[0]))
    aligned = _align(choice(labels.answers), choice.classes, faces.classes)
    return SecondOpinion(
        _spread(labels.keys, aligned, faces.keys), f"out-of-fold {labels.about.get('model', file.name)}"
    )


def _align(probabilities: Floats, classes: Sequence[Emotion], wanted: Sequence[Emotion]) -> Floats:
    """Return the probabilities of the classes of the data set, scaled to a sum of 1; 0 for those without an answer."""
    aligned = np.zeros((len(probabilities), len(wanted)), np.float32)
    for place, emotion in enumerate(wanted):
        if emotion in classes:
            aligned[:, place] = probabilities[:, list(classes).index(emotion)]
    total = aligned.sum(1, keepdims=True)
    shares = np.divide(aligned, total, out=np.full_like(aligned, np.nan), where=total > 0)
    return np.asarray(shares, np.float32)


def _spread(keys: Sequence[str], probabilities: Floats, wanted: Sequence[str]) -> Floats:
    """Return the probabilities of each face, averaged where it was answered several times."""
    place = {key: number for number, key in enumerate(wanted)}
    rows = np.array([place.get(key, -1) for key in keys], np.int64)
    there = (rows >= 0) & np.isfinite(probabilities).all(1)
    total, count = np.zeros((len(wanted), probabilities.shape[1])), np.zeros((len(wanted), 1))
    np.add.at(total, rows[there], probabilities[there])
    np.add.at(count, rows[there], 1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0).astype(np.float32)


def _remark_on_learning(checkpoint: Checkpoint, faces: FaceList) -> tuple[str, ...]:
    learned = list_learned_sources(checkpoint)
    known = np.isin(faces.splits, LEARNED)
    known = known if learned is None else known & np.isin(faces.sources, learned)
    if not known.any():
        return ()
    return (
        f"the model may have learned from {int(known.sum()):,} of the {len(faces):,} images, in train and dev: there "
        "it defends the labels that it memorised, and fewer wrong ones are found. `emonet train --out-of-fold` makes "
        "answers of networks that did not learn from the image they answer to; give them with --answers",
    )
