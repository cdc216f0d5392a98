"""A data set as folders of PNG files: what is in them, and who reads them."""

import csv

import imitations
import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torchvision
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.datasets.store import decode
from emonet.datasets.store.imagefolder import write_imagefolder
from emonet.errors import OptionError


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    folder = tmp_path_factory.mktemp("store")
    rows = imitations.fer2013_rows(portrait, training=21, tests=7)
    table = imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    jaffe = imitations.write_jaffe(folder / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:2])
    return trainings.build_store(folder / "out", {"fer2013": table, "jaffe": jaffe}, dev=7)


def test_metadata_names_every_file_with_its_row(store, tmp_path):
    count = write_imagefolder(store, tmp_path / "images")
    frame = pd.read_csv(tmp_path / "images" / "metadata.csv")
    files = {path.relative_to(tmp_path / "images").as_posix() for path in (tmp_path / "images").rglob("*.png")}
    assert set(frame["file_name"]) == files
    assert count == len(frame) == sum(store.splits.values())
    rows = {row["key"]: row for split in store.splits for row in store.table(split).to_pylist()}
    for one in frame.itertuples():
        row = rows[one.key]
        assert one.file_name.startswith(f"{row['split']}/{row['emotion']}/")
        assert (one.label, one.source, one.split) == (row["label"], row["source"], row["split"])
        assert (np.asarray(PIL.Image.open(tmp_path / "images" / one.file_name)) == decode(row["image"])[..., 0]).all()


def test_classes_are_in_the_order_of_the_labels(store, tmp_path):
    write_imagefolder(store, tmp_path / "images")
    classes = (tmp_path / "images" / "classes.txt").read_text().splitlines()
    frame = pd.read_csv(tmp_path / "images" / "metadata.csv")
    assert [classes[label] for label in frame["label"]] == list(frame["emotion"])


def test_torchvision_reads_a_split(store, tmp_path):
    write_imagefolder(store, tmp_path / "images")
    folder = torchvision.datasets.ImageFolder(tmp_path / "images" / "train")
    assert (len(folder), folder.classes) == (store.splits["train"], sorted(store.classes))


def test_torchvision_reads_a_data_set_without_some_classes(store, tmp_path):
    write_imagefolder(store, tmp_path / "images", splits=["train"], sources=["jaffe"])
    found = {str(row["emotion"]) for row in store.table("train").to_pylist() if row["source"] == "jaffe"}
    folder = torchvision.datasets.ImageFolder(tmp_path / "images" / "train")
    assert folder.classes == sorted(found)


def test_hugging_face_keeps_dev_and_validation_apart(store, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    write_imagefolder(store, tmp_path / "images")
    opened = datasets.load_dataset(str(tmp_path / "images"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in opened.items()} == store.splits


@pytest.mark.parametrize(
    "names", [("a/b_c.jpg", "a_b/c.jpg"), ("a.jpg", "A.jpg"), (f"{'long/' * 60}a.jpg", f"{'long/' * 60}b.jpg")]
)
def test_images_of_similar_keys_have_files_of_their_own(names, portrait, tmp_path):
    for number, name in enumerate(names):
        path = tmp_path / "mine" / "happy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(imitations.small_face(portrait, number)).save(path)
    store = trainings.build_store(tmp_path / "store", {"folder": tmp_path / "mine"})
    assert write_imagefolder(store, tmp_path / "images") == 2
    files = [path.relative_to(tmp_path / "images").as_posix() for path in (tmp_path / "images").rglob("*.png")]
    assert len({name.casefold() for name in files}) == 2
    with (tmp_path / "images" / "metadata.csv").open(newline="") as file:
        assert sorted(row["file_name"] for row in csv.DictReader(file)) == sorted(files)


def run(*arguments):
    return CliRunner().invoke(app, ["export-images", *map(str, arguments)])


def test_the_command_writes_the_chosen_splits_and_sources(store, tmp_path):
    result = run(store.path, "-o", tmp_path / "images", "--splits", "train,test", "--sources", "jaffe")
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "images" / "metadata.csv")
    assert set(frame["source"]) == {"jaffe"}
    assert set(frame["split"]) <= {"train", "test"}
    assert result.stdout == f"{len(frame)} images in {tmp_path / 'images'}\n"


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_finished_export_stays_and_a_stopped_one_is_written_anew(store, tmp_path):
    count = write_imagefolder(store, tmp_path / "images")
    first = files(tmp_path / "images")
    assert write_imagefolder(store, tmp_path / "images") == count
    assert files(tmp_path / "images") == first
    for name in ("classes.txt", "metadata.csv"):
        (tmp_path / "images" / name).unlink()
    (tmp_path / "images" / "train" / "happy" / "half.png").touch()
    (tmp_path / "images" / "1-0.emonet-part").touch()
    assert write_imagefolder(store, tmp_path / "images") == count
    assert files(tmp_path / "images").keys() == first.keys()


def test_an_export_that_lacks_images_is_written_anew(store, tmp_path):
    count = write_imagefolder(store, tmp_path / "images")
    next((tmp_path / "images").rglob("*.png")).unlink()
    assert write_imagefolder(store, tmp_path / "images") == count
    assert len(list((tmp_path / "images").rglob("*.png"))) == count


def test_other_files_are_not_written_over(store, tmp_path):
    write_imagefolder(store, tmp_path / "images", splits=["train"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").touch()
    for folder, words in (("images", "the images of another data set"), ("mine", "not an empty folder")):
        with pytest.raises(OptionError, match=words):
            write_imagefolder(store, tmp_path / folder)


def test_a_source_without_images_in_a_split_is_named(store, tmp_path):
    split = min({*store.splits} - {*store.info.counts["jaffe"]})
    with pytest.raises(OptionError, match=f"no images of jaffe in {split}"):
        write_imagefolder(store, tmp_path / "images", splits=[split], sources=["jaffe"])
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--splits", "tset"), "no split 'tset'"), (("--sources", "ckplus"), "no source ckplus; it has fer2013, jaffe")],
)
def test_unknown_splits_and_sources_write_nothing(arguments, words, store, tmp_path):
    result = run(store.path, "-o", tmp_path / "images", *arguments)
    assert result.exit_code == 1
    assert words in str(result.exception)
    assert not (tmp_path / "images").exists()
