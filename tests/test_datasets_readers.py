"""What every reader must do with every layout of its data set, and what it must refuse."""

import multiprocessing
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import methodcaller

import imitations
import numpy as np
import pytest
from imitations import rejections

from emonet.datasets import READERS, DatasetError
from emonet.labels import Emotion
from facecrop import CropSpec, ImageError

RENAMED = {
    "capitalised": ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"),
    "nouns": ("anger", "disgust", "fear", "happiness", "sadness", "surprised", "neutral"),
    "codes": tuple("0123456"),
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
    framed: bool | CropSpec = False  # True: as FER2013's


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


def fer2013plus(write):
    return lambda folder, portrait: write(folder, imitations.fer2013_rows(portrait))


def affectnet_without_header(folder, portrait):
    return imitations.write_affectnet(folder, portrait, header=False)


def kdef(folder, portrait):
    return imitations.write_kdef(folder, portrait, people=("F01", "M33"), angles=("S", "HL"))


def rafd(folder, portrait):
    return imitations.write_rafd(folder, portrait, people=2, gazes=("left",))


def oulucasia(folder, portrait):
    return imitations.write_oulucasia(folder, portrait, frames=2)


def renamed_ckplus48(folder, portrait):
    return imitations.write_ckplus48(folder, portrait, names=False)


TREE = imitations.write_fer2013_tree
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
    "JAFFE": Variant("jaffe", imitations.jaffe_writer(), "file names", 21, {None: 21}, subjects=3),
    "JAFFE converted": Variant(
        "jaffe", imitations.jaffe_writer(suffix=".tiff.bmp"), "file names", 21, {None: 21}, subjects=3
    ),
    "JAFFE in class folders": Variant(
        "jaffe",
        imitations.jaffe_writer(classes=imitations.JAFFE_FOLDERS, suffix=".jpg"),
        "class folders, by file names",
        21,
        {None: 21},
        subjects=3,
    ),
    "JAFFE renamed": Variant(
        "jaffe",
        imitations.jaffe_writer(classes=imitations.JAFFE_FOLDERS, names=False),
        "renamed images",
        21,
        {None: 21},
    ),
    "JAFFE listed": Variant("jaffe", imitations.write_jaffe_list, "data.csv", 14, {None: 14}),
    "FER+": Variant(
        "fer2013plus",
        fer2013plus(imitations.write_fer2013plus),
        "fer2013.csv with fer2013new.csv",
        25,
        {"train": 13, "validation": 6, "test": 6},
        {"no_label": 3},
        framed=True,
    ),
    "FER+ images": Variant(
        "fer2013plus",
        fer2013plus(imitations.write_ferplus_tree),
        "image tree",
        25,
        {"train": 13, "validation": 6, "test": 6},
        framed=True,
    ),
    "RAF-DB": Variant(
        "rafdb",
        imitations.write_rafdb,
        "list_patition_label.txt, aligned",
        14,
        {"train": 7, "test": 7},
        framed=CropSpec(size=100, align=True),
    ),
    "RAF-DB of Kaggle": Variant(
        "rafdb",
        imitations.write_rafdb_kaggle,
        "folders named by code",
        14,
        {"train": 7, "test": 7},
        framed=CropSpec(size=100, align=True),
    ),
    "AffectNet": Variant(
        "affectnet", imitations.write_affectnet, "training.csv", 16, {"train": 8, "validation": 8}, {"no_label": 6}
    ),
    "AffectNet without header": Variant(
        "affectnet", affectnet_without_header, "training.csv", 16, {"train": 8, "validation": 8}, {"no_label": 6}
    ),
    "AffectNet of faces": Variant(
        "affectnet",
        imitations.write_affectnet_sets,
        "image sets",
        16,
        {"train": 8, "validation": 8},
        framed=CropSpec(size=224),
    ),
    "KDEF": Variant(
        "kdef", kdef, "file names, angles: frontal", 14, {None: 14}, {"not_selected": 15, "bad_label": 1}, subjects=2
    ),
    "RaFD": Variant("rafd", rafd, "file names, angles: frontal", 16, {None: 16}, {"not_selected": 16}, subjects=2),
    "Oulu-CASIA": Variant(
        "oulucasia", oulucasia, "folders of frames", 24, {None: 24}, {"not_selected": 24}, subjects=2
    ),
    "SFEW": Variant(
        "sfew", imitations.write_sfew, "class folders, aligned", 14, {"train": 7, "validation": 7}, {"no_label": 1}
    ),
    "ExpW": Variant("expw", imitations.write_expw, "label.lst", 11, {None: 11}),
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


def test_layout_is_recognised_and_complete(variant, reader):
    samples = list(reader)
    assert variant.title in reader.layout.title
    assert len(samples) == variant.count
    assert Counter(sample.split for sample in samples) == variant.splits
    assert Counter(rejected.reason for rejected in reader.rejected) == variant.rejected


def test_second_iteration_yields_the_same(reader):
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


def test_subjects_are_known_where_the_layout_says_so(variant, reader):
    subjects = {sample.subject for sample in reader} - {None}
    assert len(subjects) == variant.subjects
    assert reader.layout.subjects == bool(variant.subjects)


def test_published_crops_declare_their_framing(variant, reader):
    assert reader.layout.framing == (CropSpec.fer2013() if variant.framed is True else variant.framed or None)


def test_images_are_rgb(reader):
    for sample in reader:
        image = sample.image.read()
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.std() > 10


def test_pickled_samples_hold_no_pixels(reader, another_process):
    samples = list(reader)
    assert max(len(pickle.dumps(sample)) for sample in samples) < 2000
    elsewhere = another_process.submit(methodcaller("read"), samples[-1].image).result()
    assert np.array_equal(elsewhere, samples[-1].image.read())


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_archive_is_read_like_its_folder(variant, folder, reader, suffix, tmp_path, another_process):
    packed = READERS[variant.reader](imitations.pack(folder, tmp_path / f"data{suffix}"))
    unpacked = {sample.key: sample for sample in reader}
    samples = list(packed)
    assert {sample.key: facts(sample) for sample in samples} == {key: facts(one) for key, one in unpacked.items()}
    assert Counter(one.reason for one in packed.rejected) == variant.rejected
    assert all(np.array_equal(sample.image.read(), unpacked[sample.key].image.read()) for sample in samples)
    elsewhere = another_process.submit(methodcaller("read"), samples[0].image).result()
    assert np.array_equal(elsewhere, samples[0].image.read())


# What is refused


@pytest.mark.parametrize("name", READERS)
def test_missing_folder_is_named(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere; expected .* \("):
        READERS[name](tmp_path / "nowhere")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("file", ["train.pt", "data.pkl", "faces.joblib"])
def test_pickles_are_refused(name, file, tmp_path):
    imitations.touched(tmp_path, file)
    for path in (tmp_path, tmp_path / file):
        with pytest.raises(DatasetError, match=f"{file} is a pickle, .* runs its code"):
            READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_empty_folder_is_refused(name, tmp_path):
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
    ("fer2013", "SFEW"),
    ("fer2013", "RAF-DB of Kaggle"),
    ("fer2013", "RAF-DB"),
    ("jaffe", "SFEW"),
    ("jaffe", "KDEF"),
    ("ckplus", "Oulu-CASIA"),
    ("jaffe", "Oulu-CASIA"),
    ("ckplus", "SFEW"),
    ("fer2013plus", "fer2013.csv"),
    ("fer2013plus", "Kaggle tree"),
    ("rafdb", "AffectNet of faces"),
    ("rafdb", "Kaggle tree"),
    ("affectnet", "split CSVs"),
    ("affectnet", "ExpW"),
    ("kdef", "JAFFE"),
    ("kdef", "RaFD"),
    ("rafd", "KDEF"),
    ("oulucasia", "CK+"),
    ("oulucasia", "SFEW"),
    ("sfew", "Kaggle tree"),
    ("sfew", "CK+48"),
    ("expw", "RAF-DB"),
    ("expw", "photo list"),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_other_data_set_is_refused(name, wrong, portrait, tmp_path):
    folder = tmp_path / "data"
    VARIANTS[wrong].write(folder, portrait)
    with pytest.raises(DatasetError, match=r"data"):
        READERS[name](folder)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar"])
def test_half_an_archive_is_refused(suffix, portrait, tmp_path):
    archive = imitations.pack(imitations.write_ckplus48(tmp_path / "data", portrait), tmp_path / f"ck{suffix}")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DatasetError, match=f"ck{suffix}: not a complete"):
        READERS["ckplus"](archive)


def test_broken_image_is_reported_when_read(tmp_path):
    reader = READERS["jaffe"](imitations.touched(tmp_path, "KA.AN1.39.tiff"))
    (sample,) = reader
    with pytest.raises(ImageError, match=r"KA\.AN1\.39\.tiff: the file is empty"):
        sample.image.read()


def test_damaged_zip_member_is_reported_when_read(portrait, tmp_path):
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


def test_unlistable_folder_is_counted(tmp_path, monkeypatch):
    imitations.touched(tmp_path, "happy/a.jpg", "sad/b.jpg")
    monkeypatch.setattr(
        "emonet.datasets.formats.tree.iter_files",
        lambda root, **_: iter(
            [(root / "happy/a.jpg", None), (root / "sad", ImageError(root / "sad", "cannot be listed"))]
        ),
    )
    assert rejections(READERS["folder"](tmp_path)) == {"folder/sad": "unreadable"}


@pytest.mark.parametrize("name", ["fer2013.npz", "CK_data.h5"])
def test_arrays_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match="holds arrays, which do not say what their labels mean"):
        READERS["fer2013"](tmp_path)
