"""FER2013: keys and splits of every layout, and bad rows, cells and folders."""

import imitations
import numpy as np
import pytest
from imitations import rejections

from emonet.datasets import READERS, DatasetError
from emonet.labels import Emotion
from facecrop import ImageError


@pytest.fixture(scope="module")
def rows(portrait):
    return imitations.fer2013_rows(portrait)


def edited_csv(path, rows, number, old, new):
    """fer2013.csv with one row changed; the header has number -1."""
    lines = imitations.write_fer2013_csv(path, rows).read_text().splitlines()
    assert old in lines[number + 1]
    lines[number + 1] = lines[number + 1].replace(old, new, 1)
    return imitations.write_text(path, "\n".join(lines) + "\n")


def test_fer2013_keys_are_row_numbers(rows, tmp_path):
    keys = [sample.key for sample in READERS["fer2013"](imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows))]
    assert keys == [f"fer2013/fer{row:07d}" for row in range(28)]


def test_fer2013_keys_of_several_tables_name_the_table(rows, tmp_path):
    keys = {sample.key for sample in READERS["fer2013"](imitations.write_fer2013_split_csvs(tmp_path, rows))}
    assert {"fer2013/train/0000013", "fer2013/val/0000000", "fer2013/test/0000006"} <= keys


def test_fer2013_keys_of_a_tree_are_its_paths(rows, tmp_path):
    keys = {sample.key for sample in READERS["fer2013"](imitations.write_fer2013_tree(tmp_path, rows))}
    assert {"fer2013/train/angry/Training_10000.jpg", "fer2013/test/angry/PrivateTest_10777.jpg"} <= keys


@pytest.mark.parametrize("layout", ["kaggle", "icml"])
def test_fer2013_pixels_and_labels_are_those_of_the_rows(layout, rows, tmp_path):
    reader = READERS["fer2013"](imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows, layout=layout))
    for sample, row in zip(reader, rows, strict=True):
        assert np.array_equal(sample.image.read()[..., 1], row.face)
        assert sample.emotion is list(Emotion)[row.code]


def test_fer2013_file_names_give_the_split(rows, tmp_path):
    for sample in READERS["fer2013"](imitations.write_fer2013_tree(tmp_path, rows)):
        assert ("PublicTest" in sample.key) == (sample.split == "validation")
        assert ("PrivateTest" in sample.key) == (sample.split == "test")


BAD_ROWS = {
    "code 7": (("3,", "7,"), "bad_label"),
    "a code that is no number": (("3,", "x,"), "bad_label"),
    "no code": (("3,", ","), "bad_label"),
    "a strange Usage": (("Training", "Practice"), "bad_split"),
    "no Usage": (("Training", ""), "bad_split"),
    "a cell too few": ((",Training", ""), "bad_row"),
    "a cell too many": ((",Training", ",Training,1"), "bad_split"),
}


@pytest.mark.parametrize(("edit", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_fer2013_row_is_rejected(edit, reason, rows, tmp_path):
    reader = READERS["fer2013"](edited_csv(tmp_path / "fer2013.csv", rows, 3, *edit))
    assert rejections(reader) == {"fer2013/fer0000003": reason}
    assert len(list(reader)) == 27
    assert "row" in reader.rejected[0].detail


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [(",", ",256 ", "2305 pixels"), (",", ",9999", "more than 255"), (",", ",-", "no grey value")],
)
def test_bad_pixels_are_reported_when_read(old, new, reason, rows, tmp_path):
    *_, sample = list(READERS["fer2013"](edited_csv(tmp_path / "fer2013.csv", rows, 3, old, new)))[:4]
    with pytest.raises(ImageError, match=rf"fer2013\.csv: row 5: .*({reason})"):
        sample.image.read()


def test_short_and_endless_rows_are_rejected(rows, tmp_path):
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with path.open("a") as file:
        file.write(f"nothing\n\n0,{'1 ' * 2**20},Training\n")
    reader = READERS["fer2013"](path)
    assert rejections(reader) == {"fer2013/fer0000028": "bad_row", "fer2013/fer0000029": "bad_row"}
    assert "a row of 2,097,1" in reader.rejected[1].detail


def test_many_bad_rows_are_counted(rows, tmp_path):
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with path.open("a") as file:
        file.writelines(f"{number},x\n" for number in range(5000))
    reader = READERS["fer2013"](path)
    assert len(rejections(reader)) == 5000
    assert len(list(reader)) == 28


@pytest.mark.parametrize("header", ["emotion,Usage", "pixels,Usage", "emotion,pixels", "0,1,2"])
def test_fer2013_without_a_column_is_refused(header, tmp_path):
    path = imitations.write_text(tmp_path / "fer2013.csv", f"{header}\n1,2\n")
    with pytest.raises(DatasetError, match=r"fer2013\.csv, row 1: no column") as caught:
        READERS["fer2013"](path)
    assert caught.value.row == 1


@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_csv_is_refused(text, tmp_path):
    with pytest.raises(DatasetError, match=r"fer2013\.csv.*empty"):
        READERS["fer2013"](imitations.write_text(tmp_path / "fer2013.csv", text))


def test_windows_line_ends_and_byte_order_mark_are_read(rows, tmp_path):
    text = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows).read_bytes()
    (tmp_path / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    samples = list(READERS["fer2013"](tmp_path))
    assert np.array_equal(samples[-1].image.read()[..., 0], rows[-1].face)
    assert samples[-1].split == "test"


def test_fer2013_tree_rejects_other_folders(rows, tmp_path):
    imitations.write_fer2013_tree(tmp_path, rows)
    imitations.touched(tmp_path, "train/hapy/Training_1.jpg", "angry/12.jpg", "train/angry/Training_2_aug.jpg")
    assert rejections(READERS["fer2013"](tmp_path)) == {
        "fer2013/train/hapy/Training_1.jpg": "bad_label",
        "fer2013/angry/12.jpg": "bad_split",
        "fer2013/train/angry/Training_2_aug.jpg": "augmented_copy",
    }
