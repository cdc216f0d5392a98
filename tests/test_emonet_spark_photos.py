"""Photos on Spark get the answers of the local run; the example of the guide runs."""

import re
import sys

import imitations
import numpy as np
import pyarrow.parquet as pq
import pytest
import sparks
from typer.testing import CliRunner

from emonet.commands import create_app

sparks.skip_without_spark()

MODEL = ["--model", "emonet_fast", "--detector", "yunet", "--tta", "none"]

pytestmark = sparks.QUIET


@pytest.fixture(scope="module")
def session(root):
    with sparks.open_small_session(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(tmp_path_factory, portrait, face):
    folder = tmp_path_factory.mktemp("data") / "a few photos"
    imitations.save(folder / "one.png", face)
    imitations.save(folder / "below" / "two.JPG", portrait)
    imitations.save(folder / "nobody.png", portrait[-40:, :40])
    imitations.write_text(folder / "notes.txt", "no photo")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def run(*words):
    return CliRunner().invoke(create_app(["predict"]), ["predict", *map(str, words)])


def rows(place):
    found = pq.read_table(place).to_pylist()
    return sorted(found, key=lambda row: (row["path"], row["face"] or 0))


@pytest.mark.usefixtures("session")
def test_answers_are_those_of_the_local_run(photos, tmp_path):
    local = run(photos, *MODEL, "-o", tmp_path / "album")
    spark = run(photos, *MODEL, "--engine", "spark", "--master", "local[2]", "-o", tmp_path / "table")
    assert (local.exit_code, spark.exit_code) == (3, 3), spark.output
    assert "4 photos, 2 faces, 1 photo cannot be read" in spark.output
    one, other = rows(tmp_path / "album" / "predictions.parquet"), rows(tmp_path / "table")
    assert [row["path"] for row in one] == ["below/two.JPG", "broken.jpg", "nobody.png", "one.png"]
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        assert {name: pytest.approx(value, abs=1e-5) for name, value in mine.items()} == theirs
    assert (tmp_path / "table" / "_SUCCESS").exists()
    again = run(photos, *MODEL, "--engine", "spark", "--master", "local[2]", "-o", tmp_path / "table")
    assert "not empty" in str(again.exception)
    (tmp_path / "table" / "_SUCCESS").unlink()  # as a driver leaves it that was killed while it moved files
    assert "not empty" in str(run(photos, *MODEL, "--engine", "spark", "-o", tmp_path / "table").exception)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("out", [".", "..", "one", "link", "beside"])
def test_overwriting_keeps_photos_and_files_of_others(face, tmp_path, out):
    folder, beside = tmp_path / "photos", tmp_path / "beside"
    imitations.save(folder / "one" / "a.png", face)
    imitations.write_text(beside / "diary.txt", "dear diary")
    (tmp_path / "link").symlink_to(folder)
    place = folder / out if out in (".", "..", "one") else tmp_path / out
    ended = run(folder, *MODEL, "--engine", "spark", "-o", place, "--overwrite")
    assert "choose another folder" in str(ended.exception)
    assert (folder / "one" / "a.png").exists()
    assert (beside / "diary.txt").exists()


def test_overwritten_table_keeps_no_old_rows(session, photos, tmp_path):
    words = [*MODEL, "--engine", "spark", "-o", tmp_path / "table"]
    session.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    try:
        run(photos / "below", *words)
        imitations.save(tmp_path / "others" / "grey.png", np.full((40, 40, 3), 90, np.uint8))
        run(tmp_path / "others", *words, "--overwrite")
    finally:
        session.conf.unset("spark.sql.sources.partitionOverwriteMode")
    files = (tmp_path / "table").rglob("*.parquet")
    assert [row["path"] for file in files for row in pq.read_table(file).to_pylist()] == ["grey.png"]


def test_files_that_spark_does_not_hand_over_are_counted(session, tmp_path):
    folder = tmp_path / "photos"
    imitations.save(folder / "grey.png", np.full((40, 40, 3), 90, np.uint8))
    (folder / "empty.jpg").touch()
    (folder / "scan.tif").write_bytes(b"II*\0" + bytes(1000))
    session.conf.set("spark.sql.sources.binaryFile.maxLength", 1000)
    try:
        ended = run(folder, *MODEL, "--engine", "spark", "-o", tmp_path / "table")
    finally:
        session.conf.unset("spark.sql.sources.binaryFile.maxLength")
    assert (ended.exit_code, "2 photos, 0 faces, 1 photo cannot be read" in ended.output) == (3, True)
    assert "empty files: 1 photo not in the table" in ended.output
    files = (tmp_path / "table").rglob("*.parquet")
    details = {row["path"]: row["detail"] for file in files for row in pq.read_table(file).to_pylist()}
    assert "too large for Spark" in details["scan.tif"]


@pytest.mark.usefixtures("session")
def test_one_photo_and_a_folder_without_photos_are_refused(photos, tmp_path):
    (tmp_path / "none").mkdir()
    for given, told in ((photos / "one.png", "is a file"), (tmp_path / "none", "there is no photo in")):
        ended = run(given, *MODEL, "--engine", "spark", "-o", tmp_path / "table")
        assert told in str(ended.exception)
    assert not (tmp_path / "table").exists()


@pytest.mark.usefixtures("session")
def test_folder_of_empty_photos_fails(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "empty.jpg").touch()
    ended = run(tmp_path / "photos", *MODEL, "--engine", "spark", "-o", tmp_path / "table")
    assert (ended.exit_code, "0 photos, 0 faces" in ended.output) == (1, True)


@pytest.mark.usefixtures("session")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_name_that_spark_cannot_read_is_told(tmp_path):
    imitations.save(tmp_path / "photos" / "12:30.png", np.full((40, 40, 3), 90, np.uint8))
    ended = run(tmp_path / "photos", *MODEL, "--engine", "spark", "-o", tmp_path / "table")
    assert "12:30.png" in str(ended.exception)
    assert "Spark reads no local files with :" in str(ended.exception)


def test_example_of_a_watched_folder_runs(session, photos, tmp_path, root):
    text = (root / "docs" / "how-to" / "spark.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names = {"session": session, "photos": f"file:{photos / 'below'}", "answers": f"file:{tmp_path / 'answers'}"}
    exec(example, names)
    (row,) = session.read.parquet(names["answers"]).collect()
    assert (row["path"], row["face"]) == ("two.JPG", 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--labels", "labels.csv"], "--labels"),
        (["--annotate"], "--annotate"),
        ([], "--out"),
    ],
)
def test_what_spark_does_not_write_is_refused(photos, tmp_path, words, told):
    out = ["-o", tmp_path / "out"] if words else []
    ended = run(photos, "--engine", "spark", "--master", "local[2]", *words, *out)
    assert told in str(ended.exception)
