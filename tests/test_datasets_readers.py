"""One contract over every layout of every data set, then each data set's quirks."""

import multiprocessing
import pickle
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path

import imitations
import numpy as np
import pytest

from emonet.datasets import READERS, DatasetError
from emonet.datasets.ckplus import read_points
from emonet.datasets.tree import FileBlob
from emonet.labels import Emotion
from facecrop import CropSpec, ImageError

RENAMED = {
    "capitalised": ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"),
    "nouns": ("anger", "disgust", "fear", "happiness", "sadness", "surprised", "neutral"),
    "codes": tuple("0123456"),
}
JAFFE_FOLDERS = {
    "AN": "ANGRY",
    "DI": "Disgust",
    "FE": "FEAR",
    "HA": "happy",
    "NE": "Neutral",
    "SA": "SAD",
    "SU": "SURPRISE",
}


@dataclass(frozen=True)
class Variant:
    """One layout: how it is written, and what a reader must make of it."""

    reader: str
    write: object  # (folder, portrait)
    title: str
    count: int
    splits: dict = field(default_factory=dict)
    rejected: dict = field(default_factory=dict)
    subjects: int = 0
    framed: bool = False


def fer2013(write, title, count=28, splits=None, rejected=None, **options):
    splits = {"train": 14, "validation": 7, "test": 7} if splits is None else splits
    return Variant(
        "fer2013",
        lambda folder, portrait: write(folder, imitations.fer2013_rows(portrait), **options),
        title,
        count,
        splits,
        rejected or {},
        framed=True,
    )


def in_file(name, **options):
    return lambda folder, rows: imitations.write_fer2013_csv(folder / name, rows, **options)


def ckplus(folder, portrait):
    return imitations.write_ckplus(folder, portrait, subjects=3, frames=3)


def renamed_ckplus48(folder, portrait):
    return imitations.write_ckplus48(folder, portrait, names=False)


def jaffe(people=imitations.JAFFE_PEOPLE[:3], **options):
    return lambda folder, portrait: imitations.write_jaffe(folder, portrait, people=people, **options)


TREE = imitations.write_fer2013_tree
OTHERS = {"README.txt": 0}
VARIANTS = {
    "fer2013.csv": fer2013(in_file("fer2013.csv"), "fer2013.csv"),
    "icml_face_data.csv": fer2013(in_file("fer2013/icml_face_data.csv", layout="icml"), "usage, pixels"),
    "competition": fer2013(imitations.write_fer2013_competition, "train.csv", 14, {"train": 14}, {"no_label": 14}),
    "split CSVs": fer2013(imitations.write_fer2013_split_csvs, "val.csv"),
    "Kaggle tree": fer2013(TREE, "image tree (test, train)"),
    "three-way tree": fer2013(TREE, "image tree (test, train, validation)", validation="validation"),
    "augmented tree": fer2013(TREE, "image tree", rejected={"augmented_copy": 12}, validation="val", augmented=True),
    **{f"renamed to {how}": fer2013(TREE, "image tree", classes=classes) for how, classes in RENAMED.items()},
    "FER+ tree": fer2013(imitations.write_ferplus_tree, "FER+", 25, {"train": 13, "validation": 6, "test": 6}),
    "Parquet": fer2013(imitations.write_fer2013_parquet, "3 Parquet files"),
    "CK+": Variant("ckplus", ckplus, "official tree", 18, {None: 18}, subjects=3),
    "CK+48": Variant("ckplus", imitations.write_ckplus48, "CK+48", 21, {None: 21}, subjects=4, framed=True),
    "CK+48 renamed": Variant("ckplus", renamed_ckplus48, "renamed", 21, {None: 21}, framed=True),
    "ckextended": Variant(
        "ckplus",
        imitations.write_ckextended,
        "ckextended.csv",
        16,
        {"train": 8, "validation": 4, "test": 4},
        framed=True,
    ),
    "JAFFE": Variant("jaffe", jaffe(), "file names", 21, {None: 21}, subjects=3),
    "JAFFE converted": Variant("jaffe", jaffe(suffix=".tiff.bmp"), "file names", 21, {None: 21}, subjects=3),
    "JAFFE in class folders": Variant(
        "jaffe", jaffe(classes=JAFFE_FOLDERS, suffix=".jpg"), "class folders, by file names", 21, {None: 21}, subjects=3
    ),
    "JAFFE renamed": Variant("jaffe", jaffe(classes=JAFFE_FOLDERS, names=False), "renamed pictures", 21, {None: 21}),
    "JAFFE listed": Variant("jaffe", imitations.write_jaffe_list, "data.csv", 14, {None: 14}),
    "folder": Variant("folder", imitations.write_folder, "class folders", 6, {"train": 3, "validation": 1, "test": 2}),
    "photo list": Variant(
        "folder", imitations.write_photo_list, "CSV (path, label", 8, {"train": 6, "validation": 2}, subjects=2
    ),
}


