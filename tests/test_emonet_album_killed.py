"""A run that is killed at any moment and started again writes the same album as one that was not killed."""

import contextlib
import random
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

PHOTOS = 60
DISTURBANCES = 5
LONG = "\N{CJK UNIFIED IDEOGRAPH-7530}" * 76


@pytest.fixture
def photos(tmp_path, face):
    (tmp_path / "photos").mkdir()
    for number in range(PHOTOS):
        PIL.Image.fromarray(np.roll(face, number % 7, axis=1)).save(tmp_path / "photos" / f"{number:02}.png")
    PIL.Image.fromarray(face).save(tmp_path / "photos" / f"{LONG}.png")
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
            process.send_signal(chance.choice((signal.SIGKILL, signal.SIGINT)))
    subprocess.run(command(photos, tmp_path / "killed"), check=True, capture_output=True)
    whole, killed = (pq.read_table(tmp_path / name / "predictions.parquet") for name in ("whole", "killed"))
    assert killed.select(["path", "face", "emotion"]).equals(whole.select(["path", "face", "emotion"]))
    assert np.allclose(killed["confidence"], whole["confidence"], atol=0.01)  # bf16, in batches of other sizes
    copies = sorted(path.name for path in (tmp_path / "killed" / "annotated").iterdir())
    assert copies == sorted(path.name for path in (tmp_path / "whole" / "annotated").iterdir())
    assert len(copies) == PHOTOS + 1
    for name in copies:
        with PIL.Image.open(tmp_path / "killed" / "annotated" / name) as copy:
            copy.load()  # it is whole
    assert sorted(path.name for path in (tmp_path / "killed").rglob("*") if path.is_file()) == sorted(
        path.name for path in (tmp_path / "whole").rglob("*") if path.is_file()
    )
