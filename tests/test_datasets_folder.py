"""The user's own photos: class folders, and tables that list photos."""

import unicodedata

import imitations
import pytest
from imitations import rejections

from emonet.datasets import READERS, DatasetError
from emonet.labels import Emotion


def listed(folder, *rows, header="path,label,subject"):
    return imitations.write_text(folder / "photos.csv", "\n".join([header, *rows]) + "\n")


def test_folders_give_label_and_split(portrait, tmp_path):
    samples = {sample.key: sample for sample in READERS["folder"](imitations.write_folder(tmp_path, portrait))}
    assert samples["folder/train/happy/summer/b.png"].emotion is Emotion.HAPPY
    assert samples["folder/val/01_surprised/d.jpg"].split == "validation"
    assert samples["folder/test/ANGRY/no suffix"].emotion is Emotion.ANGRY


def test_a_folder_with_the_initials_of_a_person_is_no_expression(tmp_path):
    reader = READERS["folder"](
        imitations.touched(tmp_path, "happy/AN01/a.jpg", "sad/Di/b.jpg", "AN/c.jpg", "DI01/disgust/SU/d.jpg")
    )
    assert [sample.emotion for sample in reader] == [Emotion.ANGRY, Emotion.DISGUST, Emotion.HAPPY, Emotion.SAD]
    assert reader.rejected == []


def test_private_folder_is_not_a_split(tmp_path):
    reader = READERS["folder"](imitations.touched(tmp_path, "private/happy/a.jpg", "happy/test/b.jpg"))
    assert {sample.split for sample in reader} == {None}


def test_folders_that_name_no_split_are_said(tmp_path):
    reader = READERS["folder"](
        imitations.touched(tmp_path, "train/happy/a.jpg", "happy/test/b.jpg", "dev/sad/c.jpg", "val/sad/dave/d.jpg")
    )
    (note,) = reader.notes
    assert "no split is read from dev, happy/test:" in note


def test_a_table_beside_class_folders_is_said_not_to_be_read(tmp_path):
    reader = READERS["folder"](imitations.touched(tmp_path, "happy/a.jpg", "people.csv"))
    assert "people.csv: not read" in reader.notes[0]


def test_files_outside_class_folders_are_rejected(tmp_path):
    imitations.touched(
        tmp_path,
        "happy/a.jpg",
        "hapy/b.jpg",
        "hapy/c",
        "d.png",
        "notes.txt",
        "happy/Sadness/e.jpg",
        "anger/anger/f.jpg",
    )
    reader = READERS["folder"](tmp_path)
    wrong = ("hapy/b.jpg", "hapy/c", "d.png", "happy/Sadness/e.jpg")
    assert rejections(reader) == {f"folder/{name}": "bad_label" for name in wrong}
    details = {rejected.key: rejected.detail for rejected in reader.rejected}
    assert "'hapy'" in details["folder/hapy/b.jpg"]
    assert "happy" in details["folder/happy/Sadness/e.jpg"]
    assert "Sadness" in details["folder/happy/Sadness/e.jpg"]
    assert [sample.key for sample in reader] == ["folder/anger/anger/f.jpg", "folder/happy/a.jpg"]


@pytest.mark.parametrize(
    "header",
    [
        "filepath,facial_expression,person,Usage",
        " Image ; Emotion;subject;set",
        "file_name,label,person_id,split",
        "image_path,label,identity,split",
        "file\tclass\tsubject\tsplit",
    ],
)
def test_photo_list_columns_have_other_names(header, portrait, tmp_path):
    imitations.write_photo_list(tmp_path, portrait)
    delimiter = next(sign for sign in ";\t," if sign in header)
    rows = (tmp_path / "photos.csv").read_text().splitlines()[1:]
    text = "\n".join([header, *(row.replace(",", delimiter) for row in rows)])
    reader = READERS["folder"](imitations.write_text(tmp_path / "photos.csv", f"\ufeff{text}"))
    samples = list(reader)
    assert {(sample.subject, sample.split) for sample in samples[:2]} == {("anna", "train"), ("otto", "train")}
    assert len(samples) == 8
    assert reader.layout.subjects


def test_photo_list_without_subjects(portrait, tmp_path):
    reader = READERS["folder"](imitations.write_photo_list(tmp_path, portrait, header="path,label"))
    assert not reader.layout.subjects
    assert {(sample.subject, sample.split) for sample in reader} == {(None, None)}


def test_subjects_are_known_only_if_all_are(tmp_path):
    imitations.touched(tmp_path, "a.jpg", "b.jpg")
    reader = READERS["folder"](listed(tmp_path, "a.jpg,happy,anna", "b.jpg,sad,"))
    assert not reader.layout.subjects
    assert [sample.subject for sample in reader] == ["anna", None]


def test_bad_photo_list_rows_are_rejected(tmp_path):
    imitations.touched(tmp_path, "a.jpg", "b.jpg")
    rows = [
        "a.jpg,happy,x,train",
        f"{'long' * 999}.jpg,sad,x,train",
        "none.jpg,sad,x,train",
        "b.jpg,hapy,x,train",
        "b.jpg,sad,x,practice",
        "b.jpg,sad",
    ]
    reader = READERS["folder"](listed(tmp_path, *rows, "./a.jpg,sad,x,train", header="path,label,subject,split"))
    assert [sample.key for sample in reader] == ["folder/a.jpg"]
    found = [(rejected.reason, rejected.detail[:5]) for rejected in reader.rejected]
    reasons = ("unreadable", "unreadable", "bad_label", "bad_split", "bad_row", "bad_row")
    assert found == [(reason, f"row {number}") for number, reason in enumerate(reasons, 3)]


