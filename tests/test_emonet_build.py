"""`emonet build` and tools/build_dataset.py, as people call them."""

import inspect
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import imitations
import pytest
from pretended_card import pretend_devices
from typer.testing import CliRunner

from emonet.commands import app
from emonet.commands.build import build
from emonet.datasets import READERS, open_store
from emonet.datasets.builder import BuildOptions
from facecrop import FilterRules


@pytest.fixture
def run():
    """Runs `emonet build ...` in this process; ValueError and OSError are what `main` makes one line of.

    All faces are of one photo: near copies stay, where nothing else is asked for.
    """
    runner = CliRunner()

    def invoke(*arguments):
        words = ["build", *map(str, arguments), "--workers", "1"]
        takes_options = not {"--from", "--verify", "--leaks"} & set(words)
        return runner.invoke(app, [*words, "--leaks", "exact"] if takes_options else words)

    return invoke


@pytest.fixture(scope="module")
def data(tmp_path_factory, portrait):
    folder = tmp_path_factory.mktemp("data")
    rows = imitations.fer2013_rows(portrait, training=21, tests=7)
    imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    imitations.write_ferplus_votes(folder / "fer2013new.csv", rows)
    imitations.write_ckplus(folder / "CK+", portrait, subjects=2, frames=5)
    imitations.write_jaffe(folder / "jaffe", portrait, people=("KA", "KL"))
    return folder


@pytest.fixture
def table(data, tmp_path):
    """A copy of the FER2013 imitation that a test may spoil."""
    return Path(shutil.copy(data / "fer2013.csv", tmp_path / "fer2013.csv"))


def message(result):
    return str(result.exception) if result.exception else result.output


def test_the_tool_merges_three_data_sets(root, data, tmp_path):
    command = [sys.executable, root / "tools" / "build_dataset.py", "--fer2013", "fer2013.csv", "--ckplus", "CK+/"]
    command += ["--jaffe", "jaffe/", "--leaks", "exact", "-o", tmp_path / "merged"]
    result = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert set(open_store(tmp_path / "merged").info.counts) == {"fer2013", "ckplus", "jaffe"}
    assert "rejected: onset" in result.stdout
    assert "differs from the published one" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_reader_and_every_option_of_a_build_can_be_given():
    parameters = inspect.signature(build).parameters
    options = {field.name for field in fields(BuildOptions)} - {"inputs", "choices", "rules", "crop"}
    assert {*READERS, *options} <= set(parameters)
    assert {field.name for field in fields(FilterRules)} <= set(parameters)


