"""People in two splits are named, and a subject column that is filled in part is not passed over."""

import imitations
import pytest
import trainings

from emonet.datasets.builder import BuildOptions, prepare
from emonet.datasets.curation.people import Seen, find_divided_people, warn_of_divided_people
from emonet.inference.loading import load_model

EMOTIONS = ("happy", "sad")


@pytest.fixture
def listed(portrait, tmp_path):
    """Writes a CSV of photos of five people, two each; anna and otto are in train and in test."""

    def write(named=5):
        rows = ["path,label,subject,split"]
        for person, name in enumerate(("anna", "otto", "mia", "leo", "ida")):
            for number, emotion in enumerate(EMOTIONS):
                face = imitations.small_face(portrait, 2 * person + number, emotion)
                imitations.save(tmp_path / f"{name}{number}.png", face)
                split = "test" if number and person < 2 else "train"
                rows.append(f"{name}{number}.png,{emotion},{name if person < named else ''},{split}")
        return imitations.write_text(tmp_path / "photos.csv", "\n".join(rows))

    return write


def build(table, **options):
    return trainings.build_store(table.parent / "out", {"folder": table}, **{"classes": "happy,sad", **options})


def test_people_in_two_splits_are_counted():
    images = [Seen("a", "anna", split) for split in ("train", "train", "test")]
    images += [Seen("a", "otto", "train"), Seen("a", None, "test"), Seen("a", None, "train"), Seen("b", "anna", "test")]
    assert find_divided_people(images) == {"a": {"anna": {"train": 2, "test": 1}}}
    (warning,) = warn_of_divided_people(images)
    assert warning.startswith("a: 1 of 2 people")
    assert "anna (train 2, test 1)" in warning


def test_only_the_first_of_many_divided_people_are_named():
    images = [Seen("a", f"p{number:02d}", split) for number in range(30) for split in ("train", "test")]
    (warning,) = warn_of_divided_people(images)
    assert "p09" in warning
    assert "p10" not in warning
    assert "and 20 more" in warning


def test_photos_without_a_split_go_where_their_person_is(portrait, tmp_path):
    rows = ["path,label,subject,split"]
    for person in range(6):
        for number in range(4):
            face = imitations.small_face(portrait, 4 * person + number, EMOTIONS[number % 2])
            imitations.save(tmp_path / f"{person}-{number}.png", face)
            split = ("train", "test")[person % 2] if number == 0 else ""
            rows.append(f"{person}-{number}.png,{EMOTIONS[number % 2]},p{person},{split}")
    store = build(imitations.write_text(tmp_path / "photos.csv", "\n".join(rows)))
    assert store.info.warnings == ()
    assert store.splits == {"train": 12, "test": 12}


def test_people_in_two_splits_are_named_wherever_the_data_set_is_described(listed):
    table = listed()
    (before,) = prepare(BuildOptions({"folder": str(table)})).warnings()
    store = build(table)
    (warning,) = store.info.warnings
    for text in (
        before,
        warning,
        *((store.path / name).read_text(encoding="utf-8") for name in ("README.md", "report.html")),
    ):
        assert "anna (train 1, test 1), otto (train 1, test 1)" in text


def test_model_file_says_that_people_are_in_two_splits(listed, tmp_path):
    store = build(listed())
    trainings.trained(store, tmp_path / "run", epochs=1, all_train=True)
    assert load_model(tmp_path / "run" / "model.safetensors").training["data_warnings"] == [*store.info.warnings]


def test_split_by_subject_divides_anew(listed):
    store = build(listed(), split="subject", shares={"train": 0.5, "validation": 0.0, "test": 0.5})
    people = {split: set(store.table(split)["subject"].to_pylist()) for split in store.splits}
    assert set(people) == {"train", "test"}
    assert not people["train"] & people["test"]
    assert store.info.warnings == ()


def test_subject_column_filled_in_part_is_said_and_refused(listed):
    table = listed(named=3)
    (note, warning) = prepare(BuildOptions({"folder": str(table)})).warnings()
    assert "6 of 10 rows" in note
    assert "2 of 3 people" in warning
    with pytest.raises(ValueError, match=r"6 of 10 rows.* impossible"):
        prepare(BuildOptions({"folder": str(table)}, split="subject"))
