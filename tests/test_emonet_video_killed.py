"""A run over a film that is killed at any moment and started again writes the same as one that was not killed."""

import contextlib
import random
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from films import make_images, write_film

FRAMES = 150
DISTURBANCES = 4


def command(film, out):
    return [sys.executable, "-m", "emonet", "video", str(film), "-o", str(out), "--model", "emonet_fast"]


@pytest.mark.soak
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_ended_at_random_moments_writes_the_same_rows(face, tmp_path, how):
    film = write_film(tmp_path / "film.avi", make_images(face, FRAMES, step=1))
    subprocess.run(command(film, tmp_path / "whole"), check=True, capture_output=True)
    chance = random.Random(0)
    for _ in range(DISTURBANCES):
        with subprocess.Popen(command(film, tmp_path / "ended"), stdout=subprocess.DEVNULL) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(3, 10))
            process.send_signal(how)
    subprocess.run(command(film, tmp_path / "ended"), check=True, capture_output=True)
    whole, ended = (pq.read_table(tmp_path / name / "timeline.parquet") for name in ("whole", "ended"))
    assert ended.equals(whole)
    assert not list((tmp_path / "ended").glob("*part*"))
