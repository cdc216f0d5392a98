"""What tests share: a real portrait, detectors opened once, and the annotated photos where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from facecrop import DETECTORS, open_detector

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT.parent / "shared" / "photos"


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
