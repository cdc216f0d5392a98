from dataclasses import replace

import imitations
import pytest
import trainings

from emonet.datasets.store.leaks import has_training_copy


@pytest.fixture(scope="module")
def rows(portrait):
    """The first two pictures of validation stand in the training data too, and the first of training twice."""
    rows = imitations.fer2013_rows(portrait, training=21, tests=7)
    evaluated = [row for row in rows if row.usage == "PublicTest"]
    return [*rows, *(replace(row, usage="Training") for row in (*evaluated[:2], rows[0]))]


@pytest.mark.parametrize("leaks", ["keep", "drop"])
def test_training_copies_are_known_with_and_without_leaks(rows, leaks, tmp_path):
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    store = trainings.build_store(tmp_path / "store", {"fer2013": table}, leaks=leaks)
    assert store.splits["train"] == (24 if leaks == "keep" else 22)
    assert has_training_copy(store, "validation").tolist() == [True, True, *[False] * 5]
    assert not has_training_copy(store, "test").any()


@pytest.mark.parametrize("leaks", ["keep", "exact", "near"])
def test_an_image_in_all_three_splits_is_a_copy_in_both_that_are_scored(portrait, leaks, tmp_path):
    rows = imitations.fer2013_rows(portrait, training=21, tests=7)
    everywhere = [replace(rows[0], usage=usage) for usage in ("PublicTest", "PrivateTest")]
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", [*rows, *everywhere])
    store = trainings.build_store(tmp_path / "store", {"fer2013": table}, leaks=leaks)
    for split in ("validation", "test"):
        assert has_training_copy(store, split).sum() == 1, split


def test_training_split_is_not_its_own_copy(rows, tmp_path):
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    store = trainings.build_store(tmp_path / "store", {"fer2013": table}, leaks="keep", dev=7)
    assert not has_training_copy(store, "train").any()
    assert not has_training_copy(store, "dev").any()
