import os
from collections import Counter

import imitations
import numpy as np
import pytest
import trainings

from emonet.datasets.labels import CLASS_LISTS
from emonet.datasets.store import decode
from emonet.faces import read_faces
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec

GREY = InputSpec(size=48)


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """FER2013 with a few people of JAFFE."""
    folder = tmp_path_factory.mktemp("data")
    inputs = {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=("KA", "KL", "KM")),
    }
    return trainings.build_store(folder / "store", inputs, dev=7, folds=3, shares={"train": 1.0})


def rows(store, *splits):
    return [row for split in splits for row in store.table(split).to_pylist()]


@pytest.mark.parametrize("spec", [GREY, InputSpec(size=32), InputSpec(size=64, channels=3)])
def test_faces_are_the_rows_of_the_data_set_in_order(store, spec):
    faces = read_faces(store, ["train", "dev"], spec)
    expected = rows(store, "train", "dev")
    assert len(faces) == len(expected)
    assert faces.keys == [row["key"] for row in expected]
    assert faces.sources.tolist() == [row["source"] for row in expected]
    assert [faces.classes[label] for label in faces.labels] == [row["emotion"] for row in expected]
    assert (faces.pixels == [spec.resize(decode(row["image"])) for row in expected]).all()
    assert faces.left_out == {}


def test_other_classes_are_left_out_and_counted(store):
    faces = read_faces(store, ["train"], GREY, classes=CLASS_LISTS["fer6"])
    everybody = Counter(row["emotion"] for row in rows(store, "train"))
    assert faces.left_out == {"disgust": everybody["disgust"]}
    assert faces.classes == CLASS_LISTS["fer6"]
    assert Counter(faces.classes[label] for label in faces.labels) == everybody - Counter(faces.left_out)


def test_labels_are_places_among_the_classes_that_were_asked_for(store):
    faces = read_faces(store, ["train"], GREY, classes=(Emotion.NEUTRAL, Emotion.ANGRY))
    expected = [row["emotion"] for row in rows(store, "train") if row["emotion"] in ("neutral", "angry")]
    assert [("neutral", "angry")[label] for label in faces.labels] == expected


def test_other_sources_are_left_out_and_counted(store):
    faces = read_faces(store, ["train"], GREY, sources=["jaffe"])
    assert set(faces.sources) == {"jaffe"}
    assert faces.left_out == {"fer2013": sum(row["source"] == "fer2013" for row in rows(store, "train"))}
    assert len(faces) == len(faces.pixels) > 0


def test_a_fold_and_the_rest_are_the_training_data(store):
    parts = [[read_faces(store, ["train"], GREY, folds=(fold, held)) for held in (True, False)] for fold in range(3)]
    everything = sorted(row["key"] for row in rows(store, "train"))
    assert all(sorted(held.keys + rest.keys) == everything for held, rest in parts)
    assert sorted(key for held, _ in parts for key in held.keys) == everything
    assert all(row["fold"] == 1 for row in rows(store, "train") if row["key"] in parts[1][0].keys)


def test_a_fold_that_is_not_there_is_empty(store):
    faces = read_faces(store, ["train"], GREY, folds=(3, True))
    assert len(faces) == 0
    assert (faces.pixels.shape, faces.labels.shape, faces.keys) == ((0, 48, 48, 1), (0,), [])


def test_pictures_on_the_disk_are_the_same_and_have_no_name(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces = read_faces(store, ["train"], GREY, storage="disk")
    assert isinstance(faces.pixels, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert (faces.pixels == read_faces(store, ["train"], GREY, storage="memory").pixels).all()


def test_a_part_lies_where_the_whole_lies(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces, there = (read_faces(store, ["train"], GREY, storage=storage) for storage in ("disk", "memory"))
    part = faces.part(faces.folds == 1)
    assert isinstance(part.pixels, np.memmap)
    assert part.keys == read_faces(store, ["train"], GREY, folds=(1, True)).keys
    assert (part.pixels == there.pixels[there.folds == 1]).all()
    assert set(read_faces(store, ["validation"], GREY).folds) == {-1}


def test_they_lie_on_the_disk_where_they_do_not_fit(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
    monkeypatch.setattr(os, "sysconf", lambda _: 1)
    assert isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
    assert not isinstance(read_faces(store, ["dev"], GREY, storage="memory").pixels, np.memmap)


def test_a_system_that_does_not_tell_its_memory_has_enough(store, monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert not isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
