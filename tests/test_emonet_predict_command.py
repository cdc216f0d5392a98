import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pyarrow.parquet as pq
import pytest
from two_heads import two_heads
from typer.testing import CliRunner

from emonet.album import AlbumRun
from emonet.commands import app
from emonet.errors import OptionError

FAST = ("--model", "emonet_fast", "--device", "cpu")


@pytest.fixture(scope="module", params=["torch", "onnx"])
def predict(request):
    """Runs `emonet predict ...` in this process, with each back end."""
    runner = CliRunner()
    fixed = [*FAST, "--backend", request.param]
    return lambda *arguments: runner.invoke(app, ["predict", *map(str, arguments), *fixed])


def ctrl_c(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def friends(tmp_path, face):
    """Two photos of a smile, sorted by what people take them for."""
    for name in ("happy", "sad"):
        (tmp_path / "friends" / name).mkdir(parents=True)
        PIL.Image.fromarray(face).save(tmp_path / "friends" / name / "me.png")
    return tmp_path / "friends"


def test_a_folder_becomes_an_album_beside_it_with_a_score(predict, friends):
    result = predict(friends)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == f"look at {friends.with_name('friends-emonet') / 'album.html'}"
    assert "the largest face agrees in 1 of 2: 50.0% (95 % interval 9.5% to 90.5%), macro F1 0.333" in lines
    assert any("sad/me.png: sad, answered happy" in line for line in lines)
    assert lines[-1] == "2 photos: 2 faces; 0 could not be read"
    score = json.loads((friends.with_name("friends-emonet") / "score.json").read_text())
    assert (score["labelled"], score["scores"]["correct"]) == (2, 1)


def test_it_says_what_was_done_before(predict, friends):
    predict(friends)
    assert predict(friends).stdout.splitlines()[-1] == "2 photos, 2 of them done before: 2 faces; 0 could not be read"


def test_a_list_of_labels_comes_before_the_folders_names(predict, friends, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\nfriends/happy/me.png,happy\nfriends/sad/me.png,gloom\n")
    result = predict(friends, "-o", tmp_path / "out", "--labels", tmp_path / "labels.csv")
    assert "1 label: 0 without a face that will do" in result.stdout
    assert "labels.csv: labels of 1 photo, by paths relative to the folder of labels.csv" in result.stdout
    assert "labels.csv: 1 row cannot be used: row 3: 'gloom' is no expression" in result.stdout


def test_labels_that_fit_no_photo_end_the_call_before_the_first_photo(predict, friends, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\nnowhere.png,happy\n")
    result = predict(friends, "-o", tmp_path / "out", "--labels", tmp_path / "labels.csv")
    assert result.exit_code == 1
    assert "names a photo" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("x1,y1,x2,y2,answer,confidence\nhappy/me.png,sad,1,2,3,4,happy,0.9", "only the faces that you corrected"),
        ("\nhappy/me.png,drop", "no labels to score; 1 face said not to be one"),
    ],
)
def test_tables_that_cannot_say_how_often_the_model_is_right_give_no_score(predict, friends, tmp_path, rows, words):
    (tmp_path / "corrections.csv").write_text(f"path,label,{rows}\n")
    result = predict(friends, "-o", tmp_path / "out", "--labels", tmp_path / "corrections.csv")
    assert result.exit_code == 0
    assert words in result.stdout
    assert "agrees in" not in result.stdout
    assert not (tmp_path / "out" / "score.json").exists()


def test_a_folder_of_other_things_is_refused_and_folders_of_runs_are_passed_over(predict, friends, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    assert "holds other things" in str(predict(friends, "-o", tmp_path / "out").exception)
    assert predict(friends, "-o", tmp_path / "out", "--overwrite", "--annotate").exit_code == 0
    result = predict(tmp_path, "--json")
    assert "passed over, because emonet wrote them: 1 folder (out)" in result.stderr
    assert len(result.stdout.splitlines()) == 2


# Says that it has begun when Ctrl-C is answered: a signal that comes before ends Python itself.
BEGINNING = """
import signal
import emonet.__main__
answer = signal.signal
def tell(*given):
    answer(*given)
    print("begun", flush=True)
signal.signal = tell
emonet.__main__.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C is sent otherwise")
@pytest.mark.parametrize("wait", [0.0, 0.3, 3.0])
def test_ctrl_c_at_any_time_is_one_line(friends, wait):
    for number in range(3000):  # more than any machine answers in that time
        os.link(friends / "sad" / "me.png", friends / "sad" / f"{number}.png")
    command = [sys.executable, "-c", BEGINNING, "predict", friends, "-o", friends.with_name("out"), *FAST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("emonet: stopped")
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C is sent otherwise")
def test_ctrl_c_ends_an_import_at_once(tmp_path):
    """C++ code that imports Python modules aborts the process if they raise."""
    (tmp_path / "typer.py").write_text("""
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(10 ** 7))
finally:
    print("the import has gone on")
""")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", BEGINNING, "info"]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (130, "begun\n", "emonet: stopped\n")


def test_labels_of_photos_without_a_face_give_no_score(predict, tmp_path):
    (tmp_path / "album" / "happy").mkdir(parents=True)
    PIL.Image.new("RGB", (90, 60)).save(tmp_path / "album" / "happy" / "sky.png")
    result = predict(tmp_path / "album")
    assert "1 label: 1 without a face that will do" in result.stdout
    assert "agrees" not in result.stdout


def test_json_is_a_line_a_photo_and_writes_nothing(predict, friends):
    (friends / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = predict(friends, "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 3
    assert [one["source"] for one in found] == ["broken.jpg", "happy/me.png", "sad/me.png"]
    assert [len(one["predictions"]) for one in found] == [0, 1, 1]
    assert result.stderr.splitlines()[-1] == "3 photos: 2 faces; 1 could not be read"
    assert not friends.with_name("friends-emonet").exists()


def test_json_with_a_folder_to_write_is_both(predict, friends, tmp_path):
    result = predict(friends, "--json", "-o", tmp_path / "out")
    assert [json.loads(line)["error"] for line in result.stdout.splitlines()] == [None, None]
    assert (tmp_path / "out" / "album.html").is_file()


@pytest.fixture
def model(tmp_path):
    """A model file of two heads."""
    two_heads().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_the_head_and_the_prior_that_answer_are_told(friends, model):
    out = friends.with_name("out")

    def told(*options):
        given = ["predict", str(friends), "-o", str(out), "--json", "--device", "cpu", "--model", str(model), *options]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0
        known = ", 2 of them done before" in result.stderr
        return known, *({line[name] for line in map(json.loads, result.stdout.splitlines())} for name in told.names)

    told.names = ("head", "prior")
    assert told() == (False, {"fer2013"}, {"training"})
    assert told("--head", "seen", "--prior", "even") == (False, {"seen"}, {"even"})
    assert told("--head", "seen", "--prior", "even")[0]
    assert "head seen (prior: even)" in (out / "album.html").read_text()
    version = importlib.metadata.version("onnxruntime")
    table = pq.read_schema(out / "predictions.parquet")
    told = {b"head": b"seen", b"prior": b"even", b"backend": f"onnxruntime {version}".encode()}
    assert told.items() <= table.metadata.items()
    assert "p_contempt" in table.names


def test_a_head_that_the_model_has_not_is_refused(predict, friends):
    result = predict(friends, "--head", "jaffe")
    assert result.exit_code == 1
    assert str(result.exception) == "head must be one of fer2013, seen, mean, got 'jaffe'"


def test_one_photo_is_told_in_words(predict, friends):
    result = predict(friends / "happy" / "me.png")
    assert result.exit_code == 0
    assert result.stdout.startswith("me.png: happy ")
    assert not friends.with_name("happy-emonet").exists()


def test_rules_are_told_with_their_reasons(predict, friends):
    result = predict(friends / "happy" / "me.png", "--min-face", "150")
    assert "px, at least 150" in result.stdout
    assert "left out: 1 too_small" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--annotate",), "give --out"),
        (("--excel",), "give --out"),
        (("--labels", "labels.csv"), "give a folder"),
        (("--overwrite",), "give a folder"),
    ],
)
def test_what_single_photos_do_not_have_is_refused(predict, friends, options, words):
    result = predict(friends / "happy" / "me.png", *options)
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_single_photos_are_drawn_into_copies_and_tables(predict, friends, tmp_path):
    photos = [friends / name / "me.png" for name in ("happy", "sad")]
    result = predict(*photos, "--annotate", "--excel", "-o", tmp_path / "drawn")
    assert result.exit_code == 0
    assert (tmp_path / "drawn" / "predictions.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert [line.partition(":")[0] for line in result.stdout.splitlines()[:2]] == [str(photo) for photo in photos]
    written = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert written == [".emonet-photos", "me-2.jpg", "me.jpg", "predictions.csv", "predictions.parquet"]
    table = pq.read_table(tmp_path / "drawn" / "predictions.parquet")
    assert table["path"].to_pylist() == [str(photo) for photo in photos]
    assert predict(*photos, "--annotate", "-o", tmp_path / "drawn").exit_code == 0  # once more
    refused = predict(*photos, "-o", friends)
    assert refused.exit_code == 1
    assert "holds other things" in str(refused.exception)


def test_single_photos_are_never_written_over_and_albums_neither(predict, friends, tmp_path):
    photo = Path(shutil.copy(friends / "happy" / "me.png", tmp_path / "me.jpg"))
    (tmp_path / "predictions.csv").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for out in (tmp_path, tmp_path / "album"):
        if out != tmp_path:
            assert predict(friends, "-o", out).exit_code == 0
            before |= {path: path.read_bytes() for path in out.glob("predictions.*")}
        refused = predict(photo, "--annotate", "-o", out)
        assert refused.exit_code == 1
        assert re.search("holds other things|holds an album", str(refused.exception))
    assert {path: path.read_bytes() for path in before} == before
    own = tmp_path / "own"
    assert predict(photo, "-o", own).exit_code == 0
    among = Path(shutil.copy(photo, own / "me.jpg"))
    assert "nothing is written next to your photos" in str(predict(among, "--annotate", "-o", own).exception)


def test_single_photos_of_long_names_have_copies_and_what_the_system_refuses_is_their_error(predict, friends, tmp_path):
    photos = [shutil.copy(friends / "sad" / "me.png", friends / name / f"{'x' * 251}.png") for name in ("happy", "sad")]
    assert predict(*photos, "--annotate", "-o", tmp_path / "drawn").exit_code == 0
    assert len([*(tmp_path / "drawn").glob("x*.jpg")]) == 2
    (tmp_path / "drawn" / "me.jpg").mkdir()
    result = predict(photos[0], friends / "sad" / "me.png", "--annotate", "-o", tmp_path / "drawn")
    assert result.exit_code == 3
    assert "me.png: cannot be read: its annotated copy cannot be written: Is a directory" in result.stdout


def test_the_root_of_a_disk_needs_a_folder_to_write_to(predict):
    refused = predict(Path("/").resolve())
    assert isinstance(refused.exception, OptionError)
    assert "give a folder to write to with -o" in str(refused.exception)


def test_an_empty_name_is_not_this_folder(predict, friends):
    for places in ([""], [friends, ""]):
        result = predict(*places)
        assert result.exit_code != 0
        assert "is empty" in result.output


def test_single_photos_that_were_stopped_are_done_by_the_same_call(predict, friends, tmp_path, monkeypatch):
    call = (friends / "happy" / "me.png", friends / "sad" / "me.png", "--annotate", "-o", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("emonet.album.copies.write_tables", ctrl_c)
        stopped = predict(*call)
    assert (stopped.exit_code, "go on" in stopped.output) == (130, False)  # it begins anew
    assert predict(*call).exit_code == 0


def test_photos_of_places_within_each_other_are_read_once(predict, friends):
    result = predict(str(friends / "**"), friends, friends / "happy")
    assert result.stdout.splitlines()[-1].startswith("2 photos: 2 faces")


def test_folders_that_runs_wrote_are_no_photos_of_a_pattern(predict, friends, tmp_path):
    assert predict(friends, "-o", tmp_path / "album", "--annotate").exit_code == 0
    assert predict(friends / "sad" / "me.png", "-o", tmp_path / "drawn", "--annotate").exit_code == 0
    for place, named in (
        (tmp_path / "*", f"{tmp_path / 'album'}, "),
        (tmp_path / "**", "album, "),
        (tmp_path, "album, "),
    ):
        result = predict(place, "--json")
        assert len(result.stdout.splitlines()) == 2
        assert f"because emonet wrote them: 2 folders ({named}" in result.stderr


def test_patterns_that_the_shell_left_are_filled_in(predict, friends):
    result = predict(str(friends / "*" / "*.png"), friends / "happy" / "me.png")
    assert result.stdout.splitlines()[-1] == "2 photos: 2 faces; 0 could not be read"
    missing = predict(str(friends / "*.gif"))
    assert isinstance(missing.exception, FileNotFoundError)
    url = predict("https://example.org/me.png")
    assert "network" in str(url.exception)


def test_several_folders_are_printed_together(predict, friends):
    result = predict(friends / "happy", friends / "sad", "--json")
    sources = [json.loads(line)["source"] for line in result.stdout.splitlines()]
    assert sources == [str(friends / name / "me.png") for name in ("happy", "sad")]


def test_doubts_are_options_and_counted_apart(predict, friends):
    photo = friends / "happy" / "me.png"
    result = predict(photo, "--sure-size", "500")
    assert "unsure (too small), happy" in result.stdout
    assert "unsure: 1 too small" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 photo: 1 face; 0 could not be read"
    for option, value, reason in (("--min-sharpness", "1e9", "blurred"), ("--least-confidence", "1", "in doubt")):
        assert f"unsure: 1 {reason}" in predict(photo, option, value).stdout
    assert "unsure" not in predict(photo, "--answer-all").stdout
    refused = predict(photo, "--sure-size", "500", "--answer-all", "--least-confidence", "0.9")
    assert re.search("leave out .*sure.size.*least.confidence", str(refused.exception))
    assert predict(photo, "--least-confidence", "2").exit_code == 1


def test_without_a_readable_photo_the_status_is_1(predict, tmp_path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "note.jpg").write_text("hello")
    result = predict(tmp_path / "album")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 photo: 0 faces; 1 could not be read"
    assert isinstance(predict(tmp_path / "nowhere").exception, FileNotFoundError)
    (tmp_path / "album" / "note.jpg").rename(tmp_path / "album" / "note.txt")
    result = predict(tmp_path / "album", "-o", tmp_path / "new")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "0 photos: 0 faces; 0 could not be read"
    assert f"no photo in {tmp_path / 'album'}" in result.stderr


def test_the_first_photos_of_a_folder_that_cannot_be_read_are_named(predict, friends):
    for number in range(7):
        (friends / f"empty{number}.jpg").touch()
    lines = predict(friends).stdout.splitlines()
    assert "cannot be read: empty4.jpg: the file is empty" in lines
    assert lines[-2:] == [
        "cannot be read: 2 more; predictions.csv names them",
        "9 photos: 2 faces; 7 could not be read",
    ]
    assert predict(friends / "empty0.jpg").stdout.count("the file is empty") == 1


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_films_and_texts_are_passed_over_and_counted(predict, friends, options):
    for name in ("a.MOV", "b.mov", "Notes.txt", "README"):
        (friends / name).write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0")
    (friends / "happy" / "me.png").rename(friends / "happy" / "me")
    result = predict(friends, *options)
    assert result.exit_code == 0
    said = (result.stderr if options else result.stdout).splitlines()
    assert said[-2:] == [
        "skipped, because they are not photos: 2 .mov, 1 .txt, 1 without an ending",
        "2 photos: 2 faces; 0 could not be read",
    ]


def test_ctrl_c_says_how_to_go_on(predict, friends, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(AlbumRun, "run", stopped)
    result = predict(friends)
    assert result.exit_code == 130
    assert "run the same command again to go on" in result.stderr


def test_the_tool_is_the_same_command(friends, root):
    command = [sys.executable, root / "tools" / "predict_folder.py", friends, "--allow", "one", *FAST]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "2 photos: 2 faces; 0 could not be read"


def test_a_run_that_is_killed_goes_on(friends, face):
    """By SIGKILL, at whatever moment it is when the second of many photos has been done."""
    for number in range(30):
        PIL.Image.fromarray(face).save(friends / f"{number:02}.png")
    command = [
        sys.executable,
        "-m",
        "emonet",
        "predict",
        friends,
        "-o",
        friends.with_name("out"),
        "--json",
        "--batch",
        "2",
    ]
    with subprocess.Popen([*command, *FAST], stdout=subprocess.PIPE, text=True) as process:
        told = [json.loads(process.stdout.readline())["source"] for _ in range(2)]
        process.kill()
    result = subprocess.run([*command, *FAST], capture_output=True, text=True, check=True)
    done_before = int(result.stderr.splitlines()[-1].split(", ")[1].split()[0])
    assert len(told) <= done_before < 32
    assert len(result.stdout.splitlines()) == 32
