"""Parquet files: labels without names, labels that are not expressions, and broken images."""

import re

import imitations
import pytest

from emonet.datasets import READERS, DatasetError
from facecrop import ImageError


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path, rows: imitations.write_fer2013_parquet(path, rows, names=None), "have no names"),
        (
            lambda path, rows: imitations.write_text(path / "train.parquet", f"{len(rows)}"),
            "not a Parquet file",
        ),
    ],
)
def test_parquet_without_label_names_is_refused(make, words, tmp_path, portrait):
    make(tmp_path / "faces", imitations.fer2013_rows(portrait, training=2, tests=1))
    with pytest.raises(DatasetError, match=words):
        READERS["fer2013"](tmp_path / "faces")


def test_bad_parquet_labels_and_images_are_rejected(tmp_path, portrait):
    names = ("angry", "disgust", "puzzled", "happy", "sad", "surprise", "neutral")
    reader = READERS["fer2013"](write_parquet_with_a_broken_picture(tmp_path / "faces", portrait, names))
    first = next(sample for sample in reader if sample.split == "train")
    with pytest.raises(ImageError, match="row 0 of row group 0: "):
        first.image.read()
    assert len(list(reader)) == 4
    assert [one.detail for one in reader.rejected] == ["label 2 is 'puzzled', no expression"]


@pytest.mark.parametrize("column", ["image", "label"])
def test_a_parquet_file_that_is_damaged_within_is_named(tmp_path, portrait, column):
    import pyarrow.parquet as pq

    folder = imitations.write_fer2013_parquet(tmp_path, imitations.fer2013_rows(portrait, training=3, tests=1))
    path = folder / "train-00000-of-00001.parquet"
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    start = min(chunk.data_page_offset for chunk in chunks if chunk.path_in_schema.startswith(column))
    content = bytearray(path.read_bytes())
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)

    words = rf"{re.escape(path.name)}: column {column} of row group 0 cannot be read: "
    with pytest.raises((DatasetError, ImageError), match=words):
        [sample.image.read() for sample in READERS["fer2013"](folder)]


def write_parquet_with_a_broken_picture(folder, portrait, names):
    import pyarrow as pa
    import pyarrow.parquet as pq

    imitations.write_fer2013_parquet(folder, imitations.fer2013_rows(portrait, training=3, tests=1), names=names)
    path = folder / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    cells = table.column("image").to_pylist()
    cells[0]["bytes"] = b"no picture"
    pq.write_table(
        table.set_column(0, table.schema.field("image"), pa.array(cells, table.schema.field("image").type)), path
    )
    return folder
