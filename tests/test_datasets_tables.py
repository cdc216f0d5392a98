"""Tables as people save them: packed, with the line ends of old Macs, with absolute paths; and messages on them."""

import gzip

import imitations
import pytest
import trainings

from emonet.datasets import READERS, DatasetError
from emonet.datasets.builder import BuildOptions, prepare


@pytest.fixture
def photos(portrait, tmp_path):
    for name in ("a", "b"):
        imitations.save(tmp_path / "photos" / name / "1.png", portrait)
    return tmp_path / "photos"


def keys(reader):
    return [sample.key for sample in reader]


def test_absolute_paths_are_not_in_keys(photos, tmp_path):
    rows = [f"{photos / name / '1.png'},{label}" for name, label in (("a", "happy"), ("b", "sad"))]
    inside = imitations.write_text(photos / "list.csv", "\n".join(["path,label", *rows]))
    outside = imitations.write_text(tmp_path / "lists" / "list.csv", "\n".join(["path,label", *rows]))
    assert keys(READERS["folder"](inside)) == keys(READERS["folder"](outside)) == ["folder/a/1.png", "folder/b/1.png"]


def test_absolute_and_relative_paths_of_one_file_have_one_key(photos):
    rows = ["path,label", f"{photos}/a/1.png,happy", "a/1.png,sad"]
    reader = READERS["folder"](imitations.write_text(photos / "list.csv", "\n".join(rows)))
    assert keys(reader) == ["folder/a/1.png"]
    assert "the same file as in row 2" in reader.rejected[0].detail


def test_files_of_one_name_in_two_folders_have_two_keys(photos):
    rows = ["path,label", "1.png,happy", f"{photos}/b/1.png,sad"]
    table = imitations.write_text(photos / "a" / "list.csv", "\n".join(rows))
    assert keys(READERS["folder"](table)) == ["folder/1.png", "folder/../b/1.png"]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_photo_list_has_any_line_ends(photos, end):
    text = end.join(["path,label,subject", "a/1.png,happy,anna", "b/1.png,sad,otto", ""])
    (photos / "list.csv").write_bytes(text.encode())
    reader = READERS["folder"](photos / "list.csv")
    assert keys(reader) == ["folder/a/1.png", "folder/b/1.png"]
    assert reader.layout.subjects


def test_pixel_table_with_ends_of_old_macs_is_refused_with_advice(portrait, tmp_path):
    table = trainings.write_faces(tmp_path / "fer2013.csv", portrait, training=7, tests=0)
    table.write_bytes(table.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r"))
    with pytest.raises(DatasetError, match=r"CR alone.*save it with LF"):
        READERS["fer2013"](table)


@pytest.fixture
def packed(portrait, tmp_path):
    """A table of pixels, and the same one packed."""
    table = trainings.write_faces(tmp_path / "plain" / "fer2013.csv", portrait, training=7, tests=7)
    place = tmp_path / "packed" / "fer2013.csv.gz"
    place.parent.mkdir()
    place.write_bytes(gzip.compress(table.read_bytes()))
    return table, place


def test_packed_pixel_table_is_read(packed, tmp_path):
    plain, place = packed
    for given in (place, place.parent):
        reader = READERS["fer2013"](given)
        assert reader.layout.title == READERS["fer2013"](plain).layout.title
        samples = list(reader)
        assert [sample.key for sample in samples] == keys(READERS["fer2013"](plain))
    store = trainings.build_store(tmp_path / "out", {"fer2013": place})
    assert sum(store.splits.values()) == len(samples)


def test_packed_table_beside_the_plain_one_is_passed_over(packed):
    plain, place = packed
    place.rename(plain.parent / place.name)
    assert keys(READERS["fer2013"](plain.parent)) == keys(READERS["fer2013"](plain))


def test_packed_photo_list_finds_files_beside_it(photos):
    (photos / "list.csv.gz").write_bytes(gzip.compress(b"path,label\na/1.png,happy\nb/1.png,sad\n"))
    assert keys(READERS["folder"](photos / "list.csv.gz")) == ["folder/a/1.png", "folder/b/1.png"]


def test_damaged_packed_table_is_named(photos):
    (photos / "list.csv.gz").write_bytes(gzip.compress(b"path,label\na/1.png,happy\n")[:-9])
    with pytest.raises(DatasetError, match=r"list\.csv\.gz"):
        READERS["folder"](photos / "list.csv.gz")


def test_nothing_usable_is_said_in_words(portrait, tmp_path):
    tree = imitations.write_ckplus(tmp_path / "CK+", portrait, subjects=1, frames=3)
    for path in sorted(tree.rglob("*_emotion.txt")):
        path.unlink()
    with pytest.raises(DatasetError, match=r"nothing usable; rejected: no_label \d+$"):
        prepare(BuildOptions({"ckplus": str(tree)}))
