"""The data set on disk, opened by those who will open it: ourselves, Hugging Face, pandas, and readers of folders."""

import imitations
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from emonet.datasets import open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import decode
from emonet.datasets.store.imagefolder import write_imagefolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    """A data set of faces with votes and frames with activations, with a hold-out."""
    place = tmp_path_factory.mktemp("store")
    rows = imitations.fer2013_rows(portrait, training=35, tests=7)
    options = BuildOptions(
        {
            "fer2013": str(imitations.write_fer2013_csv(place / "fer2013.csv", rows)),
            "ckplus": str(imitations.write_ckplus(place / "CK+", portrait, subjects=2, frames=5)),
        },
        ferplus=str(imitations.write_ferplus_votes(place / "fer2013new.csv", rows)),
        dev=7,
    )
    build_dataset(prepare(options), place / "out", workers=1)
    return place / "out"


@pytest.fixture
def hugging_face(monkeypatch, tmp_path):
    """Its load_dataset, offline and with a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return lambda *arguments, **options: datasets.load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **options)


def test_hugging_face_opens_the_folder_as_it_is(folder, hugging_face):
    opened = hugging_face(str(folder))
    store = open_store(folder)
    assert {split: len(rows) for split, rows in opened.items()} == store.splits
    row = opened["train"][0]
    assert (row["image"].size, row["image"].mode) == ((48, 48), "L")
    label = opened["train"].features["label"]
    assert label.names == [str(emotion) for emotion in store.classes]
    assert label.int2str(row["label"]) == row["emotion"]


def test_hugging_face_opens_the_shards_alone(folder, hugging_face):
    files = [str(path) for path in open_store(folder).files("test")]
    opened = hugging_face("parquet", data_files={"test": files}, split="test")
    assert np.shape(opened[0]["landmarks"]) == (5, 2)
    assert len(opened[0]["votes"]) == len(VOTES)


def test_pandas_opens_the_shards(folder):
    store = open_store(folder)
    frame = pd.concat(pd.read_parquet(path) for path in store.files("train"))
    assert len(frame) == store.splits["train"]
    assert set(frame["emotion"]) <= set(store.classes)
    assert frame["key"].is_unique
    image = PIL.Image.open(imported_bytes(frame["image"].iloc[0]["bytes"]))
    assert image.size == (48, 48)


def imported_bytes(data):
    from io import BytesIO

    return BytesIO(data)


def test_pandas_opens_the_rejected(folder):
    frame = pd.read_parquet(folder / "rejected.parquet")
    assert list(frame.columns) == ["key", "source", "split", "reason", "detail"]
    assert frame["reason"].notna().all()


def test_a_split_is_had_whole_or_in_pieces(folder):
    store = open_store(folder)
    whole = store.table("train", ["key", "label"])
    pieces = [row for batch in store.batches("train", ["key", "label"], size=4) for row in batch.to_pylist()]
    assert pieces == whole.to_pylist()


def test_folders_of_pictures_hold_the_same(folder, tmp_path):
    store = open_store(folder)
    count = write_imagefolder(store, tmp_path / "pictures")
    assert count == sum(store.splits.values()) == len(list((tmp_path / "pictures").rglob("*.png")))
    row = store.table("test").to_pylist()[0]
    path = tmp_path / "pictures" / "test" / row["emotion"] / row["image"]["path"]
    assert (np.asarray(PIL.Image.open(path)) == decode(row["image"])[..., 0]).all()
    with pytest.raises(ValueError, match="is not an empty folder"):
        write_imagefolder(store, tmp_path / "pictures")
