"""Builds of imitations of the data sets: what is kept, what is dropped and why, and that the bytes are the same."""

import json
import os
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import imitations
import numpy as np
import pytest
from folders import files
from threadpoolctl import threadpool_info, threadpool_limits

from emonet.datasets import DatasetError, open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.store import decode
from emonet.datasets.store.info import Completeness
from emonet.errors import OptionError
from facecrop import CropSpec, FilterRules
from facecrop.detectors import DETECTORS
from facecrop.detectors.whole import WholeDetector


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, portrait):
    """FER2013, CK+, JAFFE and photos of one's own, tiny."""
    folder = tmp_path_factory.mktemp("inputs")
    rows = imitations.fer2013_rows(portrait, training=42, tests=14)
    return {
        "fer2013": str(imitations.write_fer2013_csv(folder / "fer2013.csv", rows)),
        "ckplus": str(imitations.write_ckplus(folder / "CK+", portrait, subjects=4, frames=6)),
        "jaffe": str(imitations.write_jaffe(folder / "jaffe", portrait)),
        "folder": str(imitations.write_folder(folder / "mine", portrait)),
    }


@pytest.fixture(scope="module")
def merged(inputs, tmp_path_factory):
    """All four in one data set, with a hold-out. All faces are of one photo, so that near copies stay."""
    folder = tmp_path_factory.mktemp("merged")
    return build_dataset(prepare(BuildOptions(inputs, dev=14, leaks="exact")), folder / "out", workers=1).store


def built(inputs, path, **options):
    """A quick build: every picture is a face, and near copies stay, because all are of one photo."""
    return build_dataset(
        prepare(BuildOptions(inputs, **{"detector": "whole", "leaks": "exact", **options})), path, workers=1
    ).store


def rows(store, *columns):
    return [row for split in store.splits for row in store.table(split, columns or None).to_pylist()]


def csv_of(tmp_path, pictures):
    """A fer2013.csv of (code, usage, face)."""
    table = [imitations.Row(code, usage, face) for code, usage, face in pictures]
    return {"fer2013": str(imitations.write_fer2013_csv(tmp_path / "fer2013.csv", table))}


def test_build_merges_all_sources(merged):
    found = {row["source"] for row in rows(merged, "source")}
    assert found == {"fer2013", "ckplus", "jaffe", "folder"}
    assert set(merged.splits) == {"train", "dev", "validation", "test"}
    assert merged.classes == merged.info.classes
    assert merged.crop == CropSpec.fer2013()


def test_every_row_has_key_label_image_and_box(merged):
    for row in rows(merged):
        assert row["key"].startswith(f"{row['source']}/")
        assert merged.classes[row["label"]] == row["emotion"]
        assert decode(row["image"]).shape == (48, 48, 3)
        assert len(row["sha1"]) == 40
        if row["box"] is not None:
            assert row["detector"] == "mtcnn"
            assert np.shape(row["landmarks"]) == (5, 2)
            assert all(16 * side == round(16 * side) for side in row["box"])


def test_every_sample_is_kept_or_rejected_once(merged, inputs):
    """Whatever the readers yield is either in the data set or among the rejected, once."""
    prepared = prepare(BuildOptions(inputs))
    read = Counter(sample.key for reader in prepared.readers.values() for sample in reader)
    read.update(one.key for reader in prepared.readers.values() for one in reader.rejected)
    kept = Counter(row["key"] for row in rows(merged, "key"))
    rejected = Counter(merged.rejected().column("key").to_pylist())
    assert kept + rejected == read
    assert max(read.values()) == 1


def test_published_crops_are_not_cropped_again(merged, inputs):
    faces = {f"fer2013/fer{n:07d}": face for n, face in enumerate(read_faces(inputs["fer2013"]))}
    own = [row for row in rows(merged) if row["source"] == "fer2013"]
    assert all((decode(row["image"]) == faces[row["key"]][..., None]).all() for row in own)
    assert merged.info.sources["fer2013"].cropped_by_publisher == CropSpec.fer2013()
    assert merged.info.sources["jaffe"].cropped_by_publisher is None


def read_faces(path):
    from emonet.datasets import READERS

    return [sample.image.read()[..., 0] for sample in READERS["fer2013"](path)]


