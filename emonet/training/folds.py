"""A network for each fold of the training pictures, which learns from all other folds; and soft labels of them all.

The soft labels of a fold are the probabilities of the network that did not learn from it, so they do not repeat what a
network has memorised. The epoch is chosen on dev, never on the fold. Pictures of dev get the mean of all networks; with
all_train they are learned from and belong to folds, as all others do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.models import model_class
from emonet.training.config import TrainConfig
from emonet.training.ensemble import average
from emonet.training.material import folds_of, without_fold
from emonet.training.scoring import score_dev
from emonet.training.session import LABELS, Session
from emonet.training.single import train_single
from emonet.training.teacher_labels import TeacherLabels

NO_FOLD = -1  # of pictures that no network learned from


def train_folds(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train the networks, write the soft labels, and give the average of the networks."""
    if model_class(config.model).fit == "memorise":
        raise OptionError(f"{config.model} memorises pictures: out_of_fold wants a network that learns in steps")
    train, dev = session.material.train, session.material.dev
    folds = folds_of(train, config)
    networks: list[Checkpoint] = []
    labelled: list[tuple[Faces, int, NDArray[np.float32]]] = []
    for fold in sorted(set(folds.tolist()) - {NO_FOLD}):
        networks.append(_train_without(fold, session, config, folder))
        held_out = train.part(folds == fold)
        labelled.append((held_out, fold, _ask(networks[-1], held_out, session, config)))
        _note_scores(*labelled[-1], session)
    if dev is not None:
        of_all = np.stack([_ask(network, dev, session, config) for network in networks])
        labelled.append((dev, NO_FOLD, of_all.mean(0)))
    labels = _join(labelled, session, config)
    if session.processes.first:
        labels.save(folder / LABELS)
    checkpoint = average(session, config, networks)
    training = {**checkpoint.training, "teacher_labels": len(labels.keys)}
    return session.write(folder, replace(checkpoint, training=training))


def _train_without(fold: int, session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train one network on all folds but one."""
    single = replace(config, out_of_fold=False, label_view=TrainConfig().label_view, leave_out=fold)
    part = replace(session, material=without_fold(session.material, single))
    session.watch.note(f"without fold {fold}: {part.material.words()}")
    return train_single(part, single, folder / f"fold-{fold}")


def _ask(network: Checkpoint, faces: Faces, session: Session, config: TrainConfig) -> NDArray[np.float32]:
    """Give a network's probabilities for pictures; each process asks it about its share."""
    processes = session.processes
    classify = open_classifier(network, session.machine, config.label_view)
    return processes.gathered(classify(faces.pixels[processes.rank :: processes.count]), len(faces))


def _note_scores(faces: Faces, fold: int, answers: NDArray[np.float32], session: Session) -> None:
    scores = score_dev(answers, faces, session.material.heads)
    parts = {"labels": scores.labels, "votes": scores.seen}
    words = ", ".join(f"{part.accuracy:.2%} of {part.n:,} {name}" for name, part in parts.items() if part is not None)
    session.watch.note(f"fold {fold}, not learned from: {words}")


def _join(
    labelled: Sequence[tuple[Faces, int, NDArray[np.float32]]], session: Session, config: TrainConfig
) -> TeacherLabels:
    return TeacherLabels(
        keys=[key for faces, _, _ in labelled for key in faces.keys],
        folds=np.concatenate([np.full(len(faces), fold) for faces, fold, _ in labelled]),
        answers=np.concatenate([answers for _, _, answers in labelled]),
        heads=session.material.stored_heads(config),
        about={
            "model": config.model,
            "arguments": dict(config.arguments),
            "store": session.store.identity,
            "view": config.label_view,
            "sources": sorted(set(session.material.train.sources.tolist())),
        },
    )
