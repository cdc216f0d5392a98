"""A run over a hostile folder ends, says all there is to say, writes only into its own folder, and stays small."""

import csv
import subprocess
import sys

import pytest
from hostile import make_hostile_folder
from peaks import READ_PEAK

from emonet.album import list_photos
from facecrop.text import as_text

MEGABYTES = 900  # 563 by yunet and ONNX Runtime, as by default
MEASURED = f"""
import runpy, sys
{READ_PEAK}
try:
    runpy.run_module("emonet", run_name="__main__")
finally:
    print("megabytes", read_peak(), file=sys.stderr)
"""


def predict(photos, out, *options):
    command = [sys.executable, "-c", MEASURED, "predict", photos, "-o", out, "--annotate", "--model", "emonet_fast"]
    return subprocess.run([*command, "--device", "cpu", *options], capture_output=True, text=True, check=False)


def read_state(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take these names, or do not tell the peak")
@pytest.mark.parametrize(
    ("count", "large"), [(30, False), pytest.param(3000, True, marks=pytest.mark.soak)], ids=["small", "whole"]
)
def test_a_hostile_folder_becomes_an_album(tmp_path, face, count, large):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    make_hostile_folder(photos, face, count, large=large)
    before = read_state(photos)
    first = predict(photos, out)
    assert "Traceback" not in first.stderr
    assert first.returncode == 3
    assert int(first.stderr.rsplit("megabytes ", 1)[1]) < MEGABYTES
    assert read_state(photos) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]

    listed = [as_text(photo.name) for photo in list_photos(photos).photos]
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["path"].removeprefix("'") for row in rows)) == listed
    assert not any(row["path"].startswith(("=", "-", "\r")) for row in rows)
    read = {row["path"] for row in rows if row["reason"] != "unreadable"}
    copies = [path for path in walk(out / "annotated") if path.is_file()]
    assert len(copies) == len(read)
    assert "<script>alert" not in (out / "album.html").read_text(encoding="utf-8")

    again = predict(photos, out)
    assert f"{len(read):,} of them done before" in again.stdout  # the others are tried again


def walk(folder):
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(here.iterdir() if here.is_dir() and not here.is_symlink() else ())
