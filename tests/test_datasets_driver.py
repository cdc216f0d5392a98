"""What a build decides takes little memory for each image: on Spark it all is in one process."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from emonet.datasets.builder import BuildOptions
from emonet.datasets.builder.decisions import make_index
from emonet.datasets.builder.rows import CropRow, list_column, read_rows, write_rows
from emonet.datasets.curation.likeness import Likeness, describe_likeness
from emonet.datasets.curation.splits import Member, hold_out

ROWS = 3000
MOST = 400  # bytes of Python and NumPy for a row; it was 831 when each value of a column was an object of its own


class NoSearch:
    """Finds no copies."""

    def find_copies(self, hashes):
        return np.arange(len(hashes))

    def find_near_pairs(self, *_):
        return []

    find_altered_copies = find_near_pairs


@pytest.fixture
def paths(tmp_path):
    packed = describe_likeness([np.zeros((48, 48), np.uint8)]).encode()[0]
    rows = [
        CropRow(
            f"fer2013/fer{number:07d}",
            "fer2013",
            "test" if number % 10 == 9 else "train",
            ("happy", "sad")[number % 2],
            None,
            None,
            None,
            image=b"an image",
            size=8,
            sha1=f"{number:040x}",
            perceptual=number,
            likeness=packed,
        )
        for number in range(ROWS)
    ]
    found = [tmp_path / f"{start}.parquet" for start in range(0, ROWS, 250)]
    for place, path in enumerate(found):
        write_rows(rows[250 * place : 250 * (place + 1)], path)
    return found


def test_decisions_take_little_memory(paths):
    rows, options = read_rows(paths), BuildOptions({"fer2013": "fer2013.csv"}, detector="whole", dev=200)
    make_index(rows, {}, options, NoSearch())  # what is imported and kept
    tracemalloc.start()
    try:
        index = make_index(rows, {}, options, NoSearch())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert index.split.count("dev") == 200
    assert peak / ROWS < MOST


def test_images_are_not_read_for_decisions(paths):
    assert not {"image", "preview"} & set(read_rows(paths).column_names)


def test_equal_values_of_a_column_are_one_object():
    table = pa.table({"source": pa.chunked_array([["jaffe", None], ["jaffe"]])})
    first, none, last = list_column(table, "source")
    assert (first, none) == ("jaffe", None)
    assert first is last


def test_descriptions_are_the_same_after_they_were_packed():
    random = np.random.default_rng(0)
    described = describe_likeness(list(random.integers(0, 256, (3, 48, 48), np.uint8)))
    unpacked = Likeness.decode(iter(described.encode()))
    for name in ("even", "odd", "fits"):
        assert np.array_equal(getattr(described, name), getattr(unpacked, name))
    assert Likeness.decode([]).even.shape == describe_likeness([]).even.shape


def test_groups_of_several_images_are_counted_whole():
    members = [Member(group, label, "a") for group, label in (("one", 0), ("two", 0), ("two", 1), ("two", 1))]
    assert hold_out([*members, Member("three", 0, "a"), Member("four", 1, "a")], 3, 0) in (
        {"two"},
        {"one", "three", "four"},
    )