@pytest.fixture(scope="module")
def another_process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


@pytest.fixture(scope="module")
def folder(variant, portrait, tmp_path_factory):
    place = tmp_path_factory.mktemp("variant") / "data"
    variant.write(place, portrait)
    return place


@pytest.fixture(scope="module")
def reader(variant, folder):
    return READERS[variant.reader](folder)


def facts(sample):
    return (sample.emotion, sample.split, sample.subject, sample.sequence, sample.frame, sample.votes)


def test_the_layout_is_recognised_and_complete(variant, reader):
    samples = list(reader)
    assert variant.title in reader.layout.title
    assert len(samples) == variant.count
    assert Counter(sample.split for sample in samples) == variant.splits
    assert Counter(rejected.reason for rejected in reader.rejected) == variant.rejected


def test_iterating_again_gives_the_same(reader):
    first = iter(reader)
    assert next(first) == next(iter(reader))
    assert list(reader) == list(reader)


def test_keys_are_unique_and_name_their_source(variant, reader):
    samples = list(reader)
    assert len({sample.key for sample in samples}) == len(samples)
    assert all(sample.key.startswith(f"{variant.reader}/") for sample in samples)
    assert {sample.source for sample in samples} == {variant.reader}


def test_labels_are_expressions(reader):
    emotions = [sample.emotion for sample in reader]
    assert all(emotion is None or type(emotion) is Emotion for emotion in emotions)
    assert len(set(emotions)) > 3


def test_people_are_known_or_are_not(variant, reader):
    subjects = {sample.subject for sample in reader} - {None}
    assert len(subjects) == variant.subjects
    assert reader.layout.subjects == bool(variant.subjects)


def test_crops_declare_their_framing(variant, reader):
    assert reader.layout.framing == (CropSpec.fer2013() if variant.framed else None)


def test_pictures_are_rgb(reader):
    for sample in reader:
        image = sample.image.read()
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.std() > 10


def test_samples_travel_without_their_pixels(reader, another_process):
    samples = list(reader)
    assert max(len(pickle.dumps(sample)) for sample in samples) < 2000
    elsewhere = another_process.submit(methodcaller("read"), samples[-1].image).result()
    assert np.array_equal(elsewhere, samples[-1].image.read())


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_is_read_as_its_folder(variant, folder, reader, suffix, tmp_path, another_process):
    packed = READERS[variant.reader](imitations.pack(folder, tmp_path / f"data{suffix}"))
    unpacked = {sample.key: sample for sample in reader}
    samples = list(packed)
    assert {sample.key: facts(sample) for sample in samples} == {key: facts(one) for key, one in unpacked.items()}
    assert Counter(one.reason for one in packed.rejected) == variant.rejected
    assert all(np.array_equal(sample.image.read(), unpacked[sample.key].image.read()) for sample in samples)
    elsewhere = another_process.submit(methodcaller("read"), samples[0].image).result()
    assert np.array_equal(elsewhere, samples[0].image.read())


# What is refused


def touched(folder, *names):
    """Files without content: readers go by names."""
    for name in names:
        imitations.write_text(folder / name, "")
    return folder


def rejections(reader):
    """Reads everything; key -> reason of what was rejected."""
    list(reader)
    return {rejected.key: rejected.reason for rejected in reader.rejected}


