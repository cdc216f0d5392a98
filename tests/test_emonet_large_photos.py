"""Photos of very many pixels: the same faces are found in them, and memory stays within its bound."""

import re
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from albums import run_album
from peaks import READ_PEAK

from emonet import DoubtRules, EmotionPredictor

MEGABYTES = 480  # for photos of 24 megapixels, of which two are in memory: 340 to 440 were measured

MEASURE = f"""
import sys
from facecrop.images import encode_jpeg, limit_size
from facecrop.side_by_side import map_photos
{READ_PEAK}
def work(batch):
    return [len(encode_jpeg(limit_size(photo.image, 320))) for photo in batch]

assert list(map_photos([("a", sys.argv[2])], work, threads=1))
before = read_peak()
assert len(list(map_photos(((n, sys.argv[1]) for n in range(8)), work, threads=int(sys.argv[3])))) == 8
print(read_peak() - before)
"""


@pytest.fixture(scope="module")
def predictor(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32")


def test_faces_of_a_halved_photo_lie_where_they_are_in_the_photo(tmp_path, predictor, portrait, monkeypatch):
    large = np.asarray(PIL.Image.fromarray(portrait).resize((1024, 640)))
    (tmp_path / "photos").mkdir()
    PIL.Image.fromarray(large).save(tmp_path / "photos" / "a.png")
    (whole,) = run_album(tmp_path / "photos", predictor).entries
    monkeypatch.setattr("facecrop.images.LARGE", 500_000)
    (tmp_path / "again").mkdir()
    (tmp_path / "photos").rename(tmp_path / "again" / "photos")
    (halved,) = run_album(tmp_path / "again" / "photos", predictor, annotate=True).entries
    assert (halved.width, halved.height) == (whole.width, whole.height) == (1024, 640)
    (first,), (second,) = whole.result.predictions, halved.result.predictions
    assert second.face.overlap(first.face) > 0.85
    assert second.emotion == first.emotion
    with PIL.Image.open(tmp_path / "again" / "album" / "annotated" / "a.png.jpg") as copy:
        assert copy.size == (512, 320)


def test_rules_in_pixels_are_those_of_the_photo(tmp_path, mtcnn, portrait, monkeypatch):
    from facecrop import FilterRules

    (tmp_path / "photos").mkdir()
    PIL.Image.fromarray(portrait).save(tmp_path / "photos" / "a.png")  # of a face of 85 pixels
    monkeypatch.setattr("facecrop.images.LARGE", 100_000)
    strict = EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", rules=FilterRules(min_size=60))
    (entry,) = run_album(tmp_path / "photos", strict).entries
    assert len(entry.result.predictions) == 1
    strict.rules = FilterRules(min_size=300)
    (found,) = strict.predict_many([tmp_path / "photos" / "a.png"])
    assert re.fullmatch(r"8\d(\.\d+)? px, at least 300", found.rejections[0].detail)


def test_doubts_in_pixels_are_those_of_the_photo(tmp_path, mtcnn, portrait, monkeypatch):
    (tmp_path / "photos").mkdir()
    PIL.Image.fromarray(portrait).save(tmp_path / "photos" / "a.png")  # of a face of 85 pixels
    monkeypatch.setattr("facecrop.images.LARGE", 100_000)
    doubting = EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", doubts=DoubtRules(sure_size=60))
    (entry,) = run_album(tmp_path / "photos", doubting).entries
    assert [one.unsure for one in entry.result.predictions] == [""]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak")
@pytest.mark.parametrize("threads", [2, 8])
def test_memory_does_not_grow_with_the_number_of_large_photos_or_threads(tmp_path, threads):
    PIL.Image.new("RGB", (6000, 4000), "red").save(tmp_path / "large.jpg")
    PIL.Image.new("L", (60, 50)).save(tmp_path / "small.png")
    command = [sys.executable, "-c", MEASURE, tmp_path / "large.jpg", tmp_path / "small.png", str(threads)]
    megabytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert megabytes < MEGABYTES


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak")
def test_a_png_of_very_many_pixels_takes_less_memory_than_its_pixels(tmp_path):
    PIL.Image.new("RGB", (10_000, 8_000), "red").save(tmp_path / "large.png")  # Pillow holds 320 MB of it
    PIL.Image.new("L", (60, 50)).save(tmp_path / "small.png")
    command = [sys.executable, "-c", MEASURE, tmp_path / "large.png", tmp_path / "small.png", "2"]
    megabytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert megabytes < 240
