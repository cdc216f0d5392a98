"""The published FER2013, if it is there: its known counts."""

from collections import Counter

import pytest

from emonet.datasets import READERS
from emonet.datasets.builder import BuildOptions, prepare
from emonet.datasets.fer2013 import COUNTS
from emonet.datasets.store.info import Completeness


def test_fer2013_counts_are_the_published_ones(fer2013_table):
    counts = Counter((sample.split, sample.emotion) for sample in READERS["fer2013"](fer2013_table))
    assert counts == {(split, e): n for split in ("train", "validation") for e, n in COUNTS[split].items()}
    assert sum(n for (split, _), n in counts.items() if split == "train") == 28_709


def test_missing_split_is_reported(fer2013_table):
    (warning,) = prepare(BuildOptions({"fer2013": str(fer2013_table)})).warnings()
    assert warning.endswith("test: none here, published 3,589")
    assert "train" not in warning


def test_fer2013_copies_are_the_known_ones(fer2013_store):
    copies = fer2013_store.info.copies
    assert (copies.exact_groups, copies.redundant_exact_copies) == (1273, 1532)
    assert copies.evaluated_with_a_training_copy == 280
    assert (copies.conflicting_groups, copies.conflicting_pictures) == (47, 129)
    assert copies.blank == {"train": 11, "validation": 1}


def test_fer2013_training_copies_are_dropped(fer2013_store):
    assert fer2013_store.info.rejected["fer2013"]["leak"] == 351
    assert fer2013_store.info.evaluated == {"validation": Completeness(3589, 3589)}
    assert fer2013_store.splits == {"train": 28_709 - 3000 - 351, "dev": 3000, "validation": 3589}


def test_dev_has_the_class_shares_of_train(fer2013_store):
    counts = fer2013_store.info.counts["fer2013"]
    for emotion, held in counts["dev"].items():
        share = held / (held + counts["train"][emotion])
        assert share == pytest.approx(3000 / (28_709 - 351), rel=0.02)


def test_copies_are_not_divided_by_dev(fer2013_store):
    groups = {
        split: set(fer2013_store.table(split, ["near_group"]).column(0).to_pylist()) for split in ("train", "dev")
    }
    assert groups["train"] & groups["dev"] == {None}


def test_votes_join_by_row(fer2013_store):
    votes = {row["key"]: row["votes"] for row in fer2013_store.table("train", ["key", "votes"]).to_pylist()}
    assert votes["fer2013/fer0000000"] == [3, 2, 0, 0, 1, 0, 4, 0, 0, 0]
