"""What tests share: a real portrait, detectors opened once, and the annotated photos where they are at hand."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from skimage import data

from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from facecrop import DETECTORS, open_detector

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT.parent / "shared" / "photos"
FER2013 = ROOT.parent / "shared" / "fer2013"
SLOW = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").split()  # see tests/find_slow.py

# Tests share the machine with each other: how long an example takes says nothing.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

# What a shell starts in the background ignores interrupts, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    """Mark the files and tests of tests/slow.txt as slow."""
    for item in items:
        test = item.nodeid.partition("[")[0]
        if test in SLOW or test.partition("::")[0] in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def portrait():
    """A photo of one face, 320 high and 512 wide, in the public domain; the face is some 85 pixels wide."""
    image = np.array(data.astronaut()[:320])
    image.flags.writeable = False
    return image


@pytest.fixture(scope="session")
def face(portrait):
    """As much of the portrait as a face needs: 200 wide, 160 high."""
    return np.ascontiguousarray(portrait[40:200, 130:330])


@pytest.fixture(scope="session")
def detectors():
    """Every detector, opened once."""
    return {name: open_detector(name) for name in DETECTORS}


@pytest.fixture(scope="session")
def mtcnn(detectors):
    return detectors["mtcnn"]


@pytest.fixture(scope="session")
def photos():
    """The folder of annotated photos, which may not be passed on and is absent from most machines."""
    if not PHOTOS.is_dir():
        pytest.skip("the annotated photos are not on this machine")
    return PHOTOS


@pytest.fixture(scope="session")
def fer2013_table(tmp_path_factory):
    """The published rows of FER2013, which may not be passed on and are absent from most machines."""
    if not FER2013.is_dir():
        pytest.skip("FER2013 may not be passed on and is not on this machine")
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    subprocess.run([sys.executable, FER2013 / "unpack.py", path], check=True)
    return path


@pytest.fixture(scope="session")
def fer2013_store(fer2013_table, tmp_path_factory):
    """All of them, every one taken for a face, with votes and a hold-out."""
    votes = str(FER2013 / "fer2013new.csv")
    options = BuildOptions({"fer2013": str(fer2013_table)}, detector="whole", dev=3000, ferplus=votes, leaks="exact")
    return build_dataset(prepare(options), tmp_path_factory.mktemp("store") / "out").store