@pytest.mark.parametrize("name", READERS)
def test_a_missing_folder_is_named_with_what_was_expected(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere; expected .* \("):
        READERS[name](tmp_path / "nowhere")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("file", ["train.pt", "data.pkl", "faces.joblib"])
def test_pickles_are_refused_with_the_reason(name, file, tmp_path):
    touched(tmp_path, file)
    for path in (tmp_path, tmp_path / file):
        with pytest.raises(DatasetError, match=f"{file} is a pickle, .* runs its code"):
            READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_is_refused(name, tmp_path):
    with pytest.raises(DatasetError, match=f"not recognised as {name}: .*found no files"):
        READERS[name](tmp_path)


WRONG = [
    ("ckplus", "JAFFE"),
    ("ckplus", "JAFFE in class folders"),
    ("ckplus", "Kaggle tree"),
    ("ckplus", "augmented tree"),
    ("ckplus", "fer2013.csv"),
    ("ckplus", "FER+ tree"),
    ("ckplus", "photo list"),
    ("jaffe", "CK+"),
    ("jaffe", "CK+48"),
    ("jaffe", "CK+48 renamed"),
    ("jaffe", "ckextended"),
    ("jaffe", "Kaggle tree"),
    ("jaffe", "three-way tree"),
    ("jaffe", "split CSVs"),
    ("jaffe", "photo list"),
    ("fer2013", "CK+"),
    ("fer2013", "CK+48"),
    ("fer2013", "JAFFE"),
    ("fer2013", "JAFFE in class folders"),
    ("fer2013", "photo list"),
    ("folder", "CK+"),
    ("folder", "JAFFE"),
    ("folder", "fer2013.csv"),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_the_wrong_data_set_is_refused(name, wrong, portrait, tmp_path):
    folder = tmp_path / "data"
    VARIANTS[wrong].write(folder, portrait)
    with pytest.raises(DatasetError, match=r"data"):
        READERS[name](folder)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar"])
def test_half_an_archive_is_an_error_that_names_it(suffix, portrait, tmp_path):
    archive = imitations.pack(imitations.write_ckplus48(tmp_path / "data", portrait), tmp_path / f"ck{suffix}")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DatasetError, match=f"ck{suffix}: not a complete"):
        READERS["ckplus"](archive)


def test_a_picture_that_will_not_open_is_found_out_when_it_is_read(tmp_path):
    reader = READERS["jaffe"](touched(tmp_path, "KA.AN1.39.tiff"))
    (sample,) = reader
    with pytest.raises(ImageError, match=r"KA\.AN1\.39\.tiff: the file is empty"):
        sample.image.read()


def test_a_damaged_member_of_a_zip_is_found_out_when_it_is_read(portrait, tmp_path):
    archive = imitations.pack(imitations.write_ckplus48(tmp_path / "data", portrait), tmp_path / "ck.zip")
    content = bytearray(archive.read_bytes())
    start = content.index(b"\x89PNG") if b"\x89PNG" in content else 200
    content[start + 100 : start + 140] = bytes(40)
    archive.write_bytes(content)
    broken = [sample for sample in READERS["ckplus"](archive) if _fails(sample)]
    assert len(broken) == 1


def _fails(sample):
    try:
        sample.image.read()
    except ImageError as error:
        return "damaged" in error.reason
    return False


def test_a_folder_that_cannot_be_listed_is_counted(tmp_path, monkeypatch):
    touched(tmp_path, "happy/a.jpg", "sad/b.jpg")
    monkeypatch.setattr(
        "emonet.datasets.tree.iter_files",
        lambda root: iter([(root / "happy/a.jpg", None), (root / "sad", ImageError(root / "sad", "cannot be listed"))]),
    )
    assert rejections(READERS["folder"](tmp_path)) == {"folder/sad": "unreadable"}


# FER2013


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
def test_fer2013_pixels_and_labels_are_the_rows(layout, rows, tmp_path):
    reader = READERS["fer2013"](imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows, layout=layout))
    for sample, row in zip(reader, rows, strict=True):
        assert np.array_equal(sample.image.read()[..., 1], row.face)
        assert sample.emotion is list(Emotion)[row.code]


def test_fer2013_file_names_tell_public_from_private(rows, tmp_path):
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
def test_a_bad_row_of_fer2013_is_rejected(edit, reason, rows, tmp_path):
    reader = READERS["fer2013"](edited_csv(tmp_path / "fer2013.csv", rows, 3, *edit))
    assert rejections(reader) == {"fer2013/fer0000003": reason}
    assert len(list(reader)) == 27
    assert "row" in reader.rejected[0].detail


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [(",", ",256 ", "2305 pixels"), (",", ",9999", "more than 255"), (",", ",-", "no grey value")],
)
def test_bad_pixels_are_found_out_when_they_are_read(old, new, reason, rows, tmp_path):
    *_, sample = list(READERS["fer2013"](edited_csv(tmp_path / "fer2013.csv", rows, 3, old, new)))[:4]
    with pytest.raises(ImageError, match=rf"fer2013\.csv: row 5: .*({reason})"):
        sample.image.read()


def test_rows_without_columns_and_rows_without_end_are_rejected(rows, tmp_path):
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with path.open("a") as file:
        file.write(f"nothing\n\n0,{'1 ' * 2**20},Training\n")
    reader = READERS["fer2013"](path)
    assert rejections(reader) == {"fer2013/fer0000028": "bad_row", "fer2013/fer0000030": "bad_row"}
    assert "a row of 2,097,1" in reader.rejected[1].detail


def test_thousands_of_bad_rows_are_counted(rows, tmp_path):
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with path.open("a") as file:
        file.writelines(f"{number},x\n" for number in range(5000))
    reader = READERS["fer2013"](path)
    assert len(rejections(reader)) == 5000
    assert len(list(reader)) == 28