def test_columns_that_are_not_read_are_said(tmp_path):
    imitations.touched(tmp_path, "a.jpg")
    reader = READERS["folder"](listed(tmp_path, "a.jpg,happy,30,x", header="path,label,age,camera"))
    assert reader.notes == ["columns that are not read: age, camera"]


def test_of_a_column_of_names_and_one_of_numbers_the_names_are_labels(tmp_path):
    imitations.touched(tmp_path, "a.jpg", "b.jpg")
    reader = READERS["folder"](listed(tmp_path, "a.jpg,3,happy", "b.jpg,4,sad", header="file_name,label,emotion"))
    assert [sample.emotion for sample in reader] == [Emotion.HAPPY, Emotion.SAD]


def test_labels_of_numbers_are_not_renamed_where_there_are_no_others(tmp_path):
    with pytest.raises(DatasetError, match="2 columns named label, emotion"):
        READERS["folder"](listed(tmp_path, "a.jpg,3,4", header="path,class,emotion"))


def test_a_column_with_its_own_name_is_read_before_those_with_other_names(tmp_path):
    imitations.touched(tmp_path, "a.jpg")
    header = "set,file_name,participant,emotion,path,label,subject,split"
    reader = READERS["folder"](listed(tmp_path, "2,x.jpg,otto,sad,a.jpg,happy,anna,train", header=header))
    (sample,) = reader
    assert (sample.key, sample.emotion) == ("folder/a.jpg", Emotion.HAPPY)
    assert (sample.subject, sample.split) == ("anna", "train")
    assert reader.notes == ["columns that are not read: set, file_name, participant, emotion"]


def test_a_table_in_utf_16_is_read(tmp_path):
    imitations.touched(tmp_path, "jürgen.jpg")
    (tmp_path / "photos.csv").write_text("path\tlabel\njürgen.jpg\thappy\n", encoding="utf-16")
    assert [sample.key for sample in READERS["folder"](tmp_path / "photos.csv")] == ["folder/jürgen.jpg"]


def test_a_table_of_another_encoding_says_how_to_save_it(tmp_path):
    (tmp_path / "photos.csv").write_text("path,label\njürgen.jpg,happy\n", encoding="cp1252")
    with pytest.raises(DatasetError, match=r"photos\.csv: not UTF-8.*CSV UTF-8"):
        READERS["folder"](tmp_path / "photos.csv")


def test_empty_label_is_no_label(tmp_path):
    imitations.touched(tmp_path, "a.jpg")
    (sample,) = READERS["folder"](listed(tmp_path, "a.jpg,,anna"))
    assert sample.emotion is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_found_however_a_system_writes_them(form, tmp_path):
    composed, decomposed = (unicodedata.normalize(one, "é/jürgen.jpg") for one in ("NFC", "NFD"))
    imitations.touched(tmp_path / "data", unicodedata.normalize(form, composed))
    listed(tmp_path / "data", f"{composed},happy,x", f"{decomposed},happy,x")
    for place in ("data/photos.csv", imitations.pack(tmp_path / "data", tmp_path / "data.zip")):
        reader = READERS["folder"](tmp_path / place)
        assert len(list(reader)) == 1
        assert list(rejections(reader).values()) == ["bad_row"]  # the second row names the same file


def test_photo_list_paths_are_relative_or_absolute(tmp_path):
    imitations.touched(tmp_path, "here/a.jpg", "there/b.jpg", "there/c.jpg")
    absolute = tmp_path / "there/c.jpg"
    rows = ("a.jpg,happy,anna", "..\\there\\b.jpg,happy,anna", f"{absolute},sad,anna")
    reader = READERS["folder"](listed(tmp_path / "here", *rows))
    assert [sample.key for sample in reader] == ["folder/a.jpg", "folder/../there/b.jpg", "folder/../there/c.jpg"]
    assert rejections(reader) == {}


def test_drives_of_windows_are_in_no_keys(tmp_path):
    reader = READERS["folder"](listed(tmp_path, "D:\\photos\\a.jpg,happy,anna", "D:/photos/b/c.jpg,sad,otto"))
    assert list(rejections(reader)) == ["folder/a.jpg", "folder/b/c.jpg"]  # there are no such files


def test_photo_list_in_an_archive_finds_only_members(tmp_path):
    imitations.touched(tmp_path, "data/sub/a.jpg", "outside.jpg")
    rows = ("a.jpg,happy,x", "../../outside.jpg,sad,x", f"{tmp_path / 'outside.jpg'},sad,x")
    listed(tmp_path / "data/sub", *rows)
    reader = READERS["folder"](imitations.pack(tmp_path / "data", tmp_path / "data.zip"))
    assert [sample.key for sample in reader] == ["folder/sub/a.jpg"]
    assert list(rejections(reader).values()) == ["unreadable", "unreadable"]


@pytest.mark.parametrize(
    "header",
    ["path,mood", "photo,label", "image,file,label", "path,class,emotion", "path,label,person,identity", "path label"],
)
def test_photo_list_without_columns_is_refused(header, tmp_path):
    with pytest.raises(DatasetError, match=r"photos\.csv, row 1: ") as caught:
        READERS["folder"](listed(tmp_path, "a,b", header=header))
    assert caught.value.row == 1


@pytest.mark.parametrize("content", [b"", b"\n\n", b"path,label\n\xff\xfe,happy\n"])
def test_photo_list_that_is_not_text_is_refused(content, tmp_path):
    (tmp_path / "photos.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"photos\.csv: "):
        READERS["folder"](tmp_path / "photos.csv")
