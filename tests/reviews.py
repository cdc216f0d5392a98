"""Small reviews for tests: a data set of FER2013's kind and sequences of CK+'s kind, with answers that are made up."""

from __future__ import annotations

import imitations
import numpy as np
import trainings

from emonet.heads import Head
from emonet.review import ReviewOptions, open_review
from emonet.training.teacher_labels import TeacherLabels

WRONG = {"fer2013/fer0000003": "sad", "fer2013/fer0000010": "fear", "fer2013/fer0000000": "happy"}  # key -> answer


def write_answers(store, path, wrong=WRONG, left_out=()):
    """Write teacher labels that are sure of every label but of some, about which they are the less sure the later."""
    keys = [key for split in store.splits for key in store.table(split, ["key"])["key"].to_pylist()]
    labels = [label for split in store.splits for label in store.table(split, ["label"])["label"].to_pylist()]
    answers = np.full((len(keys), len(store.classes)), 0.02, np.float32)
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        sure = 0.95 - 0.02 * [*wrong].index(key) if key in wrong else 0.86 + 0.0001 * row
        answers[row, store.classes.index(wrong[key]) if key in wrong else label] = sure
    answers /= answers.sum(1, keepdims=True)
    kept = [row for row, key in enumerate(keys) if key not in left_out]
    heads = (Head("labels", tuple(store.classes)),)
    about = {"model": "lenet28"}
    TeacherLabels([keys[row] for row in kept], np.zeros(len(kept), np.int64), answers[kept], heads, about).save(path)
    return path


def build_copied(folder, portrait, **options):
    """Build faces of which two pairs are copies: one pair has two labels."""
    rows = imitations.fer2013_rows(portrait, training=28, tests=7)
    rows[8] = imitations.Row(rows[8].code, rows[8].usage, rows[2].face)  # 2 is fear, 8 disgust
    rows[21] = imitations.Row(rows[14].code, rows[21].usage, rows[14].face)
    votes = imitations.write_ferplus_votes(folder / "fer2013new.csv", rows)
    table = imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    return trainings.build_store(
        folder / "store", {"fer2013": table}, ferplus=str(votes), near=0.9999, leaks="report", **options
    )


def build_sequences(folder, portrait, name="store", **options):
    """Build two sequences of eight frames, numbered from 1, and a rule that keeps the last three."""
    clips = [imitations.Clip(f"S01{code}", "001", code, tuple(range(1, 9)), (240, 240)) for code in (5, 7)]
    if not (folder / "CK+").exists():
        imitations.write_ckplus(folder / "CK+", portrait, clips=clips)
    return trainings.build_store(folder / name, {"ckplus": folder / "CK+"}, onset="last=3", **options)


def open_answered(store, folder, **options):
    """Open a review that is sorted by made-up answers."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_answers(store, folder / "teacher_labels.parquet", **options)
    return open_review(store, folder, ReviewOptions(answers=str(path)))