@pytest.mark.parametrize("header", ["emotion,Usage", "pixels,Usage", "emotion,pixels", "0,1,2"])
def test_a_missing_column_of_fer2013_is_an_error_at_row_1(header, tmp_path):
    path = imitations.write_text(tmp_path / "fer2013.csv", f"{header}\n1,2\n")
    with pytest.raises(DatasetError, match=r"fer2013\.csv, row 1: no column") as caught:
        READERS["fer2013"](path)
    assert caught.value.row == 1


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_csv_is_an_error(text, tmp_path):
    with pytest.raises(DatasetError, match=r"fer2013\.csv.*empty"):
        READERS["fer2013"](imitations.write_text(tmp_path / "fer2013.csv", text))


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(rows, tmp_path):
    text = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows).read_bytes()
    (tmp_path / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    samples = list(READERS["fer2013"](tmp_path))
    assert np.array_equal(samples[-1].image.read()[..., 0], rows[-1].face)
    assert samples[-1].split == "test"


def test_ferplus_votes_join_by_row(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows)
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    samples = list(READERS["fer2013"](table, votes=votes))
    assert len(samples) == 28
    assert samples[3].votes == (0, 0, 0, 7, 0, 0, 0, 2, 1, 0)  # happy
    assert samples[6].votes == (0, 0, 0, 0, 0, 0, 7, 2, 1, 0)  # neutral
    assert samples[8].votes == (0, 0, 0, 0, 0, 0, 0, 2, 1, 7)  # no face


def test_ferplus_votes_on_other_rows_are_refused(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows[::-1])
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match="votes on other rows"):
        list(READERS["fer2013"](table, votes=votes))


def test_ferplus_votes_on_fewer_rows_are_refused(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows[:20])
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match=r"fer2013new\.csv: 20 rows of votes, and the data have more"):
        list(READERS["fer2013"](table, votes=votes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Usage,Image name,neutral\n", r"row 1: no column happiness, .*NF"),
        (f"{imitations.FERPLUS_HEADER}\nTraining,fer0000000.png,4,0,x,1,3,2,0,0,0,0\n", "row 2: ten numbers of votes"),
        (f"{imitations.FERPLUS_HEADER}\nTraining,fer0000000.png,4,0\n", "row 2: ten numbers of votes"),
    ],
)
def test_bad_votes_are_errors_with_their_row(text, message, rows, tmp_path):
    votes = imitations.write_text(tmp_path / "votes/fer2013new.csv", text)
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match=rf"fer2013new\.csv, {message}"):
        list(READERS["fer2013"](table, votes=votes))


def test_votes_do_not_join_a_tree(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "fer2013new.csv", rows)
    with pytest.raises(ValueError, match="has no rows"):
        READERS["fer2013"](imitations.write_fer2013_tree(tmp_path / "data", rows), votes=votes)


def test_bad_entries_of_a_ferplus_tree_are_rejected(rows, tmp_path):
    imitations.write_ferplus_tree(tmp_path, rows)
    (tmp_path / "FER2013Train/fer0000001.png").unlink()
    with (tmp_path / "FER2013Train/label.csv").open("a") as file:
        file.write('\nfer0000008.png,"(0, 0, 48, 48)",1,2\n')
        file.write('fer0000002.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10\n')
    reader = READERS["fer2013"](tmp_path)
    found = rejections(reader)
    assert found["fer2013/fer0000001"] == "unreadable"
    assert found["fer2013/fer0000008"] == "bad_row"
    assert found["fer2013/fer0000002"] == "not_a_face"


def test_strange_places_in_a_tree_of_fer2013_are_rejected(rows, tmp_path):
    imitations.write_fer2013_tree(tmp_path, rows)
    touched(tmp_path, "train/hapy/Training_1.jpg", "angry/12.jpg", "train/angry/Training_2_aug.jpg")
    assert rejections(READERS["fer2013"](tmp_path)) == {
        "fer2013/train/hapy/Training_1.jpg": "bad_label",
        "fer2013/angry/12.jpg": "bad_split",
        "fer2013/train/angry/Training_2_aug.jpg": "augmented_copy",
    }


def test_ferplus_trees_are_labelled_by_the_majority(rows, tmp_path):
    samples = {sample.key: sample for sample in READERS["fer2013"](imitations.write_ferplus_tree(tmp_path, rows))}
    assert samples["fer2013/fer0000003"].emotion is Emotion.HAPPY
    assert samples["fer2013/fer0000003"].votes == (0, 0, 0, 7, 0, 0, 0, 2, 1, 0)
    assert "fer2013/fer0000008" not in samples


# CK+


CK_NAME = "cohn-kanade-images/{0}/{1}/{0}_{1}_{2:08d}.png"


def official(folder, label, frames=(1, 2), labels="Emotion"):
    """An official tree of one sequence; a label of None has an empty folder."""
    touched(folder, *(CK_NAME.format("S010", "002", number) for number in frames))
    (folder / labels / "S010/002").mkdir(parents=True)
    if label is not None:
        name = f"S010_002_{frames[-1]:08d}_emotion.txt"
        imitations.write_text(folder / labels / "S010/002" / name, label)
    return folder


def test_ckplus_samples_know_person_sequence_and_frame(portrait, tmp_path):
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


