"""JAFFE: labels from file names, conversions of an image, and renamed images."""

from collections import Counter
from pathlib import Path

import imitations
import pytest
from imitations import rejections

from emonet.datasets import READERS
from emonet.labels import Emotion


@pytest.mark.parametrize("name", ["KA.AN1.39.tiff", "ka-an1-39.png", "KA_AN1_39.jpg", "KA.AN1.39.tiff.bmp"])
def test_jaffe_names_give_subject_and_label(name, tmp_path):
    (sample,) = READERS["jaffe"](imitations.touched(tmp_path, f"jaffedbase/{name}"))
    assert (sample.key, sample.subject, sample.emotion) == ("jaffe/KA.AN1.39", "KA", Emotion.ANGRY)


def test_jaffe_codes_become_expressions(portrait, tmp_path):
    reader = READERS["jaffe"](imitations.write_jaffe(tmp_path, portrait))
    counts = Counter(sample.emotion for sample in reader)
    assert counts == dict.fromkeys(reader.layout.published.counts[""], 10)
    assert sum(reader.layout.published.counts[""].values()) == 213
    assert len({sample.subject for sample in reader}) == 10


def test_one_conversion_of_each_image_is_kept(tmp_path):
    imitations.touched(
        tmp_path, "jpg/KA.AN1.39.tiff.jpg", "KA.AN1.39.tiff", "KA.AN1.39.png", "KA.HA1.29.bmp", "KA.HA1.29.jpeg"
    )
    reader = READERS["jaffe"](tmp_path)
    kept = {sample.key: Path(sample.image.blob.name).name for sample in reader}
    assert kept == {"jaffe/KA.AN1.39": "KA.AN1.39.tiff", "jaffe/KA.HA1.29": "KA.HA1.29.bmp"}
    assert Counter(rejected.reason for rejected in reader.rejected) == {"converted_copy": 3}


def test_jaffe_rejects_other_names(tmp_path):
    reader = READERS["jaffe"](
        imitations.touched(tmp_path, "KA.AN1.39.tiff", "KA.XX1.40.tiff", "KA-NE.tiff", "README", "a_names.dat")
    )
    assert rejections(reader) == {"jaffe/KA.XX1.40": "bad_label", "jaffe/KA-NE.tiff": "bad_label"}


def test_jaffe_names_count_more_than_folders(tmp_path):
    reader = READERS["jaffe"](imitations.touched(tmp_path, "ANGRY/KA.AN1.39.tiff", "FEAR/KA.HA1.29.tiff"))
    assert {sample.key: sample.emotion for sample in reader}["jaffe/KA.HA1.29"] is Emotion.HAPPY
    assert reader.notes == ["names count more than folders, and contradict them in 1 of 2: FEAR/KA.HA1.29.tiff"]


@pytest.mark.parametrize(
    "write", [imitations.jaffe_writer(classes=imitations.JAFFE_FOLDERS, names=False), imitations.write_jaffe_list]
)
def test_renamed_jaffe_has_no_subjects(write, portrait, tmp_path):
    write(tmp_path, portrait)
    reader = READERS["jaffe"](tmp_path)
    assert "a split by subject is impossible" in reader.notes[0]
    assert {sample.subject for sample in reader} == {None}
