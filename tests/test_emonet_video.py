"""Films from end to end: results, tracks, smoothing, segments, runs that are stopped, and the command."""

import csv
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from films import cut, make_images, write_film
from pages import Tags
from typer.testing import CliRunner

from emonet import EmotionPredictor, FrameResult, predict_video
from emonet.commands import app, main
from emonet.errors import MachineError, MissingPackageError, OptionError, VideoError
from emonet.video import Segment, TrackedPrediction, VideoOptions, VideoRun, open_video
from emonet.video.analysis import Smoother
from emonet.video.annotated import FilmWriter
from emonet.video.reading import FilmFile
from emonet.video.segments import find_segments
from emonet.video.timeline import write_timeline
from facecrop import Face, FilterRules

FRAMES = 40
CLASSES = ("happy", "sad", "neutral")


@pytest.fixture(scope="module")
def predictor():
    return EmotionPredictor("emonet_fast", detector="yunet", tta="none", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def film(tmp_path_factory, face):
    return write_film(tmp_path_factory.mktemp("film") / "a film #1.webm", make_images(face, FRAMES))


@pytest.fixture(scope="module")
def whole(film, predictor, tmp_path_factory):
    """The folder of a run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert VideoRun(film, folder, predictor).run(lambda _: None).fault is None
    return folder


def read_rows(folder):
    return pq.read_table(folder / "timeline.parquet").to_pylist()


def said(name, share, track=1):
    rest = (1 - share) / (len(CLASSES) - 1)
    shares = {one: share if one == name else rest for one in CLASSES}
    return TrackedPrediction(Face((10, 10, 60, 70), score=1.0), shares, track=track)


def test_a_face_that_moves_is_one_track_with_a_prediction_on_each_frame(film, predictor):
    results = list(predict_video(film, predictor))
    assert [result.index for result in results] == list(range(FRAMES))
    assert {one.track for result in results for one in result.predictions} == {1}
    assert all(len(result.predictions) == 1 for result in results)
    lefts = [result.predictions[0].box[0] for result in results]
    assert lefts[-1] - lefts[0] == pytest.approx(2 * (FRAMES - 1), abs=8)
    assert sum(one.classified for result in results for one in result.predictions) == FRAMES // 3 + 1  # every 0.12 s
    assert 0 < sum(one.detected for result in results for one in result.predictions) < FRAMES / 3


def test_results_can_be_written_and_read(face, predictor):
    (result,) = predict_video(islice(make_images(face, 1), 1), predictor)
    stored = json.loads(json.dumps(result.to_dict()))
    assert FrameResult.from_dict(stored) == result
    assert (stored["predictions"][0]["track"], stored["predictions"][0]["detected"]) == (1, True)


def test_on_a_frame_that_is_searched_a_face_is_named_as_in_a_photo(face, predictor):
    (image,) = make_images(face, 1)
    (result,) = predict_video([image], predictor)
    (photo,) = predictor.predict(image)
    assert result.predictions[0].box == photo.box
    assert result.predictions[0].probabilities == pytest.approx(photo.probabilities, abs=1e-5)


def test_the_rules_of_the_predictor_hold(face):
    strict = EmotionPredictor("emonet_fast", detector="yunet", rules=FilterRules(min_size=150), device="cpu")
    assert [result.predictions for result in predict_video(make_images(face, 2), strict)] == [(), ()]


def test_only_some_frames_are_in_memory(predictor):
    taken = []

    def images():
        for index in range(1000):
            taken.append(index)
            yield np.zeros((60, 90, 3), np.uint8)

    next(predict_video(images(), predictor))
    assert len(taken) < 40


def test_what_was_read_comes_before_the_error(film, tmp_path, predictor):
    path = tmp_path / "film.webm"
    path.write_bytes(film.read_bytes())
    results = predict_video(cut(path, 0.6), predictor)
    found = []
    with pytest.raises(VideoError, match="cut off"):
        found.extend(results)
    assert len(found) > 5


@pytest.mark.parametrize("options", [{"every": 0}, {"rate": -1}, {"smooth_s": -0.1}])
def test_options_have_limits(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        predict_video([], **options)


def test_smoothing_follows_time_and_not_frames():
    sure, unsure = {"happy": 1.0, "sad": 0.0}, {"happy": 0.0, "sad": 1.0}
    smoother = Smoother(smooth_s=0.5, keep_s=1.0)
    assert smoother.smooth(1, 0.0, sure) == sure
    once = smoother.smooth(1, 0.5, unsure)["sad"]
    assert once == pytest.approx(1 - np.exp(-1))
    other = Smoother(smooth_s=0.5, keep_s=1.0)
    other.smooth(1, 0.0, sure)
    for time_s in (0.1, 0.2, 0.3, 0.4, 0.5):
        often = other.smooth(1, time_s, unsure)["sad"]
    assert often == pytest.approx(once)
    assert smoother.smooth(2, 0.5, unsure) == unsure  # another track
    assert Smoother(0, 1).smooth(1, 0.1, unsure) is unsure


def test_segments_pass_over_what_is_shown_briefly():
    names = ["happy"] * 20 + ["sad"] * 3 + ["happy"] * 10 + ["neutral"] * 20
    frames = [FrameResult(index, index / 25, (said(name, 0.8),)) for index, name in enumerate(names)]
    first, second = find_segments(frames, gap_s=1)
    assert (first.emotion, first.from_s, first.to_s) == ("happy", 0.0, pytest.approx(32 / 25))
    assert first.strength == pytest.approx((30 * 0.8 + 3 * 0.1) / 33)
    assert second == Segment(1, "neutral", 33 / 25, 52 / 25, pytest.approx(0.8))


def test_bars_meet_where_expressions_change_from_frame_to_frame(tmp_path):
    names = ["happy", "happy", "happy", "sad", "sad", "sad", None, None, "happy", "happy"]
    frames = [FrameResult(index, index, (said(name, 0.8),) if name else ()) for index, name in enumerate(names)]
    many = {"title": "a film", "classes": CLASSES, "length_s": 9, "frames": 10, "gap_s": 4}
    page, segments = write_timeline(frames, tmp_path, **many)
    bars = Tags(page.read_text(encoding="utf-8")).named("i")
    shown = [(float(one["data-from"]), float(one["data-to"])) for one in bars if "data-from" in one]
    assert shown == [(0, 3), (3, 5), (8, 9)]
    assert [(one.from_s, one.to_s) for one in segments] == [(0, 2), (3, 5), (8, 9)]


def test_a_run_writes_a_row_for_each_face_on_each_frame(whole, predictor):
    rows = read_rows(whole)
    assert [row["frame"] for row in rows] == list(range(FRAMES))
    assert sum(rows[0][f"p_{name}"] for name in predictor.classes) == pytest.approx(1)
    with (whole / "timeline.csv").open(newline="", encoding="utf-8") as file:
        assert [row["emotion"] for row in csv.DictReader(file)] == [row["emotion"] for row in rows]
    assert (whole / "segments.csv").read_text(encoding="utf-8").startswith("track,expression,from_s,to_s,strength\n1,")


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])  # Ctrl-C, and a process that dies
def test_a_run_that_was_ended_goes_on_without_losing_or_doubling_frames(film, predictor, whole, tmp_path, end):
    def stop(result):
        if result.index == 17:
            raise end

    first = VideoRun(film, tmp_path, predictor)
    if end is KeyboardInterrupt:
        assert first.run(stop).stopped
        assert 17 < len(read_rows(tmp_path)) < FRAMES  # what there was is written
    else:
        with pytest.raises(RuntimeError):
            first.run(stop)
        assert not (tmp_path / "timeline.parquet").exists()
    seen = []
    second = VideoRun(film, tmp_path, predictor).run(seen.append)
    assert not second.stopped
    assert second.known + len(seen) == FRAMES
    assert read_rows(tmp_path) == read_rows(whole)
    assert VideoRun(film, tmp_path, predictor).run(seen.append).known == FRAMES
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_an_annotated_film_of_fewer_frames_is_not_shown(film, predictor, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    assert VideoRun(film, tmp_path, predictor, annotate=True).run(stop).stopped
    assert (tmp_path / "annotated.webm").exists()
    VideoRun(film, tmp_path, predictor).run(lambda _: None)
    assert not (tmp_path / "annotated.webm").exists()
    assert "annotated.webm" not in (tmp_path / "timeline.html").read_text(encoding="utf-8")


def test_ctrl_c_before_the_first_frame_is_no_fault_of_the_film(film, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(EmotionPredictor, "classify_faces", stop)
    result = run_command(film, *FAST, "-o", tmp_path)
    assert result.exit_code == 130
    assert "run the same command again to go on" in result.stderr


@pytest.mark.parametrize("rate", [2, 5])
def test_frames_that_are_far_apart_make_one_track_and_one_plot(film, predictor, tmp_path, rate):
    options = VideoOptions(rate=rate, gap_s=0.1)
    VideoRun(film, tmp_path, predictor, options).run(lambda _: None)
    assert {row["track"] for row in read_rows(tmp_path)} == {1}
    page = (tmp_path / "timeline.html").read_text(encoding="utf-8")
    assert page.count("<polygon") == len(predictor.classes)


class Fading:
    """A capture whose disk fails after some frames."""

    def __init__(self, capture, frames):
        self._capture, self._left = capture, frames

    def grab(self):
        self._left -= 1
        return self._left >= 0 and self._capture.grab()

    def __getattr__(self, name):
        return getattr(self._capture, name)


def test_a_film_that_could_not_be_read_to_its_end_is_read_on(film, predictor, whole, tmp_path, monkeypatch):
    opened = FilmFile._open
    for readable in (10, 10, 6, 12):
        with monkeypatch.context() as patch:
            patch.setattr(FilmFile, "_open", lambda film, frames=readable: Fading(opened(film), frames))
            summary = VideoRun(film, tmp_path, predictor).run(lambda _: None)
        assert "damaged" in summary.fault.reason
        assert summary.frames == max(10, readable)
    seen = []
    summary = VideoRun(film, tmp_path, predictor).run(seen.append)
    assert (summary.fault, summary.known, [result.index for result in seen]) == (None, 12, list(range(12, FRAMES)))
    assert read_rows(tmp_path) == read_rows(whole)
    assert "damaged" not in (tmp_path / "timeline.html").read_text(encoding="utf-8")


def test_other_options_begin_anew(film, predictor, tmp_path):
    VideoRun(film, tmp_path, predictor, VideoOptions(every=20)).run(lambda _: None)
    summary = VideoRun(film, tmp_path, predictor, VideoOptions(every=10)).run(lambda _: None)
    assert (summary.known, summary.frames) == (0, 4)


def test_results_of_another_film_are_kept(film, predictor, tmp_path):
    other = Path(shutil.copy(film, tmp_path / "other.webm"))
    few = VideoOptions(every=20)
    VideoRun(film, tmp_path / "out", predictor, few, annotate=True).run(lambda _: None)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(OptionError, match="out holds what was found in another film: choose another folder"):
        VideoRun(other, tmp_path / "out", predictor, few).run(lambda _: None)
    assert {path: path.read_bytes() for path in before} == before
    VideoRun(film, tmp_path / "out", predictor, VideoOptions(every=10)).run(lambda _: None)  # which draws none
    assert not (tmp_path / "out" / "annotated.webm").exists()
    assert "annotated.webm" not in (tmp_path / "out" / "timeline.html").read_text(encoding="utf-8")


def test_an_annotated_film_that_cannot_be_written_whole_is_an_error(film, predictor, tmp_path, monkeypatch):
    def fill_the_disk(writer):
        writer._writer.release()
        writer._path.write_bytes(b"full")

    monkeypatch.setattr(FilmWriter, "close", fill_the_disk)
    with pytest.raises(MachineError, match=r"annotated.webm could not be written whole: is the disk full"):
        VideoRun(film, tmp_path, predictor, VideoOptions(every=20), annotate=True).run(lambda _: None)
    assert not (tmp_path / "annotated.webm").exists()


def test_a_cut_film_is_written_as_far_as_it_goes(film, predictor, tmp_path):
    path = tmp_path / "film.webm"
    path.write_bytes(film.read_bytes())
    for _ in range(2):  # the second run finds all done
        summary = VideoRun(cut(path, 0.6) if _ == 0 else path, tmp_path / "out", predictor).run(lambda _: None)
        assert "cut off" in summary.fault.reason
        assert len(read_rows(tmp_path / "out")) == summary.frames > 5
    assert "cut off" in (tmp_path / "out" / "timeline.html").read_text(encoding="utf-8")


def test_the_annotated_film_is_as_long_as_the_film_and_shows_boxes(film, predictor, tmp_path):
    VideoRun(film, tmp_path, predictor, VideoOptions(every=4), annotate=True).run(lambda _: None)
    results = list(predict_video(tmp_path / "annotated.webm", predictor, every=1))
    assert len(results) == pytest.approx(FRAMES / 4, abs=1)
    assert results[-1].time_s == pytest.approx((FRAMES - 4) / 25, abs=0.1)
    page = (tmp_path / "timeline.html").read_text(encoding="utf-8")
    assert 'src="annotated.webm"' in page


def run_command(*arguments):
    return CliRunner().invoke(app, ["video", *map(str, arguments)])


FAST = ("--model", "emonet_fast", "--device", "cpu")


def test_the_command_writes_beside_the_film(film, whole):
    result = run_command(film, *FAST)
    assert result.exit_code == 0
    folder = film.with_name("a film #1-emonet")
    assert f"look at {folder / 'timeline.html'}" in result.stdout
    assert f"{FRAMES} frames, up to 0:01.6; 1 track" in result.stdout
    assert [row["frame"] for row in read_rows(folder)] == [row["frame"] for row in read_rows(whole)]


@pytest.mark.parametrize("name", ["me.jpg", "journal.sqlite"])
def test_a_folder_of_photos_or_an_album_is_refused(film, predictor, tmp_path, name):
    if name == "journal.sqlite":
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.execute("CREATE TABLE album (format)")
    else:
        (tmp_path / name).touch()
    with pytest.raises(OptionError, match=r"holds other things .*'me\.jpg'|journal of something else"):
        VideoRun(film, tmp_path, predictor).run(lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_command_prints_json_and_writes_nothing(film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run_command(film, *FAST, "--json", "--every", "20")
    assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [0, 20]
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_is_wrong_with_a_film(film, tmp_path, monkeypatch, capsys):
    path = tmp_path / "film.webm"
    path.write_bytes(film.read_bytes())
    assert run_command(cut(path, 0.6), *FAST, "-o", tmp_path / "out").exit_code == 3
    assert run_command(path, *FAST, "--json").exit_code == 3
    for arguments, message in ((["99"], "no camera 99"), ([str(tmp_path / "none.mp4")], "no such film")):
        monkeypatch.setattr(sys, "argv", ["emonet", "video", *arguments, *FAST])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code, message in capsys.readouterr().err) == (1, True)


def test_a_camera_tells_of_its_faces_and_its_recording_is_kept(face, tmp_path, monkeypatch):
    from test_emonet_video_reading import PretendedCapture

    images = [image[..., ::-1] for image in make_images(face, 6)]
    monkeypatch.setattr("emonet.video.camera._open_capture", lambda _: PretendedCapture(images))
    result = run_command("0", *FAST, "-o", tmp_path, "--annotate")
    assert result.exit_code == 3  # it gave no more frames
    assert "0:00.0  track 1" in result.stdout
    rows = read_rows(tmp_path)
    assert rows
    assert (tmp_path / "annotated.webm").stat().st_size > 0
    again = run_command("0", *FAST, "-o", tmp_path)
    assert isinstance(again.exception, OptionError)
    assert "holds a recording already" in str(again.exception)
    assert read_rows(tmp_path) == rows


def test_ctrl_c_ends_a_camera_and_its_annotated_film_is_kept(face, predictor, tmp_path, monkeypatch):
    from test_emonet_video_reading import PretendedCapture

    def stop(result):
        if result.index >= 3:
            raise KeyboardInterrupt

    images = [image[..., ::-1] for image in make_images(face, 20)] * 5
    monkeypatch.setattr("emonet.video.camera._open_capture", lambda _: PretendedCapture(images))
    summary = VideoRun(0, tmp_path, predictor, annotate=True).run(stop)
    assert (summary.stopped, summary.fault) == (True, None)
    frames = list(open_video(tmp_path / "annotated.webm").read(VideoOptions()))
    assert frames
    assert 'src="annotated.webm"' in (tmp_path / "timeline.html").read_text(encoding="utf-8")
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_opencv_is_needed(film, predictor, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingPackageError, match="opencv-python-headless"):
        predict_video(film, predictor)
