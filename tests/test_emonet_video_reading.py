"""Frames are read with their own times, the right way up; what cannot be read says why."""

import wave

import numpy as np
import pytest
from films import cut, replace_bytes, set_times, turn, write_film

from emonet.errors import MissingFileError, OptionError, VideoError
from emonet.video import VideoOptions, open_video
from emonet.video.camera import Camera
from emonet.video.faults import explain_unreadable


def read_nothing(path):
    """Read a file that holds no frames: some are opened before that turns out."""
    frames, fault = read(path)
    assert frames == []
    raise fault


def make_marked(count=10):
    """Images whose brightness tells their number, white in the corner at the top left."""
    for index in range(count):
        image = np.full((96, 160, 3), 20 * index, np.uint8)
        image[:24, :40] = 255
        yield image


def read(path, **options):
    film = open_video(path)
    return list(film.read(VideoOptions(**options))), film.fault


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".webm"])
def test_every_frame_is_read_once_with_its_time(tmp_path, ending):
    frames, fault = read(write_film(tmp_path / f"film{ending}", make_marked()))
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(10)], abs=0.002)
    assert [round(float(frame.image[60:, 80:].mean()) / 20) for frame in frames] == list(range(10))
    assert fault is None


def test_times_come_from_the_film_where_they_are_uneven(tmp_path):
    times = [0, 30, 70, 500, 530, 1500, 1600, 1700, 3000, 3033]
    frames, fault = read(set_times(write_film(tmp_path / "film.webm", make_marked()), times))
    assert [frame.time_s for frame in frames] == pytest.approx([time / 1000 for time in times])
    assert fault is None


@pytest.mark.parametrize(("degrees", "corner"), [(90, (slice(20), slice(-20, None))), (180, (slice(-20, None),) * 2)])
def test_a_film_that_is_to_be_turned_is_read_upright(tmp_path, degrees, corner):
    frames, _ = read(turn(write_film(tmp_path / "film.mp4", make_marked(2)), degrees))
    assert frames[0].image.shape == ((160, 96, 3) if degrees == 90 else (96, 160, 3))
    assert frames[0].image[corner].mean() > 200


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        ({"every": 4}, [0, 4, 8]),
        ({"rate": 5}, [0, 5]),
        ({"rate": 10}, [0, 3, 5, 8]),  # at 0, 0.12, 0.2 and 0.32 s
        ({"rate": 100}, list(range(10))),
        ({"every": 3, "rate": 5}, [0, 6]),
    ],
)
def test_frames_can_be_left_out(tmp_path, options, indices):
    frames, _ = read(write_film(tmp_path / "film.avi", make_marked()), **options)
    assert [frame.index for frame in frames] == indices


def test_a_gap_in_a_film_does_not_raise_the_rate():
    film = open_video((time_s, np.zeros((60, 90, 3), np.uint8)) for time_s in (0, 10, 10.04, 10.08, 11, 11.9, 12, 13))
    assert [frame.time_s for frame in film.read(VideoOptions(rate=1))] == [0, 10, 11, 12, 13]


def test_reading_goes_on_at_a_frame(tmp_path):
    film = open_video(write_film(tmp_path / "film.avi", make_marked()))
    assert [frame.index for frame in film.read(VideoOptions(every=2), after=4)] == [4, 6, 8]


@pytest.mark.parametrize("ending", [".avi", ".webm"])
def test_a_film_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path, ending):
    frames, fault = read(cut(write_film(tmp_path / f"film{ending}", make_marked()), 0.8))
    assert 3 <= len(frames) < 10
    assert "cut off" in fault.reason
    assert f"{len(frames)} frames" in fault.reason


def write_sound(path):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    return path


def make_film(path):
    return write_film(path, make_marked(3))


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("empty.mp4", lambda path: path.write_bytes(b"") and path, "empty"),
        ("cut.mp4", lambda path: cut(make_film(path)), "no index"),
        ("sound.wav", write_sound, "sound and no film"),
        ("sound.mp4", lambda path: replace_bytes(make_film(path), b"vide", b"soun"), "sound and no film"),
        ("text.mp4", lambda path: path.write_text("no film" * 99) and path, "no film, or encrypted"),
        ("photo.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff") and path, "emonet predict"),
        ("folder", lambda path: path.mkdir(), "folder"),
    ],
)
def test_what_is_no_film_says_why(tmp_path, name, make, reason):
    make(tmp_path / name)
    with pytest.raises(VideoError, match=reason) as raised:
        read_nothing(tmp_path / name)
    assert raised.value.path.name == name


def test_a_film_that_says_that_it_is_encrypted_is_called_so(tmp_path):
    locked = replace_bytes(make_film(tmp_path / "film.mp4"), b"mp4v", b"encv")
    assert explain_unreadable(locked) == "it is encrypted"


def test_a_missing_film_and_a_wrong_source_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"film\.mp4"):
        open_video(tmp_path / "film.mp4")
    for source in (None, True, 1.5):
        with pytest.raises(OptionError, match="source"):
            open_video(source)
    with pytest.raises(OptionError, match="fps"):
        open_video([], fps=0)


def test_images_have_their_own_times_or_a_steady_rate():
    images = list(make_marked(3))
    steady = open_video(iter(images), fps=10).read(VideoOptions())
    assert [frame.time_s for frame in steady] == pytest.approx([0, 0.1, 0.2])
    own = open_video(zip([0.0, 1.0, 5.0], images, strict=True)).read(VideoOptions())
    assert [frame.time_s for frame in own] == [0, 1, 5]
    with pytest.raises(OptionError, match="rise"):
        list(open_video(zip([0.0, 1.0, 1.0], images, strict=True)).read(VideoOptions()))


def test_a_camera_that_is_absent_is_one_clear_error():
    with pytest.raises(VideoError, match="there is no camera 99"):
        open_video(99)


def test_a_camera_gives_its_newest_frame_and_says_when_it_is_gone(monkeypatch):
    camera = open_pretended(monkeypatch, make_marked(5))
    frames = list(camera.read(VideoOptions()))
    assert frames[-1].index == 4
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert "no more frames" in camera.fault.reason


class PretendedCapture:
    """A camera of OpenCV that shows some images."""

    def __init__(self, images):
        self._images = iter(images)

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def read(self):
        image = next(self._images, None)
        return image is not None, image

    def release(self):
        pass


def open_pretended(monkeypatch, images):
    monkeypatch.setattr("emonet.video.camera._open_capture", lambda _: PretendedCapture(images))
    return Camera(0)
