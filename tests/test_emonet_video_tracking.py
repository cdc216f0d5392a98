"""Faces keep their track while they can be followed, and no longer."""

import numpy as np
import pytest

from emonet.video.options import VideoOptions
from emonet.video.tracking import FaceTracker
from facecrop import Face

STEP = 0.04  # seconds from frame to frame
OPTIONS = VideoOptions(detect_s=0.2)  # a search on every fifth frame
CHANCE = np.random.default_rng(0)
PATCHES = [CHANCE.integers(0, 256, (15, 15, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1) for _ in range(2)]


class Scripted:
    """A detector that finds what it is told, and counts how often it is asked."""

    def __init__(self):
        self.boxes, self.asked = [], 0

    def detect(self, images):
        self.asked += len(images)
        return [[Face(box, score=1.0) for box in self.boxes]]


def draw(places, brightness=110):
    image = np.full((240, 320, 3), brightness, np.uint8)
    for patch, (left, top) in zip(PATCHES, places, strict=False):
        image[top : top + 60, left : left + 60] = patch
    return image


def box(left, top):
    return left, top, left + 60, top + 60


@pytest.fixture
def detector():
    return Scripted()


@pytest.fixture
def tracker(detector):
    return FaceTracker(detector, OPTIONS)


def show(tracker, detector, index, places, found=None):
    detector.boxes = [box(*place) for place in (places if found is None else found)]
    return tracker.update(draw(places), index * STEP)


def test_faces_are_followed_between_searches(tracker, detector):
    for index in range(30):
        places = [(10 + 3 * index, 20), (200 - 3 * index, 150)]
        faces = show(tracker, detector, index, places)
        assert [one.track for one in faces] == [1, 2] if index == 0 else sorted(one.track for one in faces) == [1, 2]
        for one in faces:
            assert one.face.overlap(box(*places[one.track - 1])) > 0.85
    assert detector.asked == 6


def test_a_search_that_overlooks_a_face_once_does_not_end_it(tracker, detector):
    show(tracker, detector, 0, [(100, 100)])
    for index in range(1, 10):
        (one,) = show(tracker, detector, index, [(100 + index, 100)], found=[])
        assert (one.track, one.detected) == (1, False)
    assert show(tracker, detector, 10, [(110, 100)], found=[]) == []


@pytest.mark.parametrize(("away", "track"), [(10, 1), (60, 2)])
def test_a_face_keeps_its_track_through_a_short_gap_alone(tracker, detector, away, track):
    show(tracker, detector, 0, [(100, 100)])
    for index in range(1, away):
        assert show(tracker, detector, index, []) == []
    found = [one for index in range(away, away + 6) for one in show(tracker, detector, index, [(115, 100)])]
    assert {one.track for one in found} == {track}


@pytest.mark.parametrize("rate", [0.99, 0.5])
def test_a_face_on_each_frame_is_one_track_however_far_apart_frames_are(tracker, detector, rate):
    detector.boxes = [box(100, 100)]
    found = [one for index in range(6) for one in tracker.update(draw([(100, 100)]), index / rate)]
    assert [one.track for one in found] == [1] * 6
    detector.boxes = []
    assert tracker.update(draw([]), 6 / rate) == []  # it is out of sight
    detector.boxes = [box(100, 100)]
    assert [one.track for one in tracker.update(draw([(100, 100)]), 8 / rate)] == [2]


def test_a_cut_ends_all_tracks(tracker, detector):
    show(tracker, detector, 0, [(100, 100)])
    detector.boxes = [box(100, 100)]
    (one,) = tracker.update(draw([(100, 100)], brightness=250), STEP)
    assert (one.track, one.detected) == (2, True)


def test_a_state_goes_on_as_if_nothing_had_been(tracker, detector):
    frames = [[(10 + 3 * index, 20), (200 - 3 * index, 150)] for index in range(20)]
    expected = [show(tracker, detector, index, places) for index, places in enumerate(frames)]
    first, second = FaceTracker(detector, OPTIONS), FaceTracker(detector, OPTIONS)
    found = [show(first, detector, index, places) for index, places in enumerate(frames[:8])]
    second.resume(first.state, draw(frames[7]))
    found += [show(second, detector, index, places) for index, places in list(enumerate(frames))[8:]]
    assert found == expected


def test_frames_of_another_size_are_searched_anew(tracker, detector):
    show(tracker, detector, 0, [(100, 100)])
    detector.boxes = [(50, 50, 80, 80)]
    found = [tracker.update(np.full((120, 160, 3), 110, np.uint8), index * STEP) for index in range(1, 5)]
    assert [one.track for faces in found for one in faces] == [2]
