"""The folder of a data set is opened as it is, by the readers that its README.md names, and in the format of before."""

import json
import re

import format_1
import imitations
import numpy as np
import pandas as pd
import pytest
import trainings

from emonet.datasets import DatasetError, open_store
from emonet.datasets.store.leaks import has_training_copy
from emonet.datasets.store.regrouped import regroup
from emonet.faces import read_faces
from emonet.models.inputs import InputSpec


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """FER2013 with votes and a row that is left out, in all four splits."""
    folder = tmp_path_factory.mktemp("store")
    rows = imitations.fer2013_rows(portrait, training=35, tests=7)
    rows.append(imitations.Row(0, "Training", np.zeros((48, 48), np.uint8)))
    table = imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    votes = imitations.write_ferplus_votes(folder / "fer2013new.csv", rows)
    return trainings.build_store(folder / "out", {"fer2013": table}, ferplus=str(votes), dev=7, folds=3)


@pytest.fixture(scope="module")
def old(store, tmp_path_factory):
    return open_store(format_1.write_format_1(store, tmp_path_factory.mktemp("old") / "out"))


def named_in_the_card(store, reader):
    """The path that the card gives to a reader, with the folder's own in it."""
    card = (store.path / "README.md").read_text(encoding="utf-8")
    (path,) = re.findall(rf"{re.escape(reader)}[^\n]*?[\"'](FOLDER[^\"']*)", card)
    return path.replace("FOLDER", str(store.path))


def test_rejected_rows_are_in_a_folder_of_their_own(store):
    parquet = sorted(path.relative_to(store.path).as_posix() for path in store.path.rglob("*.parquet"))
    names = [f"data/{split}-00000-of-00001.parquet" for split in ("dev", "test", "train", "validation")]
    assert parquet == [*names, "rejected/rejected.parquet"]
    assert store.rejected()["reason"].to_pylist() == ["blank"]


def test_pandas_reads_all_splits_and_no_rejected_row(store):
    frame = pd.read_parquet(named_in_the_card(store, "pandas.read_parquet("))
    assert frame["split"].value_counts().to_dict() == store.splits
    assert frame["key"].is_unique


def test_polars_reads_all_splits_and_no_rejected_row(store):
    polars = pytest.importorskip("polars")
    for path in (named_in_the_card(store, "polars.read_parquet("), store.path / "data" / "*.parquet"):
        frame = polars.read_parquet(path)
        assert dict(frame["split"].value_counts().iter_rows()) == store.splits


def test_duckdb_reads_all_splits_and_no_rejected_row(store):
    duckdb = pytest.importorskip("duckdb")
    path = named_in_the_card(store, "duckdb.sql(")
    counted = duckdb.sql(f"select split, count(*) from '{path}' group by all").fetchall()
    assert dict(counted) == store.splits


def test_spark_reads_all_splits_and_no_rejected_row(store):
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = session.read.parquet(named_in_the_card(store, "spark.read.parquet("))
        assert {row["split"]: row["count"] for row in frame.groupBy("split").count().collect()} == store.splits
    finally:
        session.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what mlcroissant calls of rdflib and pandas
def test_croissant_is_valid_and_yields_the_rows(store):
    croissant = pytest.importorskip("mlcroissant")
    described = croissant.Dataset(named_in_the_card(store, "mlcroissant.Dataset("))
    assert not described.metadata.issues.errors
    rows = list(described.records("faces"))
    assert sorted(row["faces/key"].decode() for row in rows) == sorted(
        key for split in store.splits for key in store.table(split, ["key"])["key"].to_pylist()
    )
    assert (rows[0]["faces/image"].size, len(rows[0]["faces/votes"])) == ((48, 48), 10)
    assert [row["classes/name"] for row in described.records("classes")] == list(store.classes)
    assert {row["splits/name"] for row in described.records("splits")} == set(store.splits)


def test_croissant_describes_each_column_and_names_each_shard_with_its_hash(store):
    described = json.loads((store.path / "croissant.json").read_text())
    files = {one["contentUrl"]: one["sha256"] for one in described["distribution"] if "sha256" in one}
    assert files == {name: digest for name, digest in store.info.files.items() if name.startswith("data/")}
    (faces,) = (one for one in described["recordSet"] if one["@id"] == "faces")
    assert [one["source"]["extract"]["column"] for one in faces["field"]] == store.table("dev").column_names


def test_old_data_sets_hold_the_same_rows(store, old):
    assert store.splits == old.splits
    for split in store.splits:
        assert old.table(split).equals(store.table(split), check_metadata=True)
    assert old.table("dev", ["split", "key"]).column_names == ["split", "key"]
    assert [batch.num_rows for batch in old.batches("test", ["split"], 4)] == [4, 3]
    assert old.rejected().equals(store.rejected())
    assert old.differences() == []


def test_old_data_sets_are_used_as_new_ones(store, old):
    keys = {"test": store.table("dev", ["key"])["key"].to_pylist()}
    for opened in (store, old):
        view = regroup(opened, keys, {})
        assert view.table("test", ["key", "split"]).to_pylist() == [
            {"key": key, "split": "test"} for key in keys["test"]
        ]
        assert len(read_faces(view, ["test"], InputSpec(48, 1))) == 7
        assert not has_training_copy(opened, "test").any()


def test_newer_formats_are_refused_with_what_to_do(store, tmp_path):
    folder = format_1.write_format_1(store, tmp_path / "newer")
    stored = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(stored | {"format": 3}))
    with pytest.raises(DatasetError, match=r"format 3, .* reads 1 and 2: .*pip install --upgrade emonet"):
        open_store(folder)


@pytest.mark.parametrize("name", ["one", True, 0, None, 1.5])
def test_damaged_formats_are_refused(name, store, tmp_path):
    folder = format_1.write_format_1(store, tmp_path / "damaged")
    stored = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(stored | {"format": name}))
    with pytest.raises(DatasetError, match="build it again"):
        open_store(folder)