def test_a_dry_run_writes_nothing(run, data, tmp_path):
    result = run("--fer2013", data / "fer2013.csv", "--ckplus", data / "CK+", "-o", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    assert "recognised as fer2013.csv (emotion, pixels, usage)" in result.output
    assert "recognised as official tree" in result.output
    assert "train: angry 3, disgust 3" in result.output
    assert "warning: fer2013: the number of images differs" in result.output
    assert not (tmp_path / "out").exists()


def test_the_options_arrive(run, data, tmp_path):
    result = run(
        *("--fer2013", data / "fer2013.csv", "--ferplus", data / "fer2013new.csv", "-o", tmp_path / "out"),
        *("--detector", "dlib", "--undetected", "keep", "--classes", "fer6", "--dev", 3, "--shares", "0.6,0.2,0.2"),
        *("--size", 32, "--margin", 0.2, "--min-contrast", 4, "--seed", 7, "--leaks", "exact", "--onset", "last=2"),
    )
    assert result.exit_code == 0
    options = open_store(tmp_path / "out").info.options
    assert options["crop"] == {"size": 32, "margin": 0.2, "align": False, "grey": True}
    assert options["shares"] == {"train": 0.6, "validation": 0.2, "test": 0.2}
    assert (options["detector"], options["device"], options["rules"]["min_contrast"]) == ("dlib", "cpu", 4)
    assert (options["seed"], options["leaks"], options["onset"], options["classes"]) == (7, "exact", "last=2", "fer6")


def test_a_build_is_repeated_and_compared(run, table, tmp_path):
    assert run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first").exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(table, tmp_path / "elsewhere")
    stored = tmp_path / "first" / "dataset.json"
    again = run("--from", stored, "--fer2013", moved, "-o", tmp_path / "second", "--imagefolder", tmp_path / "pictures")
    assert again.exit_code == 0, message(again)
    assert "files, byte for byte, as in" in again.output
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 35


def test_a_build_with_an_imagefolder_is_run_again(run, table, tmp_path):
    arguments = (
        "--fer2013",
        table,
        "--detector",
        "whole",
        "-o",
        tmp_path / "out",
        "--imagefolder",
        tmp_path / "images",
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "letter.txt").touch()
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "not an empty folder" in message(refused)
    assert not (tmp_path / "out").exists()
    (tmp_path / "images" / "letter.txt").unlink()
    first = run(*arguments)
    again = run(*arguments)
    assert (first.exit_code, again.exit_code) == (0, 0), message(again)
    assert f"35 images in {tmp_path / 'images'}" in again.output
    before = (tmp_path / "out" / "dataset.json").read_bytes()
    other = run(*arguments, "--seed", "1", "--overwrite")
    assert other.exit_code == 1
    assert "holds the images of another data set" in message(other)
    assert (tmp_path / "out" / "dataset.json").read_bytes() == before


def test_other_bytes_are_told_with_the_versions(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first")
    stored = tmp_path / "first" / "dataset.json"
    info = json.loads(stored.read_text())
    info["files"]["rejected/rejected.parquet"] = "0" * 64
    info["versions"]["torch"] = "1.0"
    stored.write_text(json.dumps(info))
    result = run("--from", stored, "-o", tmp_path / "second")
    assert result.exit_code == 1
    assert "not the same bytes: rejected/rejected.parquet; versions: torch 1.0 -> " in message(result)


def test_other_data_are_not_the_same_build(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first")
    with table.open("a") as file:
        file.write("0,1 2 3,Training\n")
    for stored in (tmp_path / "first" / "dataset.json", tmp_path / "first"):
        result = run("--from", stored, "-o", tmp_path / "second")
        assert result.exit_code == 1
        assert "fer2013: not the data that" in message(result)


@pytest.mark.parametrize(
    ("extra", "words"),
    [(["--seed", "3"], "leave out seed"), (["--jaffe", "x"], "was built without jaffe"), ([], "name a folder with")],
)
def test_a_repeated_build_takes_no_other_options(run, table, tmp_path, extra, words):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first")
    result = run("--from", tmp_path / "first" / "dataset.json", *extra)
    assert result.exit_code == 1
    assert words in message(result)


def test_a_build_is_repeated_with_corrections(run, table, tmp_path):
    assert run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first").exit_code == 0
    key, label = open_store(tmp_path / "first").table("train", ["key", "emotion"]).to_pylist()[0].values()
    other = "sad" if label != "sad" else "happy"
    (tmp_path / "corrections.csv").write_text(f"key,label\n{key},{other}\n")
    stored, corrections = tmp_path / "first" / "dataset.json", tmp_path / "corrections.csv"
    again = run("--from", stored, "--relabel", corrections, "-o", tmp_path / "second")
    assert again.exit_code == 0, message(again)
    assert "byte for byte" not in again.output
    labels = dict(open_store(tmp_path / "second").table("train", ["key", "emotion"]).to_pandas().to_numpy().tolist())
    assert labels[key] == other
    same = run("--from", tmp_path / "second" / "dataset.json", "-o", tmp_path / "third")
    assert same.exit_code == 0, message(same)
    assert "byte for byte" in same.output


def test_a_build_is_not_repeated_into_its_own_folder(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first")
    again = run("--from", tmp_path / "first", "-o", tmp_path / "first", "--overwrite")
    assert again.exit_code == 1
    assert "is what --from reads: write to another folder" in message(again)
    assert open_store(tmp_path / "first").differences() == []


def test_data_that_have_moved_are_asked_for(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "first")
    table.rename(tmp_path / "moved.csv")
    result = run("--from", tmp_path / "first" / "dataset.json", "-o", tmp_path / "second")
    assert result.exit_code == 1
    assert f"no {table}, which" in message(result)
    assert "say with --fer2013 where it is now" in message(result)


def test_verifying(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "out")
    good = run("--verify", tmp_path / "out")
    assert good.exit_code == 0
    assert "files have the bytes that they were written with" in good.output
    (tmp_path / "out" / "rejected" / "rejected.parquet").write_bytes(b"")
    bad = run("--verify", tmp_path / "out")
    assert bad.exit_code == 1
    assert "is not what it was: rejected/rejected.parquet has other bytes" in message(bad)


def test_a_complete_build_says_so(run, table, tmp_path):
    arguments = ("--fer2013", table, "--detector", "whole", "-o", tmp_path / "out")
    assert "was complete already" not in run(*arguments).output
    assert "was complete already" in run(*arguments).output


def test_a_full_disk_is_one_line(table, tmp_path):
    """A limit on the size of files stands in for it: the same call fails, with another number."""
    command = [
        sys.executable,
        "-m",
        "emonet",
        "build",
        "--fer2013",
        table,
        "-o",
        tmp_path / "out",
        "--detector",
        "whole",
    ]

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))

    result = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("make room and run the same command again")
    assert "Traceback" not in result.stderr


def test_a_build_that_is_stopped_says_how_to_go_on(table, tmp_path):
    header, *lines = table.read_text().splitlines()
    table.write_text("\n".join([header, *(lines * 300)]) + "\n")
    command = [sys.executable, "-m", "emonet", "build", "--fer2013", table, "-o", tmp_path / "out", "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not any((tmp_path / "out" / ".build").glob("chunks/*.parquet")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "stopped; run the same command again to go on" in process.communicate()[1]
    assert process.returncode == 130


def test_bad_rows_are_counted_and_the_first_are_shown(run, table, tmp_path):
    with table.open("a") as file:
        file.write("0,1 2 3,Training\n7,1,Training\n0,1,Elsewhere\n0\n" + "0,300,Training\n" * 3000)
    result = run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "fer2013, rejected: unreadable 3,001, bad_label 1, bad_split 1, bad_row 1" in result.output
    assert "3,004 could not be read, among them:" in result.output
    assert result.output.count("fer2013/fer00") == 5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("emotion,picture,Usage\n"), "row 1: no column pixels; found emotion, picture"),
        (lambda path: path.write_text("emotion,pixels,Usage\n"), "nothing usable; rejected: nothing"),
        (lambda path: path.mkdir(), "not recognised as fer2013: expected fer2013.csv"),
        (lambda path: path.with_name("other.csv").touch(), "no such file or folder"),
    ],
)
def test_what_cannot_be_used_ends_with_one_line(run, tmp_path, make, words):
    make(tmp_path / "fer2013.csv")
    result = run("--fer2013", tmp_path / "fer2013.csv", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert words in message(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to build from"),
        (["--shares", "0.5,0.5"], "--shares takes 3 values, train,validation,test; got '0.5,0.5'"),
        (["--shares", "a,b,c"], "shares must be numbers from 0 to 1, got train='a'"),
        (["--jaffe", "x", "--detector", "dlib", "--device", "cuda"], "device must be auto or cpu, got 'cuda'"),
        (["--jaffe", "x", "--device", "mps"], "the detector 'mtcnn' runs on cuda and cpu only"),
        (["--verify", "nowhere"], "no such folder"),
        (["--from", "nowhere"], "nowhere"),
    ],
)
def test_mistaken_calls_end_with_one_line(run, tmp_path, arguments, words):
    result = run(*arguments, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert words in message(result)


def test_preparing_a_build_opens_no_card(run, data, monkeypatch):
    pretend_devices(monkeypatch, "cuda")
    result = run("--jaffe", data / "jaffe", "--device", "cuda:1", "--dry-run")
    assert result.exit_code == 0, message(result)


def test_a_jaffe_folder_is_no_ckplus(run, data, tmp_path):
    result = run("--ckplus", data / "jaffe", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "not recognised as ckplus" in message(result)


def test_the_description_is_plain_json(run, table, tmp_path):
    run("--fer2013", table, "--detector", "whole", "-o", tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert info["counts"]["fer2013"]["train"]["angry"] == 3
    assert info["sources"]["fer2013"]["layout"] == "fer2013.csv (emotion, pixels, usage)"
    assert len(info["inputs"]["fer2013"]) == 64