def test_ckplus_pictures_have_several_sizes(portrait, tmp_path):
    samples = list(READERS["ckplus"](imitations.write_ckplus(tmp_path, portrait, subjects=3, frames=3)))
    sizes = Counter(sample.image.read().shape for sample in samples)
    assert sizes == {(490, 640, 3): 12, (480, 640, 3): 3, (480, 720, 3): 3}


def test_ckplus_landmarks_are_passed_on(portrait, tmp_path):
    imitations.write_ckplus(tmp_path, portrait, subjects=1, frames=4)
    samples = list(READERS["ckplus"](tmp_path))
    still, moved = (read_points(samples[index].points) for index in (4, 7))
    assert still.shape == (68, 2)
    assert np.abs(still - moved).max() > 5


@pytest.mark.parametrize("text", ["", "1 2\n" * 67, "1 2 3\n" * 68, "x y\n" * 68, "nan 1\n" * 68])
def test_bad_landmarks_are_an_error(text, tmp_path):
    with pytest.raises(DatasetError, match=r"S010_landmarks\.txt"):
        read_points(FileBlob(imitations.write_text(tmp_path / "S010_landmarks.txt", text)))


@pytest.mark.parametrize(("code", "name"), imitations.CK_CODES.items())
def test_ckplus_codes(code, name, tmp_path):
    samples = READERS["ckplus"](official(tmp_path, f"   {code:.7e}\n"))
    assert {sample.emotion for sample in samples} == {Emotion(name)}


@pytest.mark.parametrize("images", ["cohn-kanade-images", "extended-cohn-kanade-images", "images"])
@pytest.mark.parametrize("labels", ["Emotion", "Emotion_labels", "Emotion_labels/Emotion", "emotions", "Labels"])
def test_ckplus_folders_may_have_any_names(images, labels, tmp_path):
    official(tmp_path, "   3.0000000e+00\n", labels=labels)
    (tmp_path / "cohn-kanade-images").rename(tmp_path / images)
    assert [sample.emotion for sample in READERS["ckplus"](tmp_path)] == [Emotion.DISGUST] * 2


@pytest.mark.parametrize("text", ["happy", "9", "-1", "3.5", "3.0000000e", "", "nan", "3 3", "\udcff\x00", "x" * 90])
def test_an_emotion_file_that_holds_no_code_rejects_its_sequence(text, tmp_path):
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


def test_an_emotion_file_that_cannot_be_read_rejects_its_sequence(tmp_path):
    archive = imitations.pack(official(tmp_path / "data", "   3.0000000e+00\n"), tmp_path / "ck.zip")
    packed = zlib.compress(b"   3.0000000e+00\n")[2:-4]
    archive.write_bytes(archive.read_bytes().replace(packed, packed[::-1]))
    reader = READERS["ckplus"](archive)
    assert set(rejections(reader).values()) == {"bad_label"}
    assert "cannot be read" in reader.rejected[0].detail


def test_two_labels_of_one_sequence_reject_it(tmp_path):
    official(tmp_path, "   3.0000000e+00\n")
    official(tmp_path / "copy", "   5.0000000e+00\n", frames=(3, 4))
    assert set(rejections(READERS["ckplus"](tmp_path)).values()) == {"bad_label"}
    assert len(READERS["ckplus"](tmp_path).rejected) == 0  # nothing is read before it is asked for


def test_the_readmes_typo_is_the_subject_it_means(tmp_path):
    touched(tmp_path, CK_NAME.format("S005", "001", 11))
    imitations.write_text(tmp_path / "Emotion/S0005_001_00000011_emotion.txt", "   3.0000000e+00\n")
    (sample,) = READERS["ckplus"](tmp_path)
    assert (sample.subject, sample.emotion) == ("S005", Emotion.DISGUST)


def test_frames_are_sorted_as_numbers_and_known_in_any_case(tmp_path):
    official(tmp_path, "   1.0000000e+00\n", frames=(9, 10, 100))
    touched(tmp_path, "cohn-kanade-images/s010_002_11.JPG")
    samples = list(READERS["ckplus"](tmp_path))
    assert [sample.frame for sample in samples] == [9, 10, 11, 100]
    assert samples[2].key == "ckplus/S010_002_00000011"


def test_copies_of_a_frame_and_strangers_are_counted(tmp_path):
    official(tmp_path, "   1.0000000e+00\n")
    touched(tmp_path, "jpg/S010_002_00000001.jpg", "poster.png")
    reader = READERS["ckplus"](tmp_path)
    assert rejections(reader) == {"ckplus/S010_002_00000001": "converted_copy", "ckplus/poster.png": "bad_label"}
    assert [Path(sample.image.blob.name).suffix for sample in reader] == [".png", ".png"]


