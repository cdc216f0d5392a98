"""CK+: the official tree with its labels and landmarks, CK+48 and ckextended.csv."""

import zlib
from collections import Counter
from pathlib import Path

import imitations
import numpy as np
import pytest
from imitations import rejections

from emonet.datasets import READERS, DatasetError
from emonet.datasets.ckplus import read_points
from emonet.datasets.formats.tree import FileBlob
from emonet.labels import Emotion

CK_NAME = "cohn-kanade-images/{0}/{1}/{0}_{1}_{2:08d}.png"


def official(folder, label, frames=(1, 2), labels="Emotion"):
    """An official tree of one sequence; a label of None has an empty folder."""
    imitations.touched(folder, *(CK_NAME.format("S010", "002", number) for number in frames))
    (folder / labels / "S010/002").mkdir(parents=True)
    if label is not None:
        name = f"S010_002_{frames[-1]:08d}_emotion.txt"
        imitations.write_text(folder / labels / "S010/002" / name, label)
    return folder


def test_ckplus_samples_have_subject_sequence_and_frame(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckplus(tmp_path, portrait, subjects=2, frames=4))
    samples = list(reader)
    assert reader.layout.starts_neutral
    assert [sample.frame for sample in samples if sample.sequence == "S011_002"] == [5, 6, 7, 9]  # a gap, a late start
    assert [sample.key for sample in samples] == sorted(sample.key for sample in samples)
    first = samples[0]
    assert (first.key, first.subject, first.sequence) == ("ckplus/S010_001_00000001", "S010", "S010_001")


def test_ckplus_sequences_without_a_label_are_yielded(portrait, tmp_path):
    samples = list(READERS["ckplus"](imitations.write_ckplus(tmp_path, portrait, subjects=2, frames=4)))
    assert {sample.sequence for sample in samples if sample.emotion is None} == {"S010_001"}


def test_ckplus_images_have_several_sizes(portrait, tmp_path):
    samples = list(READERS["ckplus"](imitations.write_ckplus(tmp_path, portrait, subjects=3, frames=3)))
    sizes = Counter(sample.image.read().shape for sample in samples)
    assert sizes == {(490, 640, 3): 12, (480, 640, 3): 3, (480, 720, 3): 3}


def test_ckplus_samples_have_landmarks(portrait, tmp_path):
    imitations.write_ckplus(tmp_path, portrait, subjects=1, frames=4)
    samples = list(READERS["ckplus"](tmp_path))
    still, moved = (read_points(samples[index].points) for index in (4, 7))
    assert still.shape == (68, 2)
    assert np.abs(still - moved).max() > 5


@pytest.mark.parametrize("text", ["", "1 2\n" * 67, "1 2 3\n" * 68, "x y\n" * 68, "nan 1\n" * 68])
def test_bad_landmarks_are_refused(text, tmp_path):
    with pytest.raises(DatasetError, match=r"S010_landmarks\.txt"):
        read_points(FileBlob(imitations.write_text(tmp_path / "S010_landmarks.txt", text)))


@pytest.mark.parametrize(("code", "name"), imitations.CK_CODES.items())
def test_ckplus_codes_become_expressions(code, name, tmp_path):
    samples = READERS["ckplus"](official(tmp_path, f"   {code:.7e}\n"))
    assert {sample.emotion for sample in samples} == {Emotion(name)}


@pytest.mark.parametrize("images", ["cohn-kanade-images", "extended-cohn-kanade-images", "images"])
@pytest.mark.parametrize("labels", ["Emotion", "Emotion_labels", "Emotion_labels/Emotion", "emotions", "Labels"])
def test_ckplus_folders_may_have_any_names(images, labels, tmp_path):
    official(tmp_path, "   3.0000000e+00\n", labels=labels)
    (tmp_path / "cohn-kanade-images").rename(tmp_path / images)
    assert [sample.emotion for sample in READERS["ckplus"](tmp_path)] == [Emotion.DISGUST] * 2