def test_onset_frames_are_dropped(merged):
    kept = [row for row in rows(merged) if row["source"] == "ckplus"]
    dropped = merged.info.rejected["ckplus"]["onset"]
    assert kept
    assert dropped >= len(kept) / 2
    assert all(row["activation"] >= 0.5 for row in kept)
    assert all(row["frame"] >= 3 for row in kept)


def test_each_subject_is_in_one_split(merged):
    splits = {}
    for split in merged.splits:
        for row in merged.table(split, ["source", "subject"]).to_pylist():
            if row["subject"] is not None and row["source"] != "folder":
                splits.setdefault((row["source"], row["subject"]), set()).add(split)
    assert splits
    assert all(len(found) == 1 for found in splits.values())


def test_import_error_of_a_detector_reaches_the_parent(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("emonet.datasets.builder.plan.CHUNK", 32)
    monkeypatch.setattr("emonet.datasets.builder.run.CHUNK", 32)
    prepared = prepare(BuildOptions(inputs, detector="dlib", leaks="exact"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dlib.py").write_text("raise ImportError('a library of dlib is missing')")
    monkeypatch.syspath_prepend(tmp_path / "broken")  # workers begin with this process's path
    with pytest.raises(ImportError, match="a library of dlib is missing"):
        build_dataset(prepared, tmp_path / "out", workers=2)


def test_one_and_two_workers_write_the_same_bytes(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("emonet.datasets.builder.plan.CHUNK", 32)
    monkeypatch.setattr("emonet.datasets.builder.run.CHUNK", 32)
    prepared = prepare(BuildOptions({name: inputs[name] for name in ("fer2013", "ckplus")}, leaks="exact"))
    for workers in (1, 2):
        assert build_dataset(prepared, tmp_path / str(workers), workers=workers).new
    assert files(tmp_path / "1") == files(tmp_path / "2")


class CountingDetector(WholeDetector):
    """Notes how many threads matrix products may use where it works."""

    noted: ClassVar[set[int]] = set()

    def detect(self, images):
        self.noted.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return super().detect(images)


def test_matrix_products_use_one_thread(inputs, tmp_path, monkeypatch):
    """Those of several processes would wait for each other: a build by two was four times as slow."""
    monkeypatch.setitem(DETECTORS, "whole", CountingDetector)
    with threadpool_limits(2, "blas"):
        built({"fer2013": inputs["fer2013"]}, tmp_path / "out")
    assert CountingDetector.noted == {1}


def test_finished_build_is_not_repeated(inputs, tmp_path):
    prepared = prepare(BuildOptions(inputs, detector="whole", leaks="exact"))
    first = build_dataset(prepared, tmp_path / "out", workers=1)
    again = build_dataset(prepared, tmp_path / "out", workers=1)
    assert (first.new, again.new) == (True, False)
    assert not (tmp_path / "out" / ".build").exists()


def test_other_options_need_overwrite(inputs, tmp_path):
    built(inputs, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    other = prepare(BuildOptions(inputs, detector="whole", classes="fer6", leaks="exact"))
    with pytest.raises(ValueError, match=r"holds another build: classes was 'fer7', is 'fer6'"):
        build_dataset(other, tmp_path / "out", workers=1)
    assert "disgust" in open_store(tmp_path / "out").info.classes
    store = build_dataset(other, tmp_path / "out", workers=1, overwrite=True).store
    assert "disgust" not in store.info.classes
    assert store.differences() == []
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_later_options_reuse_the_chunks(faceless, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="dev must be smaller than the 1 training images that are not left out, got 2"):
        made(faceless, tmp_path / "out", dev=2, undetected="drop")
    monkeypatch.setattr("facecrop.detectors.mtcnn.MtcnnDetector.detect", lambda *_: pytest.fail("looked again"))
    options = BuildOptions(faceless, undetected="keep", leaks="exact")
    with pytest.raises(ValueError, match="holds another build: undetected was 'drop', is 'keep'; dev was 2, is 0"):
        build_dataset(prepare(options), tmp_path / "out", workers=1)
    store = build_dataset(prepare(options), tmp_path / "out", workers=1, overwrite=True).store
    assert store.splits == {"train": 2, "validation": 2, "test": 2}


def test_changed_input_is_another_build(inputs, tmp_path):
    own = {"folder": shutil.copytree(inputs["folder"], tmp_path / "mine")}
    own = {"folder": str(own["folder"])}
    built(own, tmp_path / "out")
    next((tmp_path / "mine").rglob("*.jpg")).unlink()
    with pytest.raises(ValueError, match=r"holds another build: folder has other data than then; .*use --overwrite"):
        built(own, tmp_path / "out")


def test_shards_without_dataset_json_are_removed(inputs, tmp_path):
    store = built(inputs, tmp_path / "out")
    (tmp_path / "out" / "dataset.json").unlink()
    store.files("train")[0].rename(tmp_path / "out" / "data" / "train-00007-of-00009.parquet")
    with pytest.raises(ValueError, match="is not empty and holds no data set"):
        built(inputs, tmp_path / "out")
    prepared = prepare(BuildOptions(inputs, detector="whole", leaks="exact"))
    again = build_dataset(prepared, tmp_path / "out", workers=1, overwrite=True).store
    assert again.differences() == []
    assert files(tmp_path / "out").keys() == {Path("dataset.json"), *map(Path, again.info.files)}


def test_folder_with_other_files_is_refused(inputs, tmp_path):
    for name in ("README.md", "letter.txt"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError, match="is not empty and holds no data set"):
            built(inputs, tmp_path)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / "README.md").unlink(missing_ok=True)
    with pytest.raises(OptionError, match="is a file"):
        built(inputs, tmp_path / "letter.txt")


def test_a_folder_that_holds_no_build_is_not_said_to_be_overwritten(inputs, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(OptionError, match=r"holds no data set: choose another folder$"):
        built(inputs, tmp_path)


@pytest.mark.parametrize("text", ["{", '{"format": 99}', "[]"])
def test_a_dataset_json_that_cannot_be_read_is_overwritten_if_asked(text, inputs, tmp_path):
    own = {"jaffe": inputs["jaffe"]}
    store = built(own, tmp_path / "out")
    (tmp_path / "out" / "dataset.json").write_text(text)
    with pytest.raises(OptionError, match=r"dataset\.json: .*use --overwrite"):
        built(own, tmp_path / "out")
    again = build_dataset(
        prepare(BuildOptions.from_dict(dict(store.info.options))), tmp_path / "out", workers=1, overwrite=True
    ).store
    assert again.info == store.info


def test_differences_finds_changed_and_missing_files(inputs, tmp_path):
    store = built(inputs, tmp_path / "out")
    assert store.differences() == []
    shard = store.files("train")[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    (tmp_path / "out" / "report.html").unlink()
    for stray in ("data/mine.parquet", "test-00007-of-00008.parquet"):
        (tmp_path / "out" / stray).write_bytes(b"")
    assert store.differences() == [
        f"data/{shard.name} has other bytes",
        "report.html is missing",
        "data/mine.parquet does not belong to it",
        "test-00007-of-00008.parquet does not belong to it",
    ]


def test_options_survive_dataset_json(inputs, tmp_path):
    options = BuildOptions(
        inputs, detector="whole", dev=5, leaks="exact", rules=FilterRules(min_contrast=5, allow="largest")
    )
    store = build_dataset(prepare(options), tmp_path / "out", workers=1).store
    assert BuildOptions.from_dict(store.info.options) == options
    with pytest.raises(ValueError, match="unknown options of a build: speed"):
        BuildOptions.from_dict({**store.info.options, "speed": 2})


@pytest.mark.parametrize(
    ("classes", "contempt", "codes"),
    [
        ("fer7", None, {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}),
        ("fer6", None, {"angry", "fear", "happy", "sad", "surprise", "neutral"}),
        ("ck7", None, {"angry", "disgust", "fear", "happy", "sad", "surprise", "contempt"}),
        ("happy,sad", None, {"happy", "sad"}),
    ],
)
def test_classes_are_the_chosen_ones(inputs, tmp_path, classes, contempt, codes):
    store = built(inputs, tmp_path / "out", classes=classes, contempt=contempt)
    assert {row["emotion"] for row in rows(store, "emotion")} <= codes
    assert set(store.info.classes) == codes
    rejected = Counter(store.rejected().column("reason").to_pylist())
    assert (rejected["contempt"] > 0) == ("contempt" not in codes)


def test_contempt_can_become_disgust(inputs, tmp_path):
    own = {"ckplus": inputs["ckplus"]}
    as_disgust = built(own, tmp_path / "disgust", contempt="disgust", onset="peak")
    dropped = built(own, tmp_path / "dropped", onset="peak")
    assert sum(as_disgust.splits.values()) > sum(dropped.splits.values())


def test_first_frames_can_be_neutral(inputs, tmp_path):
    store = built({"ckplus": inputs["ckplus"]}, tmp_path / "out", neutral="first", onset="peak")
    per_sequence = Counter((row["sequence"], row["emotion"] == "neutral") for row in rows(store))
    assert set(per_sequence.values()) == {1}
    assert len(per_sequence) == 2 * len({sequence for sequence, _ in per_sequence})


def test_corrections_of_rejected_images_are_not_said_to_be_of_none(tmp_path, portrait):
    imitations.touched(tmp_path / "mine", "hapy/a.jpg")
    imitations.write_photo(tmp_path / "mine/happy/b.jpg", portrait, 1, "happy")
    (tmp_path / "corrections.csv").write_text("folder/hapy/a.jpg,happy\nfolder/z.jpg,sad\n")
    options = BuildOptions(
        {"folder": str(tmp_path / "mine")}, detector="whole", relabel=str(tmp_path / "corrections.csv")
    )
    first, second = prepare(options).warnings()
    assert "rejected" in first
    assert first.endswith(": folder/hapy/a.jpg")
    assert second.endswith("in none of the data sets: folder/z.jpg")


def test_options_of_sequences_that_are_not_there_have_no_effect(inputs):
    def warnings(*names, **options):
        own = {name: inputs[name] for name in names}
        return [one for one in prepare(BuildOptions(own, detector="whole", **options)).warnings() if "no effect" in one]

    first, second = warnings("jaffe", onset="peak", neutral="first")
    assert (first.split()[0], second.split()[0]) == ("onset", "neutral")
    assert not warnings("jaffe") + warnings("jaffe", "ckplus", onset="peak")


@pytest.mark.parametrize(
    ("onset", "corrections", "first"),
    [("last=3", "", "happy"), ("auto", "ckplus/S010_001,onset=6\n", "happy"), ("auto", "", "neutral")],
)
def test_a_first_frame_that_shows_the_expression_is_not_neutral(onset, corrections, first, portrait, tmp_path):
    clips = [imitations.Clip("S010", "001", 5, tuple(range(1, 9)), (640, 490))]
    data = imitations.write_ckplus(tmp_path / "CK+", portrait, clips=clips)
    *others, last = sorted((data / "cohn-kanade-images").rglob("*.png"))
    for number, frame in enumerate(others, 1):
        frame.unlink()
        if number > 5:  # nothing rises
            shutil.copy(last, frame)
    options = {"neutral": "first", "onset": onset}
    if corrections:
        options["relabel"] = str(imitations.write_text(tmp_path / "corrections.csv", corrections))
    store = built({"ckplus": str(data)}, tmp_path / "out", **options)
    assert [row["emotion"] for row in rows(store)] == [first, "happy", "happy"]


def test_corrections_change_labels(inputs, tmp_path):
    (tmp_path / "corrections.csv").write_text(
        "key,label\nfer2013/fer0000000,happy\nfer2013/fer0000001,drop\nckplus/S010_001,sad\nfer2013/none,sad\n"
    )
    own = {name: inputs[name] for name in ("fer2013", "ckplus")}
    prepared = prepare(
        BuildOptions(own, detector="whole", relabel=str(tmp_path / "corrections.csv"), onset="last=1", leaks="exact")
    )
    assert "1 keys in the corrections are in none of the data sets: fer2013/none" in list(prepared.warnings())
    store = build_dataset(prepared, tmp_path / "out", workers=1).store
    labels = {row["key"]: row["emotion"] for row in rows(store, "key", "emotion")}
    assert labels["fer2013/fer0000000"] == "happy"
    assert [emotion for key, emotion in labels.items() if key.startswith("ckplus/S010_001")] == ["sad"]
    reasons = dict(zip(*(store.rejected().column(name).to_pylist() for name in ("key", "reason")), strict=True))
    assert reasons["fer2013/fer0000001"] == "corrected"


def test_training_copies_of_test_images_are_dropped(portrait, tmp_path):
    a, b, c = (imitations.small_face(portrait, number) for number in (1, 2, 3))
    near = cv2.convertScaleAbs(b, alpha=0.95, beta=8)
    pictures = [(0, "Training", a), (1, "Training", near), (2, "Training", c), (3, "Training", c)]
    pictures += [(0, "PublicTest", a), (1, "PrivateTest", b)]
    data = csv_of(tmp_path, pictures)
    trained = {}
    for leaks in ("drop", "near", "keep", "report"):
        store = built(data, tmp_path / leaks, leaks=leaks)
        trained[leaks] = [int(row["key"][-1]) for row in store.table("train").to_pylist()]
    assert trained == {"drop": [1, 2, 3], "near": [2, 3], "keep": [0, 1, 2, 3], "report": [0, 1, 2, 3]}
    copies = open_store(tmp_path / "report").info.copies
    assert copies.exact_groups == copies.redundant_exact_copies == 2
    assert (copies.evaluated_with_a_training_copy, copies.evaluated_with_a_near_training_copy) == (1, 2)
    assert (copies.conflicting_groups, copies.conflicting_pictures) == (1, 2)


def test_copies_have_one_group(portrait, tmp_path):
    a, b = (imitations.small_face(portrait, number) for number in (1, 2))
    store = built(csv_of(tmp_path, [(0, "Training", a), (1, "Training", b), (0, "Training", a)]), tmp_path / "out")
    groups = [(row["duplicate_group"], row["near_group"]) for row in store.table("train").to_pylist()]
    assert groups == [("fer2013/fer0000000",) * 2, (None, None), ("fer2013/fer0000000",) * 2]


def test_dev_and_folds_keep_copies_together(portrait, tmp_path):
    faces = [imitations.small_face(portrait, number) for number in range(30)]
    pictures = [(number % 2, "Training", face) for number, face in enumerate(faces) for _ in range(2)]
    store = built(csv_of(tmp_path, pictures), tmp_path / "out", dev=20, folds=3)
    assert store.splits == {"train": 40, "dev": 20}
    groups = {split: {row["duplicate_group"] for row in store.table(split).to_pylist()} for split in store.splits}
    assert not groups["train"] & groups["dev"]
    folds = {(row["duplicate_group"], row["fold"]) for row in rows(store)}
    assert len(folds) == 30
    assert {fold for _, fold in folds} == {0, 1, 2}


@pytest.fixture
def faceless(portrait, tmp_path):
    """Faces, and grey noise that no detector takes for one, in every split; one picture is blank."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    blank = np.zeros((48, 48), np.uint8)
    face = [imitations.small_face(portrait, number) for number in range(4)]
    pictures = [(0, "Training", face[0]), (1, "Training", noise[0]), (1, "Training", blank)]
    pictures += [(0, "PublicTest", face[1]), (1, "PublicTest", noise[1])]
    return csv_of(tmp_path, [*pictures, (0, "PrivateTest", face[2]), (1, "PrivateTest", noise[2])])


def made(data, path, **options):
    return build_dataset(prepare(BuildOptions(data, **{"leaks": "exact", **options})), path, workers=1).store


def test_only_training_images_are_filtered(faceless, tmp_path):
    store = made(faceless, tmp_path / "out", undetected="drop")
    assert store.splits == {"train": 1, "validation": 2, "test": 2}
    assert store.info.rejected["fer2013"] == {"no_face": 1, "blank": 1}
    assert store.info.evaluated["test"] == Completeness(2, 2)
    boxes = [(row["box"] is None, row["undetected"]) for row in store.table("test").to_pylist()]
    assert boxes == [(False, None), (True, "no_face")]


def test_filter_eval_filters_and_counts(faceless, tmp_path):
    store = made(faceless, tmp_path / "out", undetected="drop", filter_eval=True)
    assert store.splits == {"train": 1, "validation": 1, "test": 1}
    assert store.info.evaluated == {"validation": Completeness(1, 2), "test": Completeness(1, 2)}


def test_validation_is_learned_from_if_asked_but_no_copy_of_test(portrait, tmp_path):
    one, two, three, noise = (imitations.small_face(portrait, number) for number in range(4))
    noise = np.random.default_rng(0).integers(0, 256, noise.shape, np.uint8)
    pictures = [(0, "Training", one), (1, "PublicTest", two), (1, "PublicTest", three), (1, "PublicTest", noise)]
    data = csv_of(tmp_path, [*pictures, (1, "PrivateTest", two)])
    store = made(data, tmp_path / "out", learn_validation=True, undetected="drop")
    assert [row["key"] for row in store.table("train").to_pylist()] == ["fer2013/fer0000000", "fer2013/fer0000002"]
    assert store.splits == {"train": 2, "test": 1}
    assert store.info.rejected == {"fer2013": {"leak": 1, "no_face": 1}}
    assert store.info.evaluated == {"test": Completeness(1, 1)}
    assert [text for text in store.info.warnings if "score test alone" in text]


def test_undetected_faces_that_their_publisher_cropped_are_kept_and_counted(faceless, tmp_path):
    store = made(faceless, tmp_path / "out")
    assert [row["undetected"] for row in store.table("train").to_pylist()] == [None, "no_face"]
    assert store.info.kept_without_face == {"fer2013": {"train": 1, "validation": 1, "test": 1}}
    assert "kept without a face found" in (store.path / "report.html").read_text(encoding="utf-8")


def test_undetected_faces_of_whole_photos_are_dropped(portrait, tmp_path):
    rng = np.random.default_rng(0)
    for number, emotion in enumerate(("happy", "sad")):
        imitations.save(tmp_path / emotion / "face.png", portrait)
        imitations.save(tmp_path / emotion / "wall.png", rng.integers(0, 256, (90 + number, 90, 3), np.uint8))
    store = made({"folder": str(tmp_path)}, tmp_path.parent / f"{tmp_path.name}-out", leaks="keep")
    assert store.info.rejected["folder"] == {"no_face": 2}
    assert store.info.kept_without_face == {}


def test_recrop_cuts_published_crops(faceless, tmp_path):
    published, anew = (made(faceless, tmp_path / str(recrop), recrop=recrop) for recrop in (False, True))
    assert anew.splits == {"train": 1, "validation": 1, "test": 1}
    pair = [decode(store.table("train").to_pylist()[0]["image"]) for store in (published, anew)]
    assert pair[0].shape == pair[1].shape
    assert (pair[0] != pair[1]).any()


def test_rows_of_several_tables_are_read_from_their_own_files(portrait, tmp_path):
    table = imitations.fer2013_rows(portrait, training=7, tests=7)
    folder = imitations.write_fer2013_split_csvs(tmp_path / "tables", table)
    store = built({"fer2013": str(folder)}, tmp_path / "out", leaks="keep")
    assert store.splits == {"train": 7, "validation": 7, "test": 7}
    for split, usage in (("train", "Training"), ("validation", "PublicTest"), ("test", "PrivateTest")):
        faces = [row.face for row in table if row.usage == usage]
        images = [decode(row["image"])[..., 0] for row in store.table(split).to_pylist()]
        assert (np.array(images) == np.array(faces)).all()


def test_votes_are_stored_and_can_drop_images(portrait, tmp_path):
    table = imitations.fer2013_rows(portrait, training=20, tests=7)
    data = {"fer2013": str(imitations.write_fer2013_csv(tmp_path / "fer2013.csv", table))}
    votes = str(imitations.write_ferplus_votes(tmp_path / "fer2013new.csv", table))
    store = built(data, tmp_path / "all", ferplus=votes)
    assert all(sum(row["votes"]) == 10 for row in rows(store, "votes"))
    filtered = built(data, tmp_path / "faces", ferplus=votes, drop_no_face_votes=True)
    assert filtered.info.rejected["fer2013"] == {"not_a_face": 2}
    assert filtered.splits["validation"] == 7


def test_crops_can_be_large_and_coloured(inputs, tmp_path):
    crop = CropSpec(size=96, margin=0.2, align=True)
    store = made({"folder": inputs["folder"]}, tmp_path / "out", crop=crop)
    image = decode(rows(store)[0]["image"])
    assert image.shape == (96, 96, 3)
    assert (image[..., 0] != image[..., 2]).any()
    assert store.crop == crop


def test_broken_images_are_counted(inputs, tmp_path):
    photos = shutil.copytree(inputs["folder"], tmp_path / "mine")
    first = next(photos.rglob("*.jpg"))
    first.write_bytes(first.read_bytes()[:200])
    result = build_dataset(
        prepare(BuildOptions({"folder": str(photos)}, detector="whole")), tmp_path / "out", workers=1
    )
    assert result.broken == 1
    (broken,) = [one for one in result.store.rejected().to_pylist() if one["reason"] == "unreadable"]
    assert "cannot be" in broken["detail"]


def test_broken_landmarks_are_ignored(portrait, tmp_path):
    whole = imitations.write_ckplus(tmp_path / "CK+", portrait, subjects=2, frames=6)
    first = made({"ckplus": str(whole)}, tmp_path / "whole")
    broken = shutil.copytree(whole, tmp_path / "broken")
    landmarks = list(broken.rglob("*_landmarks.txt"))
    for path in landmarks:
        path.write_text("no numbers")
    second = made({"ckplus": str(broken)}, tmp_path / "out")
    assert landmarks
    assert sum(second.splits.values()) == pytest.approx(sum(first.splits.values()), abs=4)


def test_wide_image_among_published_crops_is_cropped(portrait, tmp_path):
    """Whole frames in CK+48's folders: published crops are square."""
    frame = imitations.framed(portrait, (640, 490), 1.9)
    imitations.save(tmp_path / "CK+48" / "happy" / "S010_004_00000017.png", frame)
    imitations.save(tmp_path / "CK+48" / "sad" / "S011_004_00000017.png", imitations.noisy(frame, 1))
    store = made({"ckplus": str(tmp_path / "CK+48")}, tmp_path / "out", split="none")
    boxes = [row["box"] for row in rows(store)]
    crop = decode(rows(store)[0]["image"])
    assert len(boxes) == 2
    assert np.corrcoef(crop[..., 0].ravel(), cv2.resize(frame, (48, 48)).ravel())[0, 1] < 0.9


def test_build_without_usable_images_fails(portrait, tmp_path):
    data = csv_of(tmp_path, [(7, "Training", imitations.small_face(portrait, 0))])
    with pytest.raises(DatasetError, match=r"nothing usable; rejected: .*bad_label.*1"):
        prepare(BuildOptions(data))
    blank = csv_of(tmp_path, [(0, "Training", np.zeros((48, 48), np.uint8))])
    with pytest.raises(DatasetError, match="nothing usable is left"):
        made(blank, tmp_path / "out")


@pytest.mark.parametrize("options", [{"split": "subject"}, {"folds": 2}])
def test_unknown_subjects_cannot_be_split(portrait, tmp_path, options):
    renamed = str(imitations.write_ckplus48(tmp_path / "CK+48", portrait, names=False))
    with pytest.raises(ValueError, match="people cannot be told apart"):
        prepare(BuildOptions({"ckplus": renamed}, **options))
    assert set(built({"ckplus": renamed}, tmp_path / "out").splits) == {"train"}


def test_folds_are_by_subject(inputs, tmp_path):
    store = built({"jaffe": inputs["jaffe"]}, tmp_path / "out", split="none", folds=5, leaks="keep")
    folds = {(row["subject"], row["fold"]) for row in rows(store)}
    assert Counter(fold for _, fold in folds) == dict.fromkeys(range(5), 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": {}}, "nothing to build from"),
        ({"inputs": {"emotionet": "x"}}, "unknown data sets: emotionet; known: fer2013, "),
        ({"undetected": "maybe"}, "undetected must be one of drop, keep, got 'maybe'"),
        ({"leaks": "all"}, "leaks must be one of near, exact, report, keep, drop"),
        ({"near": 0}, "near must be a number above 0"),
        ({"folds": 1}, "`folds` must be"),
        ({"dev": 10**6}, "dev must be smaller than the"),
        ({"ferplus": "votes.csv", "inputs": {"jaffe": "x"}}, "give `fer2013`, too"),
        ({"drop_no_face_votes": True}, "`drop_no_face_votes` needs the votes"),
        ({"classes": "ck6", "neutral": "first"}, "cannot be neutral faces"),
        ({"classes": "fer7", "contempt": "keep"}, "contempt is 'keep'"),
        ({"detector": "dlib", "crop": CropSpec(align=True)}, "aligned crops need landmarks"),
        ({"detector": "dlib", "rules": FilterRules(max_yaw=30, allow="largest")}, "max_yaw: the detector 'dlib'"),
        ({"rules": FilterRules()}, "a sample is one face"),
        ({"onset": "half"}, "onset"),
        ({"detector": "yolo"}, "unknown detector 'yolo'"),
    ],
)
def test_bad_options_are_refused_before_the_build(inputs, options, message):
    with pytest.raises(ValueError, match=message):
        prepare(BuildOptions(**{"inputs": {"fer2013": inputs["fer2013"]}, **options}))


def test_zero_workers_are_refused(inputs, tmp_path):
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        build_dataset(prepare(BuildOptions(inputs)), tmp_path / "out", workers=0)


def test_damaged_dataset_json_is_refused(inputs, tmp_path):
    store = built({"jaffe": inputs["jaffe"]}, tmp_path / "out")
    description = tmp_path / "out" / "dataset.json"
    description.write_text(json.dumps(store.info.to_dict() | {"format": 99}))
    with pytest.raises(DatasetError, match="format 99"):
        open_store(tmp_path / "out")
    description.write_text("{")
    with pytest.raises(DatasetError, match="not JSON"):
        open_store(tmp_path / "out")
    description.unlink()
    with pytest.raises(DatasetError, match=r"no dataset\.json"):
        open_store(tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_store(tmp_path / "elsewhere")


def test_shards_are_divided_by_rows(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("emonet.datasets.builder.shards.SHARD_ROWS", 20)
    store = built({"fer2013": inputs["fer2013"]}, tmp_path / "out")
    assert [path.name for path in store.files("train")] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    assert [batch.num_rows for batch in store.batches("train", ["key"])] == [20, 20, 2]
    with pytest.raises(ValueError, match="no split 'dev'; it has train, validation, test"):
        store.files("dev")


def test_options_with_another_seed_differ(inputs):
    options = BuildOptions(inputs)
    assert replace(options, seed=1) != options


@pytest.mark.skipif(sys.platform == "win32", reason="names are text on Windows")
def test_file_names_that_are_no_text_are_escaped(portrait, tmp_path):
    imitations.write_folder(tmp_path / "photos", portrait)
    for folder in ("train/Happy", "."):  # one is a photo with a label, the other is left out
        photo = imitations.write_photo(tmp_path / "photos" / folder / "face.jpg", portrait, len(folder))
        photo.rename(photo.with_name(os.fsdecode(b"J\xf6rg.jpg")))
    store = built({"folder": str(tmp_path / "photos")}, tmp_path / "out")
    assert "folder/train/Happy/J\\xf6rg.jpg" in [row["key"] for row in rows(store, "key")]
    assert "folder/J\\xf6rg.jpg" in store.rejected().column("key").to_pylist()


def test_photos_that_a_table_lists_are_inputs_too(portrait, tmp_path):
    table = imitations.write_photo_list(tmp_path / "photos", portrait) / "photos.csv"
    built({"folder": str(table)}, tmp_path / "out")
    imitations.write_photo(table.parent / "anna" / "0.jpg", portrait, 99)
    with pytest.raises(OptionError, match="folder has other data than then"):
        built({"folder": str(table)}, tmp_path / "out")


def test_frames_that_were_labelled_one_by_one_are_kept(inputs, tmp_path):
    (tmp_path / "corrections.csv").write_text(
        "ckplus/S010_001,sad\nckplus/S010_001_00000001,neutral\nckplus/S010_001_00000003,surprise\n"
    )
    corrections = {"relabel": str(tmp_path / "corrections.csv"), "onset": "last=2"}
    store = built({"ckplus": inputs["ckplus"]}, tmp_path / "out", **corrections)
    frames = [row for row in rows(store, "sequence", "frame", "emotion") if row["sequence"] == "S010_001"]
    labels = {row["frame"]: row["emotion"] for row in frames}
    assert labels == {1: "neutral", 3: "surprise", 5: "sad", 6: "sad"}


def test_more_folds_than_images_of_any_class_are_refused(portrait, tmp_path):
    faces = [(number % 2, "Training", imitations.small_face(portrait, number)) for number in range(8)]
    with pytest.raises(OptionError, match="folds must be at most 4, the images of the commonest class, got 5"):
        built(csv_of(tmp_path, faces), tmp_path / "out", folds=5)


def test_corrections_in_another_encoding_are_refused(inputs, tmp_path):
    (tmp_path / "corrections.csv").write_bytes("folder/happy/J\xf6rg.jpg,sad\n".encode("cp1252"))
    with pytest.raises(DatasetError, match="not a CSV in UTF-8"):
        built(inputs, tmp_path / "out", relabel=str(tmp_path / "corrections.csv"))