def test_ckplus_in_the_zips_it_came_in(portrait, tmp_path):
    whole = imitations.write_ckplus(tmp_path / "whole", portrait, subjects=2, frames=3)
    for part in ("cohn-kanade-images", "Emotion", "Landmarks", "FACS"):
        (tmp_path / "zips").mkdir(exist_ok=True)
        (tmp_path / "parts" / part).mkdir(parents=True)
        (whole / part).rename(tmp_path / "parts" / part / part)
        imitations.pack(tmp_path / "parts" / part, tmp_path / f"zips/{part}.zip")
    samples = list(READERS["ckplus"](tmp_path / "zips"))
    assert len(samples) == 12
    assert sum(sample.emotion is not None for sample in samples) == 9
    assert all(sample.points for sample in samples)


def test_ckplus_labels_may_lie_in_their_zip_alone(tmp_path):
    official(tmp_path / "data", "   5.0000000e+00\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data/Emotion").rename(tmp_path / "labels/Emotion")
    imitations.pack(tmp_path / "labels", tmp_path / "data/Emotion_labels.zip")
    reader = READERS["ckplus"](tmp_path / "data")
    assert {sample.emotion for sample in reader} == {Emotion.HAPPY}
    assert reader.notes == []


@pytest.mark.parametrize("archive", [False, True])
def test_ckplus_without_any_labels_says_so(archive, tmp_path):
    official(tmp_path / "data", None)
    if archive:
        (tmp_path / "facs").mkdir()
        imitations.pack(
            touched(tmp_path / "facs", "FACS/S010_002_00000002_facs.txt"), tmp_path / "data/FACS_labels.zip"
        )
    reader = READERS["ckplus"](tmp_path / "data")
    assert [sample.emotion for sample in reader] == [None, None]
    assert "no emotion file" in reader.notes[0]


def test_ckplus_published_counts(portrait, tmp_path):
    folders = [imitations.write_ckplus48(tmp_path / "48", portrait, subjects=1), official(tmp_path / "official", "1")]
    crops, sequences = (READERS["ckplus"](folder).layout.published for folder in folders)
    assert (sequences.unit, sum(sequences.counts[""].values())) == ("sequences", 327)
    assert (crops.unit, sum(crops.counts[""].values())) == ("pictures", 981)


def test_ckplus48_knows_its_people(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckplus48(tmp_path, portrait, subjects=2))
    samples = list(reader)
    assert {sample.subject for sample in samples} == {"S010", "S011"}
    assert {sample.sequence for sample in samples} == {"S010_002", "S011_001", "S011_002"}
    assert not reader.layout.starts_neutral


def test_ckplus48_in_two_folders_at_once_is_no_label(tmp_path):
    touched(tmp_path, "anger/S010_004_00000017.png", "fear/S010_004_00000017.png", "fear/S010_004_00000018.png")
    reader = READERS["ckplus"](tmp_path)
    assert rejections(reader) == {"ckplus/S010_004_00000017": "bad_label"}
    assert [sample.key for sample in reader] == ["ckplus/S010_004_00000018"]


def test_strange_folders_and_names_of_ckplus48_are_counted(tmp_path):
    touched(tmp_path, "anger/S010_004_00000017.png", "hapy/S010_004_00000018.png", "anger/renamed.png")
    assert rejections(READERS["ckplus"](tmp_path)) == {
        "ckplus/S010_004_00000018": "bad_label",
        "ckplus/anger/renamed.png": "bad_label",
    }


def test_splits_that_somebody_made_of_ckplus48_are_not_used(tmp_path):
    reader = READERS["ckplus"](
        touched(tmp_path, "train/anger/S010_004_00000017.png", "test/fear/S011_004_00000017.png")
    )
    assert {sample.split for sample in reader} == {None}
    assert "splits are not used" in reader.notes[0]


def test_the_official_tree_beside_ckplus48_is_ambiguous(tmp_path):
    official(tmp_path, "   1.0000000e+00\n")
    with pytest.raises(DatasetError, match=r"CK\+48 lies beside the official tree"):
        READERS["ckplus"](touched(tmp_path, "CK+48/anger/S010_002_00000002.png"))


def test_renamed_pictures_lose_their_people(portrait, tmp_path):
    reader = READERS["ckplus"](imitations.write_ckplus48(tmp_path, portrait, subjects=1, names=False))
    assert "a split by subject is impossible" in reader.notes[0]
    assert {sample.subject for sample in reader} == {None}


def test_ckextended_has_contempt_at_seven(portrait, tmp_path):
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


def test_a_missing_column_of_ckextended_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match=r"ckextended\.csv, row 1: no column usage"):
        READERS["ckplus"](imitations.write_text(tmp_path / "ckextended.csv", "emotion,pixels\n0,1 2\n"))


# JAFFE