@pytest.mark.parametrize("text", ["happy", "9", "-1", "3.5", "3.0000000e", "", "nan", "3 3", "\udcff\x00", "x" * 90])
def test_emotion_file_without_a_code_rejects_its_sequence(text, tmp_path):
    official(tmp_path, None)
    name = tmp_path / "Emotion/S010/002/S010_002_00000002_emotion.txt"
    name.write_bytes(text.encode("utf-8", "surrogateescape"))
    reader = READERS["ckplus"](tmp_path)
    bad = {f"ckplus/S010_002_0000000{number}": "bad_label" for number in (1, 2)}
    assert rejections(reader) == bad
    detail = reader.rejected[0].detail
    assert "S010_002_00000002_emotion.txt" in detail
    assert detail.isprintable()
    assert text[:40] in detail or not text.isprintable()
    assert len(detail) < 150


def test_unreadable_emotion_file_rejects_its_sequence(tmp_path):
    archive = imitations.pack(official(tmp_path / "data", "   3.0000000e+00\n"), tmp_path / "ck.zip")
    packed = zlib.compress(b"   3.0000000e+00\n")[2:-4]
    archive.write_bytes(archive.read_bytes().replace(packed, packed[::-1]))
    reader = READERS["ckplus"](archive)
    assert set(rejections(reader).values()) == {"bad_label"}
    assert "cannot be read" in reader.rejected[0].detail


def test_sequence_with_two_labels_is_rejected(tmp_path):
    official(tmp_path, "   3.0000000e+00\n")
    official(tmp_path / "copy", "   5.0000000e+00\n", frames=(3, 4))
    assert set(rejections(READERS["ckplus"](tmp_path)).values()) == {"bad_label"}
    assert len(READERS["ckplus"](tmp_path).rejected) == 0  # nothing is read before it is asked for


def test_subject_number_may_have_another_zero(tmp_path):
    imitations.touched(tmp_path, CK_NAME.format("S005", "001", 11))
    imitations.write_text(tmp_path / "Emotion/S0005_001_00000011_emotion.txt", "   3.0000000e+00\n")
    (sample,) = READERS["ckplus"](tmp_path)
    assert (sample.subject, sample.emotion) == ("S005", Emotion.DISGUST)


def test_frames_are_sorted_by_number_in_any_case(tmp_path):
    official(tmp_path, "   1.0000000e+00\n", frames=(9, 10, 100))
    imitations.touched(tmp_path, "cohn-kanade-images/s010_002_11.JPG")
    samples = list(READERS["ckplus"](tmp_path))
    assert [sample.frame for sample in samples] == [9, 10, 11, 100]
    assert samples[2].key == "ckplus/S010_002_00000011"


def test_copies_and_other_names_are_rejected(tmp_path):
    official(tmp_path, "   1.0000000e+00\n")
    imitations.touched(tmp_path, "jpg/S010_002_00000001.jpg", "poster.png")
    reader = READERS["ckplus"](tmp_path)
    assert rejections(reader) == {"ckplus/S010_002_00000001": "converted_copy", "ckplus/poster.png": "bad_label"}
    assert [Path(sample.image.blob.name).suffix for sample in reader] == [".png", ".png"]


@pytest.mark.parametrize("one_zip", [False, True])
def test_ckplus_is_read_from_its_zips(portrait, tmp_path, one_zip):
    whole = imitations.write_ckplus(tmp_path / "whole", portrait, subjects=2, frames=3)
    for part in ("cohn-kanade-images", "Emotion", "Landmarks", "FACS"):
        (tmp_path / "zips").mkdir(exist_ok=True)
        (tmp_path / "parts" / part).mkdir(parents=True)
        (whole / part).rename(tmp_path / "parts" / part / part)
        imitations.pack(tmp_path / "parts" / part, tmp_path / f"zips/{part}.zip")
    if one_zip:
        imitations.pack(tmp_path / "zips", tmp_path / "zips.zip")
    samples = list(READERS["ckplus"](tmp_path / ("zips.zip" if one_zip else "zips")))
    assert len(samples) == 12
    assert sum(sample.emotion is not None for sample in samples) == 9
    assert all(sample.points for sample in samples)


def test_ckplus_labels_may_be_in_a_zip(tmp_path):
    official(tmp_path / "data", "   5.0000000e+00\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data/Emotion").rename(tmp_path / "labels/Emotion")
    imitations.pack(tmp_path / "labels", tmp_path / "data/Emotion_labels.zip")
    reader = READERS["ckplus"](tmp_path / "data")
    assert {sample.emotion for sample in reader} == {Emotion.HAPPY}
    assert reader.notes == []


