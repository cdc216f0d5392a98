import json
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from emonet import __version__
from emonet.commands import app, main


@pytest.fixture
def run():
    """Runs `emonet ...` in this process."""
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def album(tmp_path, portrait):
    """Two photos of one face, one without, and a broken one."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    PIL.Image.fromarray(portrait).save(folder / "portrait.png")
    PIL.Image.fromarray(portrait).save(folder / "more" / "[bold]portrait.jpg")
    PIL.Image.new("RGB", (80, 60)).save(folder / "black.png")
    (folder / "broken.jpg").write_bytes((folder / "more" / "[bold]portrait.jpg").read_bytes()[:3000])
    return folder


def files_in(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(str(path.relative_to(folder)) for path in files)


def test_info_names_versions_and_the_device(run):
    result = run("info", "--json")
    facts = json.loads(result.stdout)
    assert result.exit_code == 0
    assert facts["emonet"] == __version__
    assert facts["dlib comes from"] in ("dlib", "dlib-bin")
    assert facts["facenet-pytorch"] == "2.5.3"
    assert facts["device"].startswith(("cpu", "cuda"))
    assert "torch" in run("info").stdout


def test_faces_of_a_photo_as_json(run, album, detectors, portrait):
    result = run("faces", album / "portrait.png", "--json")
    assert result.exit_code == 0
    (entry,) = json.loads(result.stdout)
    assert entry["photo"].endswith("portrait.png")
    assert entry["faces"] == json.loads(
        json.dumps([face.to_dict() for face in detectors["yunet"].detect([portrait])[0]])
    )
    assert entry["error"] is None


def test_faces_of_a_folder_as_json(run, album):
    result = run("faces", album, "--json")
    assert result.exit_code == 3
    black, broken, more, top = json.loads(result.stdout)
    assert [len(entry["faces"]) for entry in (black, broken, more, top)] == [0, 0, 1, 1]
    assert [rejection["reason"] for rejection in black["rejections"]] == ["no_face"]
    assert "truncated" in broken["error"]


def test_faces_as_a_table(run, album, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    (album / "film.mp4").write_bytes(b"\0\0\0\x14ftypisom")
    result = run("faces", album)
    assert result.exit_code == 3
    assert "[bold]portrait.jpg" in result.stdout
    assert "2 faces in 3 photos; 1 could not be read" in result.stdout
    assert result.stdout.splitlines()[-1] == "skipped, because they are not photos: 1 .mp4"


def test_a_table_that_is_wider_than_the_terminal_is_folded_and_not_cut(run, album, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    (album / "a name that is long.jpg").write_text("no photo")
    result = run("faces", album)
    assert re.search(r"not an image.*format.*JPEG,.*HEIC,.*AVIF\)", result.stdout, re.DOTALL)


def test_crops_and_drawings_go_where_they_are_told_and_nowhere_else(run, album, tmp_path):
    before = files_in(album)
    run("faces", album, "--crops", tmp_path / "crops", "--draw", tmp_path / "drawn", "--size", 96, "--align")
    assert files_in(album) == before
    assert files_in(tmp_path / "crops") == ["more/[bold]portrait.jpg-1.png", "portrait.png-1.png"]
    assert files_in(tmp_path / "drawn") == ["black.png.jpg", "more/[bold]portrait.jpg.jpg", "portrait.png.jpg"]
    with PIL.Image.open(tmp_path / "crops" / "portrait.png-1.png") as crop:
        assert crop.size == (96, 96)
        assert np.asarray(crop).std() > 20


def test_crops_are_numbered_from_1_as_faces_in_tables_are(run, tmp_path, portrait):
    PIL.Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    run("faces", tmp_path / "two.png", "--crops", tmp_path / "crops")
    assert files_in(tmp_path / "crops") == ["two.png-1.png", "two.png-2.png"]


def test_crops_of_faces_that_are_not_used_any_more_are_removed(run, tmp_path, portrait):
    PIL.Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    run("faces", tmp_path / "two.png", "--crops", tmp_path / "crops")
    run("faces", tmp_path / "two.png", "--crops", tmp_path / "crops", "--allow", "largest")
    assert files_in(tmp_path / "crops") == ["two.png-1.png"]


@pytest.mark.parametrize("option", ["--crops", "--draw"])
def test_files_that_faces_has_not_written_are_left_alone(run, album, tmp_path, option):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "portrait.png-1.png").write_text("mine")
    refused = run("faces", album, option, tmp_path / "own")
    assert "holds other things" in str(refused.exception)
    assert (tmp_path / "own" / "portrait.png-1.png").read_text() == "mine"
    assert run("faces", album / "more", option, tmp_path / "made").exit_code == 0
    assert "holds faces of other photos" in str(run("faces", album, option, tmp_path / "made").exception)


def test_faces_takes_several_photos_and_folders(run, album, tmp_path, portrait, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    PIL.Image.fromarray(portrait).save(tmp_path / "portrait.png")
    (album / "film.mp4").touch()
    places = ["portrait.png", "album/*.png", album / "more", "portrait.png"]
    result = run("faces", *places, album, "--crops", "crops")
    assert [line.split()[0] for line in result.stdout.splitlines()[1:4]] == [
        "portrait.png",
        "album/black.png",
        "album/portrait.png",
    ]
    assert "3 faces in 4 photos; 1 could not be read" in result.stdout
    assert result.stdout.splitlines()[-1] == "skipped, because they are not photos: 1 .mp4"
    crops = ["album/more/[bold]portrait.jpg-1.png", "album/portrait.png-1.png", "portrait.png-1.png"]
    assert files_in(tmp_path / "crops") == crops
    result = run("faces", *places, "--json")
    assert [entry["photo"] for entry in json.loads(result.stdout)] == [
        *("portrait.png", "album/black.png", "album/portrait.png", str(album / "more" / "[bold]portrait.jpg"))
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself keeps files that are open")
def test_files_of_killed_runs_are_removed_and_those_of_others_stay(run, album, tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    run("faces", album, "--crops", tmp_path / "crops", "--draw", tmp_path / "drawn")
    for made in ("crops", "drawn"):
        (tmp_path / made / "more" / f"{ended.pid}-3.emonet-part").touch()
        (tmp_path / made / f"{os.getppid()}-3.emonet-part").touch()
    run("faces", album, "--crops", tmp_path / "crops", "--draw", tmp_path / "drawn")
    for made in ("crops", "drawn"):
        left = [name for name in files_in(tmp_path / made) if name.endswith(".emonet-part")]
        assert left == [f"{os.getppid()}-3.emonet-part"]


def test_processes_with_one_number_on_two_machines_write_to_different_names(tmp_path):
    script = "import os; os.getpid = lambda: 7\nfrom pathlib import Path; from emonet.atomic import write_atomically\n"
    script += "with write_atomically(Path('made')) as temporary: print(temporary.write_text('') or temporary.name)"
    command = [sys.executable, "-c", script]
    runs = [subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True) for _ in range(2)]
    one, other = (ended.stdout for ended in runs)
    assert one != other
    assert one.startswith("7-")


def test_long_names_and_names_like_those_of_copies_have_crops_and_drawings(run, album, tmp_path, portrait):
    names = ["x" * 251 + ".png", "portrait.png.jpg/a.png", "portrait.png-1.png/a.png"]
    for name in names:
        (album / name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(portrait).save(album / name)
    result = run("faces", album, "--json", "--crops", tmp_path / "made", "--draw", tmp_path / "made")
    entries = json.loads(result.stdout)
    assert [entry["photo"] for entry in entries if entry["error"]] == [str(album / "broken.jpg")]
    assert len(files_in(tmp_path / "made")) == 2 * 5 + 1  # and the drawing of the black photo


def test_a_file_that_cannot_be_written_is_an_error_of_its_photo_alone(run, album, tmp_path):
    run("faces", album, "--draw", tmp_path / "drawn")
    (tmp_path / "drawn" / "portrait.png.jpg").unlink()
    (tmp_path / "drawn" / "portrait.png.jpg").mkdir()
    result = run("faces", album, "--json", "--draw", tmp_path / "drawn")
    errors = {entry["photo"]: entry["error"] for entry in json.loads(result.stdout)}
    assert result.exit_code == 3
    assert "cannot be written: Is a directory" in errors[str(album / "portrait.png")]
    assert errors[str(album / "more" / "[bold]portrait.jpg")] is None


@pytest.mark.parametrize("arguments", [["--min-size", 200], ["--option", "threshold=0.99"]])
def test_rules_and_detector_options_are_passed_on(run, album, arguments):
    result = run("faces", album / "portrait.png", "--json", *arguments)
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["faces"] == []


@pytest.mark.parametrize("detector", ["dlib", "whole"])
def test_another_detector_can_be_chosen(run, album, detector):
    result = run("faces", album / "portrait.png", "--json", "--detector", detector, "--allow", "largest")
    (face,) = json.loads(result.stdout)[0]["faces"]
    assert (face["detector"], face["landmarks"]) == (detector, None)


def test_nothing_readable_is_status_1(run, album, tmp_path):
    assert run("faces", album / "broken.jpg").exit_code == 1
    (tmp_path / "empty").mkdir()
    result = run("faces", tmp_path / "empty", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["faces", "nowhere"], "nowhere"),
        (["faces", "album", "--detector", "haar"], "known detectors: yunet, mtcnn, dlib, whole"),
        (["faces", "album", "--option", "minface"], "NAME=VALUE"),
        (["faces", "album", "--option", "minface=3"], "min_face"),
        (
            ["faces", "album", "--detector", "mtcnn", "--option", "thresholds=5"],
            "thresholds must be three numbers, got 5",
        ),
        (["faces", "album", "--size", "100000"], "size must be a whole number of pixels from 1 to 8,000, got 100000"),
        (["faces", "album", "--allow", "two"], "all, one, largest"),
        (["faces", "album", "--crops", "album/crops"], "nothing is written next to your photos"),
        (["faces", "album", "--draw", "album"], "nothing is written next to your photos"),
        (["faces", "album/portrait.png", "--draw", "album"], "nothing is written next to your photos"),
        (["faces", "album/more", "album/portrait.png", "--draw", "album"], "nothing is written next to your photos"),
        (["faces", "album", "*.webp"], "no photo or folder fits *.webp"),
        (["faces", "album", "--option", "min_face=large"], "min_face must be a number"),
        (["faces", "album", "--detector", "dlib", "--device", "cuda"], "runs on cpu only"),
        (["faces", "album", "--config", "no.toml"], "emonet: no.toml: No such file or directory"),
    ],
)
def test_mistakes_are_one_line_and_status_1(album, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(album.parent)
    monkeypatch.setattr(sys, "argv", ["emonet", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err
    assert caught.value.code == 1
    assert error.startswith("emonet: ")
    assert message in error
    assert error.count("\n") == 1


def test_help_is_wrapped_at_the_width_of_the_terminal_alone(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("video", "--help").output.splitlines()
    first = next(place for place, line in enumerate(lines) if "Faces are followed" in line)
    assert all(len(line.rstrip()) > 60 for line in lines[first : first + 3])


def test_a_bug_shows_its_traceback_and_asks_for_a_report(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["emonet", "info"])
    monkeypatch.setattr("platform.platform", lambda: [].pop())
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err
    assert caught.value.code == 1
    assert "Traceback" in error
    assert "IndexError" in error
    assert "Please report it" in error.splitlines()[-1]


@pytest.mark.parametrize("place", [1, 2, 4])
def test_debug_shows_the_traceback_of_a_mistake(place, monkeypatch, capsys):
    arguments = ["emonet", "predict", "nowhere", "--json"]
    monkeypatch.setattr(sys, "argv", [*arguments[:place], "--debug", *arguments[place:]])
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err
    assert caught.value.code == 1
    assert "Traceback" in error
    assert error.splitlines()[-1] == "emonet: no such photo or folder: nowhere"


def test_python_m_emonet_is_the_command(album):
    command = [sys.executable, "-m", "emonet", "faces", "album/portrait.png", "--json"]
    result = subprocess.run(command, cwd=album.parent, capture_output=True, text=True, check=True)
    assert len(json.loads(result.stdout)[0]["faces"]) == 1
    assert result.stderr.strip() == "yunet on cpu"


def test_the_demo_leaves_an_album_of_samples(run, tmp_path):
    result = run("demo", "-o", tmp_path / "demo", "--model", "emonet_fast")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"look at {tmp_path / 'demo' / 'album' / 'album.html'}"
    assert run("demo", "-o", tmp_path / "demo", "--model", "emonet_fast").exit_code == 0  # into a folder of its own
    rows = pq.read_table(tmp_path / "demo" / "album" / "predictions.parquet").to_pylist()
    faces = Counter(row["path"] for row in rows if row["face"])
    single = ("admiral.jpg", "phone.heic", "photographer.jpg", "portrait.jpg", "small.png", "turned by its EXIF.jpg")
    assert {path: faces[path] for path in single} == dict.fromkeys(single, 1)
    assert {path: faces[path] for path in faces if path not in single} == {
        "group.webp": 5,
        "party/IMG_0001.jpg": 5,
        "party/IMG_0002.jpg": 5,
        "party/IMG_0003.jpg": 5,
    }
    assert len({row["emotion"] for row in rows if row["face"]}) > 1  # not one smile in all photos
    assert {row["path"]: row["reason"] for row in rows if row["reason"]} == {
        "broken.jpg": "unreadable",
        "sea.jpg": "no_face",
    }


def test_the_version_is_printed():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout.strip()) == (0, f"emonet {__version__}")


@pytest.mark.parametrize(
    "arguments", [["predict"], ["predict", "--bogus"], ["nonsense"], ["predict", "p", "--batch", "x"]]
)
def test_a_mistaken_call_ends_with_the_status_of_the_help(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["emonet", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 1


def test_output_that_cannot_show_a_name_writes_its_letters_in_another_way(tmp_path):
    (tmp_path / "\u0396\u03c9\u03ae.jpg").write_bytes(b"no photo")
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "emonet", "faces", str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, encoding="cp1252", check=False)
    assert "\\u0396\\u03c9\\u03ae.jpg" in result.stdout + result.stderr
    assert "bug" not in result.stderr