@pytest.mark.parametrize("name", ["KA.AN1.39.tiff", "ka-an1-39.png", "KA_AN1_39.jpg", "KA.AN1.39.tiff.bmp"])
def test_jaffe_names_tell_person_and_expression(name, tmp_path):
    (sample,) = READERS["jaffe"](touched(tmp_path, f"jaffedbase/{name}"))
    assert (sample.key, sample.subject, sample.emotion) == ("jaffe/KA.AN1.39", "KA", Emotion.ANGRY)


def test_jaffe_codes_and_counts(portrait, tmp_path):
    reader = READERS["jaffe"](imitations.write_jaffe(tmp_path, portrait))
    counts = Counter(sample.emotion for sample in reader)
    assert counts == dict.fromkeys(reader.layout.published.counts[""], 10)
    assert sum(reader.layout.published.counts[""].values()) == 213
    assert len({sample.subject for sample in reader}) == 10


def test_one_of_several_conversions_is_kept(tmp_path):
    touched(tmp_path, "jpg/KA.AN1.39.tiff.jpg", "KA.AN1.39.tiff", "KA.AN1.39.png", "KA.HA1.29.bmp", "KA.HA1.29.jpeg")
    reader = READERS["jaffe"](tmp_path)
    kept = {sample.key: Path(sample.image.blob.name).name for sample in reader}
    assert kept == {"jaffe/KA.AN1.39": "KA.AN1.39.tiff", "jaffe/KA.HA1.29": "KA.HA1.29.bmp"}
    assert Counter(rejected.reason for rejected in reader.rejected) == {"converted_copy": 3}


def test_strange_names_of_jaffe_are_counted(tmp_path):
    reader = READERS["jaffe"](
        touched(tmp_path, "KA.AN1.39.tiff", "KA.XX1.40.tiff", "KA-NE.tiff", "README", "a_names.dat")
    )
    assert rejections(reader) == {"jaffe/KA.XX1.40": "bad_label", "jaffe/KA-NE.tiff": "bad_label"}


def test_jaffe_names_count_more_than_folders(tmp_path):
    reader = READERS["jaffe"](touched(tmp_path, "ANGRY/KA.AN1.39.tiff", "FEAR/KA.HA1.29.tiff"))
    assert {sample.key: sample.emotion for sample in reader}["jaffe/KA.HA1.29"] is Emotion.HAPPY
    assert reader.notes == ["names count more than folders, and contradict them in 1 of 2: FEAR/KA.HA1.29.tiff"]


@pytest.mark.parametrize("write", [jaffe(classes=JAFFE_FOLDERS, names=False), imitations.write_jaffe_list])
def test_renamed_pictures_of_jaffe_lose_their_people(write, portrait, tmp_path):
    write(tmp_path, portrait)
    reader = READERS["jaffe"](tmp_path)
    assert "a split by subject is impossible" in reader.notes[0]
    assert {sample.subject for sample in reader} == {None}


# The user's own photos


def listed(folder, *rows, header="path,label,subject"):
    return imitations.write_text(folder / "photos.csv", "\n".join([header, *rows]) + "\n")


def test_folders_tell_expression_and_split(portrait, tmp_path):
    samples = {sample.key: sample for sample in READERS["folder"](imitations.write_folder(tmp_path, portrait))}
    assert samples["folder/train/happy/summer/b.png"].emotion is Emotion.HAPPY
    assert samples["folder/val/01_surprised/d.jpg"].split == "validation"
    assert samples["folder/test/ANGRY/no suffix"].emotion is Emotion.ANGRY


def test_a_private_folder_is_no_split_and_neither_is_one_below(tmp_path):
    reader = READERS["folder"](touched(tmp_path, "private/happy/a.jpg", "happy/test/b.jpg"))
    assert {sample.split for sample in reader} == {None}


def test_files_in_no_class_folder_are_rejected(tmp_path):
    touched(
        tmp_path, "happy/a.jpg", "hapy/b.jpg", "hapy/c", "d.png", "notes.txt", "happy/Di/e.jpg", "anger/anger/f.jpg"
    )
    reader = READERS["folder"](tmp_path)
    wrong = ("hapy/b.jpg", "hapy/c", "d.png", "happy/Di/e.jpg")
    assert rejections(reader) == {f"folder/{name}": "bad_label" for name in wrong}
    details = {rejected.key: rejected.detail for rejected in reader.rejected}
    assert "'hapy'" in details["folder/hapy/b.jpg"]
    assert "happy" in details["folder/happy/Di/e.jpg"]
    assert "Di" in details["folder/happy/Di/e.jpg"]
    assert [sample.key for sample in reader] == ["folder/anger/anger/f.jpg", "folder/happy/a.jpg"]


