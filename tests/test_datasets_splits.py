"""Splits, hold-outs and folds: groups are not divided, classes are spread evenly, draws do not change."""

from collections import Counter

import pytest

from emonet.datasets.curation.splits import (
    DEFAULT_SHARES,
    Member,
    assign_folds,
    check_shares,
    hold_out,
    split_groups,
    warn_of_empty_splits,
)

CLASSES = ("angry", "happy", "sad")


def people(count, pictures=6):
    return [Member(f"person {n}", CLASSES[(n + i) % 3]) for n in range(count) for i in range(pictures)]


def pictures(count):
    return [Member(f"picture {n}", CLASSES[0 if n % 10 < 6 else 1 + n % 2]) for n in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_every_split_has_every_class(seed):
    members = people(10)
    splits = split_groups(members, DEFAULT_SHARES, seed)
    held = {(splits[member.group], member.label) for member in members}
    assert held == {(split, label) for split in DEFAULT_SHARES for label in CLASSES}


def test_shares_are_roughly_as_asked():
    counts = Counter(split_groups(people(2000, 1), DEFAULT_SHARES, 0).values())
    assert counts["train"] == pytest.approx(1600, abs=60)
    assert counts["test"] == pytest.approx(200, abs=45)


def test_subjects_keep_their_split_when_others_are_added():
    before = split_groups(people(60), DEFAULT_SHARES, 3)
    after = split_groups(people(200), DEFAULT_SHARES, 3)
    assert all(after[person] == split for person, split in before.items())


def test_seed_changes_the_split():
    assert split_groups(people(60), DEFAULT_SHARES, 0) != split_groups(people(60), DEFAULT_SHARES, 1)


@pytest.mark.parametrize("seed", range(8))
def test_single_subject_is_in_train(seed):
    assert split_groups(people(1), DEFAULT_SHARES, seed) == {"person 0": "train"}


def test_splits_that_nobody_is_in_are_said():
    assert warn_of_empty_splits("jaffe", 10, {"train", "validation", "test"}, DEFAULT_SHARES) == []
    assert warn_of_empty_splits("jaffe", 1, {"test"}, {"train": 0.0, "validation": 0.0, "test": 1.0}) == []
    (warning,) = warn_of_empty_splits("jaffe", 6, {"train", "test"}, DEFAULT_SHARES)
    assert "6 people" in warning
    assert "validation" in warning
    (warning,) = warn_of_empty_splits("jaffe", 1, {"train"}, DEFAULT_SHARES)
    assert "its only person is not in validation or test" in warning


@pytest.mark.parametrize(
    "shares",
    [{"train": 0.5}, {"validation": 0.5, "test": 0.5}, {"train": 1.5, "test": -0.5}, {"train": 0.9, "dev": 0.1}],
)
def test_bad_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares must"):
        check_shares(shares)


@pytest.mark.parametrize("split", DEFAULT_SHARES)
def test_one_split_may_take_all(split):
    members = [Member(f"person {number}", "happy") for number in range(20)]
    assert set(split_groups(members, {split: 1}, 0).values()) == {split}


def test_hold_out_has_its_size_and_class_shares():
    members = pictures(1000)
    chosen = hold_out(members, 101, 0)
    counts = Counter(member.label for member in members if member.group in chosen)
    assert sum(counts.values()) == 101
    assert counts["angry"] == pytest.approx(60, abs=1)


def test_hold_out_takes_whole_subjects():
    members = people(100)
    chosen = hold_out(members, 60, 0)
    held = [member for member in members if member.group in chosen]
    assert len(held) == 6 * len(chosen)
    assert 50 <= len(held) <= 60


def test_hold_out_is_filled_with_small_groups():
    members = [*pictures(1000), *(Member(f"person {n}", "fear") for n in range(2) for _ in range(100))]
    chosen = hold_out(members, 120, 0)
    assert sum(member.group in chosen for member in members) == 120


def test_hold_out_of_everything_is_refused():
    with pytest.raises(ValueError, match="smaller than the 20"):
        hold_out(pictures(20), 20, 0)


def test_folds_keep_subjects_whole_and_classes_even():
    members = people(50)
    folds = assign_folds(members, 5, 0)
    assert len({(member.group, int(fold)) for member, fold in zip(members, folds, strict=True)}) == 50
    counts = Counter((member.label, int(fold)) for member, fold in zip(members, folds, strict=True))
    assert set(counts.values()) == {20}
    assert (folds == assign_folds(members, 5, 0)).all()


@pytest.mark.parametrize("folds", [1, 4])
def test_more_folds_than_groups_are_refused(folds):
    with pytest.raises(ValueError, match="from 2 to 3"):
        assign_folds(people(3), folds, 0)


def test_one_person_makes_no_folds():
    with pytest.raises(ValueError, match="only one person"):
        assign_folds(people(1), 2, 0)
