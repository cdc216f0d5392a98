"""Out-of-fold training: a network for each fold, which learns from all other folds and gives soft labels to its own.

So no soft label repeats what its network has memorised. The best epoch is chosen on dev, never on the fold. Images of
dev get the mean of all networks. With all_train, dev is learned from, and its images have folds as all others do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.faces import Faces
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.training.config import TrainConfig
from emonet.training.ensemble import average_members
from emonet.training.known import KNOWN, find_learned_sources
from emonet.training.material import find_folds, leave_out_fold
from emonet.training.scoring import classify_share, score_dev
from emonet.training.session import Session
from emonet.training.single import train_single
from emonet.training.teacher_labels import TEACHER_LABELS, TeacherLabels

NO_FOLD = -1  # of images that no network learned from


class _Labelled(NamedTuple):
    """Images, their fold, and the probabilities that they get."""

    faces: Faces
    fold: int
    answers: NDArray[np.float32]


def train_folds(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train a network for each fold, write the soft labels, and average the networks into one.

    Raises:
        OptionError: The network memorises images, or the folder holds another run.
    """
    about = session.describe(config)
    session.check_folder(folder, about["identity"])
    session.write_config(config, folder)
    train, dev = session.material.train, session.material.dev
    folds = find_folds(train, config)
    networks: list[Checkpoint] = []
    labelled: list[_Labelled] = []
    for fold in sorted(set(folds.tolist()) - {NO_FOLD}):
        networks.append(_train_without(fold, session, config, folder))
        held_out = train.part(folds == fold)
        labelled.append(_Labelled(held_out, fold, _ask(networks[-1], held_out, session, config)))
        _note_scores(labelled[-1], session)
    if dev is not None:
        of_all = np.stack([_ask(network, dev, session, config) for network in networks])
        labelled.append(_Labelled(dev, NO_FOLD, of_all.mean(0)))
    labels = _join_labels(labelled, session, config, about)
    if session.processes.first:
        labels.save(folder / TEACHER_LABELS)
    checkpoint = average_members(session, config, networks, about)
    training = {**checkpoint.training, "teacher_labels": len(labels.keys)}
    return session.write(folder, replace(checkpoint, training=training))


def _train_without(fold: int, session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train one network on all folds but one."""
    single = replace(config, out_of_fold=False, label_view=TrainConfig().label_view, leave_out=fold)
    part = replace(session, material=leave_out_fold(session.material, single))
    session.watch.note(f"without fold {fold}: {part.material.summarize()}")
    return train_single(part, single, folder / f"fold-{fold}")


def _ask(network: Checkpoint, faces: Faces, session: Session, config: TrainConfig) -> NDArray[np.float32]:
    """Compute a network's probabilities; each process computes its share."""
    processes = session.processes
    classify = open_classifier(network, session.machine, config.label_view)
    return processes.gather(classify_share(classify, faces.pixels, processes), len(faces))


def _note_scores(labelled: _Labelled, session: Session) -> None:
    scores = score_dev(labelled.answers, labelled.faces, session.material.heads)
    parts = {"labels": scores.labels, "votes": scores.seen}
    words = ", ".join(f"{part.accuracy:.2%} of {part.n:,} {name}" for name, part in parts.items() if part is not None)
    session.watch.note(f"fold {labelled.fold}, not learned from: {words}")


def _join_labels(
    labelled: Sequence[_Labelled], session: Session, config: TrainConfig, about: Mapping[str, Any]
) -> TeacherLabels:
    return TeacherLabels(
        keys=[key for part in labelled for key in part.faces.keys],
        folds=np.concatenate([np.full(len(part.faces), part.fold) for part in labelled]),
        answers=np.concatenate([part.answers for part in labelled]),
        heads=session.material.make_stored_heads(config),
        about={
            "model": config.model,
            "arguments": dict(config.arguments),
            "store": session.store.identity,
            "view": config.label_view,
            "sources": find_learned_sources(session.material),
            **{name: about[name] for name in KNOWN if name in about},
        },
    )