@pytest.mark.parametrize(
    "header", ["filepath,facial_expression,person,Usage", " Image ; Emotion;subject;set", "file\tclass\tsubject\tsplit"]
)
def test_columns_of_a_list_have_several_names(header, portrait, tmp_path):
    imitations.write_photo_list(tmp_path, portrait)
    delimiter = next(sign for sign in ";\t," if sign in header)
    rows = (tmp_path / "photos.csv").read_text().splitlines()[1:]
    text = "\n".join([header, *(row.replace(",", delimiter) for row in rows)])
    reader = READERS["folder"](imitations.write_text(tmp_path / "photos.csv", f"\ufeff{text}"))
    samples = list(reader)
    assert {(sample.subject, sample.split) for sample in samples[:2]} == {("anna", "train"), ("otto", "train")}
    assert len(samples) == 8
    assert reader.layout.subjects


def test_a_list_without_people(portrait, tmp_path):
    reader = READERS["folder"](imitations.write_photo_list(tmp_path, portrait, header="path,label"))
    assert not reader.layout.subjects
    assert {(sample.subject, sample.split) for sample in reader} == {(None, None)}


def test_people_are_known_only_when_all_are(tmp_path):
    touched(tmp_path, "a.jpg", "b.jpg")
    reader = READERS["folder"](listed(tmp_path, "a.jpg,happy,anna", "b.jpg,sad,"))
    assert not reader.layout.subjects
    assert [sample.subject for sample in reader] == ["anna", None]


def test_bad_rows_of_a_list_are_rejected_with_their_number(tmp_path):
    touched(tmp_path, "a.jpg", "b.jpg")
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


def test_an_empty_label_is_no_label(tmp_path):
    touched(tmp_path, "a.jpg")
    (sample,) = READERS["folder"](listed(tmp_path, "a.jpg,,anna"))
    assert sample.emotion is None


def test_paths_of_a_list_are_relative_to_it_or_absolute(tmp_path):
    touched(tmp_path, "here/a.jpg", "there/b.jpg", "there/c.jpg")
    absolute = tmp_path / "there/c.jpg"
    rows = ("a.jpg,happy,anna", "..\\there\\b.jpg,happy,anna", f"{absolute},sad,anna")
    reader = READERS["folder"](listed(tmp_path / "here", *rows))
    assert [sample.key for sample in reader] == ["folder/a.jpg", "folder/../there/b.jpg", f"folder/{absolute}"]
    assert rejections(reader) == {}


def test_a_list_in_an_archive_finds_its_members_alone(tmp_path):
    touched(tmp_path, "data/sub/a.jpg", "outside.jpg")
    rows = ("a.jpg,happy,x", "../../outside.jpg,sad,x", f"{tmp_path / 'outside.jpg'},sad,x")
    listed(tmp_path / "data/sub", *rows)
    reader = READERS["folder"](imitations.pack(tmp_path / "data", tmp_path / "data.zip"))
    assert [sample.key for sample in reader] == ["folder/sub/a.jpg"]
    assert list(rejections(reader).values()) == ["unreadable", "unreadable"]


@pytest.mark.parametrize("header", ["path,mood", "photo,label", "path,file,label", "path label"])
def test_a_list_without_its_columns_is_an_error_at_row_1(header, tmp_path):
    with pytest.raises(DatasetError, match=r"photos\.csv, row 1: ") as caught:
        READERS["folder"](listed(tmp_path, "a,b", header=header))
    assert caught.value.row == 1


@pytest.mark.parametrize("content", [b"", b"\n\n", b"path,label\n\xff\xfe,happy\n"])
def test_a_list_that_is_no_text_is_an_error(content, tmp_path):
    (tmp_path / "photos.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"photos\.csv: "):
        READERS["folder"](tmp_path / "photos.csv")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path, rows: imitations.write_fer2013_parquet(path, rows, names=None), "its labels have no names"),
        (lambda path, rows: imitations.write_text(path / "train.parquet", f"{len(rows)}"), "no Parquet file that can"),
    ],
)
def test_parquet_that_does_not_tell_is_refused(make, words, tmp_path, portrait):
    make(tmp_path / "faces", imitations.fer2013_rows(portrait, training=2, tests=1))
    with pytest.raises(DatasetError, match=words):
        READERS["fer2013"](tmp_path / "faces")


def test_parquet_labels_and_pictures_that_are_none(tmp_path, portrait):
    names = ("angry", "disgust", "puzzled", "happy", "sad", "surprise", "neutral")
    reader = READERS["fer2013"](write_parquet_with_a_broken_picture(tmp_path / "faces", portrait, names))
    first = next(sample for sample in reader if sample.split == "train")
    with pytest.raises(ImageError, match="row 0 of row group 0: "):
        first.image.read()
    assert len(list(reader)) == 4
    assert [one.detail for one in reader.rejected] == ["label 2 is 'puzzled', no expression"]


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


@pytest.mark.parametrize("name", ["fer2013.npz", "CK_data.h5"])
def test_arrays_are_refused_with_the_reason(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match="holds arrays, which do not tell what their labels mean"):
        READERS["fer2013"](tmp_path)
