"""A run that is killed at any moment and started again writes the same album as one that was not killed."""

import contextlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
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


def predict(photos, out):
    options = ("--model", "emonet_fast", "--device", "cpu", "--batch", "4", "--annotate", "--previews")
    return [sys.executable, "-m", "emonet", "predict", str(photos), "-o", str(out), *options]


def find_faces(photos, out):
    folders = ("--crops", str(out / "crops"), "--draw", str(out / "drawn"))
    return [sys.executable, "-m", "emonet", "faces", str(photos), "--detector", "mtcnn", "--device", "cpu", *folders]


def disturb(command, seconds):
    """Run a command several times, and end it at a random moment each time."""
    chance = random.Random(0)
    for _ in range(DISTURBANCES):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.2 * seconds, 0.8 * seconds))
            process.send_signal(chance.choice((signal.SIGKILL, signal.SIGINT)))


def read_files(folder):
    """Read all that a run wrote; the journal is a database, whose bytes tell how it came to hold what it holds."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("journal.sqlite"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.soak
@pytest.mark.parametrize("make_command", [predict, find_faces])
def test_a_run_killed_at_random_moments_writes_the_same_bytes(photos, tmp_path, make_command):
    started = time.monotonic()
    subprocess.run(make_command(photos, tmp_path / "whole"), check=True, capture_output=True)
    disturb(make_command(photos, tmp_path / "killed"), time.monotonic() - started)
    subprocess.run(make_command(photos, tmp_path / "killed"), check=True, capture_output=True)
    whole, killed = read_files(tmp_path / "whole"), read_files(tmp_path / "killed")
    assert sorted(killed) == sorted(whole)
    assert [name for name, content in whole.items() if killed[name] != content] == []
    images = [name for name in whole if name.endswith((".jpg", ".png"))]
    assert len(images) == 2 * (PHOTOS + 1)  # copies and previews, or drawings and crops
