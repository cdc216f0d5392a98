"""Shared by the tests of protocols: three merged data sets, and their rows without images."""

from collections import Counter

import imitations
import trainings

COLUMNS = ["key", "source", "subject", "sequence", "emotion"]


def clips(subjects=7):
    """List two short sequences per person; each expression has two, of different people."""
    numbered = [(subject, take) for subject in range(subjects) for take in (1, 2)]
    return [
        imitations.Clip(f"S{10 + subject:03d}", f"{take:03d}", 1 + place % 7, (1, 2, 3, 4, 5), (240, 240))
        for place, (subject, take) in enumerate(numbered)
    ]


def build_merged(folder, portrait, *, people=4, **options):
    """Build FER2013, CK+ with all eight classes, and JAFFE. All faces are of one person, hence a strict `near`."""
    inputs = {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait),
        "ckplus": imitations.write_ckplus(folder / "CK+", portrait, clips=clips()),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:people]),
    }
    return trainings.build_store(
        folder / "store",
        inputs,
        **{"classes": "ck8", "neutral": "first", "dev": 14, "near": 0.9999, "leaks": "exact", **options},
    )


def rows(store, *splits):
    return [row for split in splits or store.splits for row in store.table(split, COLUMNS).to_pylist()]


def keys(store, *splits):
    return {row["key"] for row in rows(store, *splits)}


def people(store, *splits):
    return {(row["source"], row["subject"]) for row in rows(store, *splits)}


def times(rounds):
    """Count how often each image is scored, over all rounds."""
    return Counter(
        row["key"] for one in rounds for held_out in one.scored.values() for row in rows(held_out.store, held_out.split)
    )
