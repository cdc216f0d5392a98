"""A hold-out has something of every source, and says what it lacks."""

from collections import Counter

import imitations
import pytest
import trainings

from emonet.datasets.curation.splits import Member, hold_out, warn_of_shortage

CLASSES = tuple("abcdefg")


def images(count, source="web"):
    return [Member(f"{source}/{n}", (source, CLASSES[n % 7]), source) for n in range(count)]


def people(count, images=21, source="posed"):
    return [Member(f"{source}/{n}", (source, CLASSES[i % 7]), source) for n in range(count) for i in range(images)]


def held(members, size, seed=0):
    chosen = hold_out(members, size, seed)
    return Counter(member.source for member in members if member.group in chosen)


def warnings(members, size, seed=0):
    chosen = hold_out(members, size, seed)
    return warn_of_shortage([(member, member.group in chosen) for member in members], size)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [200, 2000])
def test_hold_out_has_a_person_of_a_small_source(seed, size):
    members = [*images(20000), *people(10)]
    assert held(members, size, seed) == {"web": size - 21, "posed": 21}
    assert warnings(members, size, seed) == []


def test_hold_out_of_large_groups_holds_one_and_says_so():
    assert held(people(10), 5) == {"posed": 21}
    (warning,) = warnings(people(10), 5)
    assert "21 images, not 5" in warning


def test_source_of_one_person_stays_whole_and_is_named():
    members = [*images(700), *people(1)]
    assert held(members, 70) == {"web": 70}
    (warning,) = warnings(members, 70)
    assert "no image of posed" in warning


def test_hold_out_that_cannot_be_had_is_said():
    assert held(people(1), 5) == {}
    (warning,) = warnings(people(1), 5)
    assert "there is no dev split" in warning


def test_missing_classes_are_named():
    rare = [Member("rare/0", ("web", "z"), "web") for _ in range(80)]
    members = [*images(400), *rare]
    (warning,) = warnings(members, 60)
    assert "dev holds no z of web" in warning


def test_dev_has_a_person_of_jaffe(portrait, tmp_path):
    rows = imitations.fer2013_rows(portrait, training=70, tests=7)
    inputs = {
        "fer2013": imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows),
        "jaffe": imitations.write_jaffe(tmp_path / "jaffe", portrait, people=("KA", "KL", "KM", "NA")),
    }
    store = trainings.build_store(tmp_path / "out", inputs, dev=14, split="none")
    sources = store.table("dev", ["source", "subject"]).to_pydict()
    assert set(sources["source"]) == {"fer2013", "jaffe"}
    assert len({subject for subject in sources["subject"] if subject}) == 1