@pytest.mark.parametrize("archive", [False, True])
def test_ckplus_without_labels_has_a_note(archive, tmp_path):
    official(tmp_path / "data", None)
    if archive:
        (tmp_path / "facs").mkdir()
        imitations.pack(
            imitations.touched(tmp_path / "facs", "FACS/S010_002_00000002_facs.txt"), tmp_path / "data/FACS_labels.zip"
        )
    reader = READERS["ckplus"](tmp_path / "data")
    assert [sample.emotion for sample in reader] == [None, None]
    assert "no emotion file" in reader.notes[0]


def test_ckplus_counts_are_the_published_ones(portrait, tmp_path):
    folders = [imitations.write_ckplus48(tmp_path / "48", portrait, subjects=1), official(tmp_path / "official", "1")]
    crops, sequences = (READERS["ckplus"](folder).layout.published for folder in folders)
    assert (sequences.unit, sum(sequences.counts[""].values())) == ("sequences", 327)
    assert (crops.unit, sum(crops.counts[""].values())) == ("images", 981)


def test_ckplus48_samples_have_subjects(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckplus48(tmp_path, portrait, subjects=2))
    samples = list(reader)
    assert {sample.subject for sample in samples} == {"S010", "S011"}
    assert {sample.sequence for sample in samples} == {"S010_002", "S011_001", "S011_002"}
    assert not reader.layout.starts_neutral


def test_ckplus48_crop_in_two_class_folders_is_rejected(tmp_path):
    imitations.touched(
        tmp_path, "anger/S010_004_00000017.png", "fear/S010_004_00000017.png", "fear/S010_004_00000018.png"
    )
    reader = READERS["ckplus"](tmp_path)
    assert rejections(reader) == {"ckplus/S010_004_00000017": "bad_label"}
    assert [sample.key for sample in reader] == ["ckplus/S010_004_00000018"]


def test_ckplus48_rejects_other_folders_and_names(tmp_path):
    imitations.touched(tmp_path, "anger/S010_004_00000017.png", "hapy/S010_004_00000018.png", "anger/renamed.png")
    assert rejections(READERS["ckplus"](tmp_path)) == {
        "ckplus/S010_004_00000018": "bad_label",
        "ckplus/anger/renamed.png": "bad_label",
    }


def test_ckplus48_ignores_split_folders(tmp_path):
    reader = READERS["ckplus"](
        imitations.touched(tmp_path, "train/anger/S010_004_00000017.png", "test/fear/S011_004_00000017.png")
    )
    assert {sample.split for sample in reader} == {None}
    assert "splits are not used" in reader.notes[0]


def test_ckplus48_beside_the_official_tree_is_refused(tmp_path):
    official(tmp_path, "   1.0000000e+00\n")
    with pytest.raises(DatasetError, match=r"CK\+48 lies beside the official tree"):
        READERS["ckplus"](imitations.touched(tmp_path, "CK+48/anger/S010_002_00000002.png"))


def test_renamed_ckplus48_has_no_subjects(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckplus48(tmp_path, portrait, subjects=1, names=False))
    assert "a split by subject is impossible" in reader.notes[0]
    assert {sample.subject for sample in reader} == {None}


def test_ckextended_code_7_is_contempt(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckextended(tmp_path, portrait))
    samples = list(reader)
    assert samples[7].emotion is Emotion.CONTEMPT
    assert samples[6].emotion is Emotion.NEUTRAL
    assert samples[12].key == "ckplus/0000012"
    assert "a split by subject is impossible" in reader.notes[0]


def test_bad_rows_of_ckextended_are_rejected(portrait, tmp_path):
    path = imitations.write_ckextended(tmp_path, portrait, rows=4)
    lines = path.read_text().splitlines()
    changed = [lines[1].replace("0,", "8,", 1), lines[2].replace("Training", "Test"), "3,1 2 3", lines[4]]
    reader = READERS["ckplus"](imitations.write_text(path, "\n".join([lines[0], *changed])))
    assert list(rejections(reader).values()) == ["bad_label", "bad_split", "bad_row"]
    assert [sample.key for sample in reader] == ["ckplus/0000003"]


def test_ckextended_without_a_column_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"ckextended\.csv, row 1: no column usage"):
        READERS["ckplus"](imitations.write_text(tmp_path / "ckextended.csv", "emotion,pixels\n0,1 2\n"))
