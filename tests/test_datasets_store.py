"""The data set on disk, opened by emonet, Hugging Face, pandas, torch, and programs that read folders."""

import subprocess
import sys

import imitations
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from emonet.datasets import open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.ferplus import VOTES
from emonet.datasets.store.imagefolder import write_imagefolder
from emonet.datasets.store.info import format_description, read_description
from emonet.faces import FaceDataset
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from facecrop import CropSpec


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
        leaks="exact",
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


def test_hugging_face_opens_the_folder(folder, hugging_face):
    opened = hugging_face(str(folder))
    store = open_store(folder)
    assert {split: len(rows) for split, rows in opened.items()} == store.splits
    row = opened["train"][0]
    assert (row["image"].size, row["image"].mode) == ((48, 48), "L")
    label = opened["train"].features["label"]
    assert label.names == [str(emotion) for emotion in store.classes]
    assert label.int2str(row["label"]) == row["emotion"]


def test_hugging_face_opens_single_shards(folder, hugging_face):
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


def test_pandas_opens_rejected_parquet(folder):
    frame = pd.read_parquet(folder / "rejected")
    assert list(frame.columns) == ["key", "source", "split", "reason", "detail"]
    assert frame["reason"].notna().all()


def test_table_and_batches_hold_the_same_rows(folder):
    store = open_store(folder)
    whole = store.table("train", ["key", "label"])
    pieces = [row for batch in store.batches("train", ["key", "label"], size=4) for row in batch.to_pylist()]
    assert pieces == whole.to_pylist()


def test_imagefolder_is_not_mixed_with_other_files(folder, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not an empty folder"):
        write_imagefolder(open_store(folder), tmp_path)


def test_dataset_json_is_read_and_written_unchanged(folder):
    text = (folder / "dataset.json").read_text()
    info = read_description(folder / "dataset.json")
    assert format_description(info) == text
    assert info.classes[0] is Emotion.ANGRY
    assert info.sources["fer2013"].cropped_by_publisher == CropSpec.fer2013()
    assert (info.sources["ckplus"].cropped_by_publisher, info.detector) == (None, "mtcnn")
    assert info.splits["train"][0].name == "data/train-00000-of-00001.parquet"


def test_torch_data_set_feeds_a_data_loader(folder):
    from torch.utils.data import DataLoader, Dataset

    store = open_store(folder)
    dataset = FaceDataset(store, "train", InputSpec(28, 3))
    assert isinstance(dataset, Dataset)
    x, labels = next(iter(DataLoader(dataset, batch_size=len(dataset))))
    assert x.shape == (store.splits["train"], 3, 28, 28)
    assert 0 <= x.min() < x.max() <= 1
    rows = store.table("train", ["key", "emotion"]).to_pylist()
    assert [dataset.classes[label] for label in labels] == [row["emotion"] for row in rows]
    assert dataset.keys == [row["key"] for row in rows]


def test_as_torch_keeps_the_size_and_channels_of_the_data_set(folder):
    store = open_store(folder)
    dataset = store.as_torch("test")
    assert isinstance(dataset, FaceDataset)
    assert dataset[0][0].shape == (1, 48, 48)
    shapes = store.as_torch("test", transform=lambda image: image.shape)
    assert shapes[0] == ((48, 48, 3), dataset[0][1])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one processor
def test_as_torch_is_read_by_several_workers(folder):
    from torch.utils.data import DataLoader

    dataset = open_store(folder).as_torch("test")
    apart, together = (
        [label for _, labels in DataLoader(dataset, batch_size=4, num_workers=workers) for label in labels.tolist()]
        for workers in (2, 0)
    )
    assert apart == together == dataset.labels.tolist()


def test_opening_a_data_set_does_not_import_torch(folder):
    script = (
        "import sys; from emonet.datasets import open_store; open_store(sys.argv[1]).table('test'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()
