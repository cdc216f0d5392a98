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
def test_read_faces_returns_the_rows_of_the_store_in_order(store, spec):
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


def test_labels_index_the_requested_classes(store):
    faces = read_faces(store, ["train"], GREY, classes=(Emotion.NEUTRAL, Emotion.ANGRY))
    expected = [row["emotion"] for row in rows(store, "train") if row["emotion"] in ("neutral", "angry")]
    assert [("neutral", "angry")[label] for label in faces.labels] == expected


def test_other_sources_are_left_out_and_counted(store):
    faces = read_faces(store, ["train"], GREY, sources=["jaffe"])
    assert set(faces.sources) == {"jaffe"}
    assert faces.left_out == {"fer2013": sum(row["source"] == "fer2013" for row in rows(store, "train"))}
    assert len(faces) == len(faces.pixels) > 0


def test_a_fold_and_the_other_folds_are_the_training_split(store):
    parts = [[read_faces(store, ["train"], GREY, folds=(fold, held)) for held in (True, False)] for fold in range(3)]
    everything = sorted(row["key"] for row in rows(store, "train"))
    assert all(sorted(held.keys + rest.keys) == everything for held, rest in parts)
    assert sorted(key for held, _ in parts for key in held.keys) == everything
    assert all(row["fold"] == 1 for row in rows(store, "train") if row["key"] in parts[1][0].keys)


def test_a_fold_that_does_not_exist_is_empty(store):
    faces = read_faces(store, ["train"], GREY, folds=(3, True))
    assert len(faces) == 0
    assert (faces.pixels.shape, faces.labels.shape, faces.keys) == ((0, 48, 48, 1), (0,), [])


def test_images_on_disk_equal_those_in_memory_and_leave_no_file(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces = read_faces(store, ["train"], GREY, storage="disk")
    assert isinstance(faces.pixels, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert (faces.pixels == read_faces(store, ["train"], GREY, storage="memory").pixels).all()


def test_a_part_of_images_on_disk_lies_on_disk(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces, there = (read_faces(store, ["train"], GREY, storage=storage) for storage in ("disk", "memory"))
    part = faces.part(faces.folds == 1)
    assert isinstance(part.pixels, np.memmap)
    assert part.keys == read_faces(store, ["train"], GREY, folds=(1, True)).keys
    assert (part.pixels == there.pixels[there.folds == 1]).all()
    assert set(read_faces(store, ["validation"], GREY).folds) == {-1}


def test_images_that_do_not_fit_in_memory_lie_on_disk(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
    (tmp_path / "meminfo").write_text("MemAvailable:       1 kB\n")
    monkeypatch.setattr("facecrop.machine.MEMORY", tmp_path / "meminfo")
    assert isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
    assert not isinstance(read_faces(store, ["dev"], GREY, storage="memory").pixels, np.memmap)


def test_images_lie_in_memory_if_its_size_is_unknown(store, tmp_path, monkeypatch):
    monkeypatch.setattr("facecrop.machine.MEMORY", tmp_path / "meminfo")
    monkeypatch.delattr(os, "sysconf")
    assert not isinstance(read_faces(store, ["dev"], GREY).pixels, np.memmap)
