"""A run that is killed at any moment and started again writes the same album as one that was not killed."""

import contextlib
import random
import subprocess
import sys

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

PHOTOS = 60
DISTURBANCES = 5


@pytest.fixture
def photos(tmp_path, face):
    (tmp_path / "photos").mkdir()
    for number in range(PHOTOS):
        PIL.Image.fromarray(np.roll(face, number % 7, axis=1)).save(tmp_path / "photos" / f"{number:02}.png")
    return tmp_path / "photos"


def command(photos, out):
    options = ("--model", "emonet_fast", "--device", "cpu", "--batch", "4", "--annotate")
    return [sys.executable, "-m", "emonet", "predict", str(photos), "-o", str(out), *options]


@pytest.mark.soak
def test_a_run_killed_at_random_moments_writes_the_same_rows(photos, tmp_path):
    chance = random.Random(0)
    subprocess.run(command(photos, tmp_path / "whole"), check=True, capture_output=True)
    for _ in range(DISTURBANCES):
        with subprocess.Popen(command(photos, tmp_path / "killed"), stdout=subprocess.DEVNULL) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(4, 12))
            process.kill()
    subprocess.run(command(photos, tmp_path / "killed"), check=True, capture_output=True)
    whole, killed = (pq.read_table(tmp_path / name / "predictions.parquet") for name in ("whole", "killed"))
    assert killed.select(["path", "face", "emotion"]).equals(whole.select(["path", "face", "emotion"]))
    assert np.allclose(killed["confidence"], whole["confidence"], atol=0.01)  # bf16, in batches of other sizes
    assert len(list((tmp_path / "killed" / "annotated").iterdir())) == PHOTOS
    assert not list((tmp_path / "killed").rglob("*part"))
