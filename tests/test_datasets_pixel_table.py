"""Tables of pixels: rows in any form are read exactly, and errors name their row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emonet.datasets import DatasetError
from emonet.datasets.formats.pixel_table import BadRow, open_pixel_table, parse_pixels, read_rows
from emonet.datasets.formats.tree import open_tree
from facecrop import ImageError

GREY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
TEXT = " ".join(map(str, GREY.ravel()))


def table(tmp_path, content, newline="\n"):
    path = tmp_path / "faces.csv"
    path.write_bytes(content.replace("\n", newline).encode())
    return open_pixel_table(open_tree(path), "faces.csv")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "content",
    [
        f"emotion,pixels,Usage\n3,{TEXT},Training\n",
        f"emotion, Usage, pixels\n3,Training,{TEXT}\n",
        f"pixels,emotion,usage\n{TEXT},3,Training",
        f'emotion,Usage,pixels\n3,Training,"{TEXT}"\n',
        f'emotion,pixels,Usage\n3,"{TEXT}",Training\n',
        f"emotion,pixels,Usage\n3,{TEXT} ,Training\n\n",
        f"\ufeff,emotion,pixels,Usage\n0,3,{TEXT.replace(' ', '  ')},Training\n",
    ],
)
def test_columns_are_found_by_name(tmp_path, content, newline):
    (row,) = table(tmp_path, content, newline).rows()
    assert (row.number, row.cells["emotion"], row.cells["usage"]) == (0, "3", "Training")
    assert (row.image.read() == GREY[..., None]).all()


def test_bad_rows_are_counted(tmp_path):
    rows = list(table(tmp_path, f"emotion,pixels\n0,{TEXT}\n7\n1,{TEXT}\n" + "9" * 2**21 + "\n").rows())
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [row.reason for row in rows if isinstance(row, BadRow)] == [
        "fewer columns than the header's 2",
        "a row of 2,097,153 bytes",
    ]


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (TEXT[:-4], "pixels, not 2304"),
        (TEXT + " 7", "2305 pixels"),
        ("256 " + TEXT.split(" ", 1)[1], "a grey value of 256"),
        ("1000000 " + TEXT.split(" ", 1)[1], "a grey value of 1000, more"),
        ("x " + TEXT.split(" ", 1)[1], "'x' is no grey value"),
        ("-3 " + TEXT.split(" ", 1)[1], "'-3' is no grey value"),
        ("", "0 pixels"),
    ],
)
def test_bad_pixels_name_their_row(tmp_path, pixels, reason):
    rows = list(table(tmp_path, f"emotion,pixels\n0,{TEXT}\n0,{pixels}\n0,{TEXT}\n").rows())
    first, wrong, last = read_rows([row.image for row in rows])
    assert (first == GREY).all()
    assert (last == GREY).all()
    assert reason in str(wrong)
    with pytest.raises(ImageError, match="row 3: "):
        rows[1].image.read()


@pytest.mark.parametrize(
    ("content", "reason"), [("", "the file is empty"), ("a,b\n", "row 1: no column pixels; found a, b")]
)
def test_header_without_pixels_is_refused(tmp_path, content, reason):
    with pytest.raises(DatasetError, match=reason):
        table(tmp_path, content)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([1, 9, 10, 99, 100, 255]))
@settings(max_examples=50, deadline=None)
def test_parsed_pixels_are_the_written_ones(seed, count, most):
    pictures = np.random.default_rng(seed).integers(0, most + 1, (count, 48, 48), np.uint8)
    texts = [" ".join(map(str, picture.ravel())).encode() for picture in pictures]
    assert all((parse_pixels(text) == picture).all() for text, picture in zip(texts, pictures, strict=True))


@given(st.lists(st.sampled_from(["0", "7", "42", "255", "256", "0042", "1234", "-1", "a", "", "  "]), max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_words_are_parsed_or_refused(words):
    text = " ".join((*words, *["0"] * (2304 - len(words)))).encode()
    numbers = text.split()
    if len(numbers) == 2304 and all(word.isdigit() and int(word) < 256 for word in numbers):
        assert parse_pixels(text).ravel().tolist() == [int(word) for word in numbers]
    else:
        with pytest.raises(ValueError, match=r"pixels|grey value"):
            parse_pixels(text)
