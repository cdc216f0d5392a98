"""tools/spark_team.sh repeats the system of the team that worked on Spark, as people call it."""

import os
import subprocess
import sys

import imitations
import pytest
import sparks

PICTURES = ("histogram.png", "answers.png", "curves.png", "workings/feature_maps.png")
SHORT = {"DEV": "7", "TRAIN": "--steps 2 --batch-size 8 --device cpu --precision fp32"}


@pytest.fixture(scope="module")
def table(tmp_path_factory, portrait):
    rows = imitations.fer2013_rows(portrait, training=28, tests=7)
    return imitations.write_fer2013_csv(tmp_path_factory.mktemp("data") / "fer2013.csv", rows)


@pytest.fixture
def run(root, tmp_path):
    """Run the script in a folder that is not the checkout."""

    def start(*arguments, **more):
        return subprocess.run(
            [root / "tools" / "spark_team.sh", *arguments],
            env={**os.environ, **SHORT, "PYTHON": sys.executable, **more},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


def check_pictures(ended, out):
    assert ended.returncode == 0, ended.stderr
    named = [line.split(":", 1)[1].strip() for line in ended.stdout.splitlines()[-7:]]
    assert {"out/faces/report.html", "out/lenet28/model.safetensors", "out/report/report.html"} < set(named)
    assert all((out.parent / name).is_file() for name in named)
    for name in PICTURES:
        assert (out / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_spark_builds_and_the_script_names_the_pictures(run, table, tmp_path):
    sparks.skip_without_spark()
    ended = run(table, "out", "local[1]")
    check_pictures(ended, tmp_path / "out")
    assert "by Spark, tasks at a time: 1" in ended.stderr


def test_local_engine_builds_where_it_is_asked_for(run, table, tmp_path):
    ended = run(table, "out", "", "1", ENGINE="local")
    check_pictures(ended, tmp_path / "out")
    assert "epoch   1" in ended.stderr


def test_missing_spark_is_said_and_nothing_is_built_without_it(run, table, tmp_path):
    ended = run(table, "out", "local[1]", JAVA_HOME=str(tmp_path))
    assert (ended.returncode, "emonet build --engine spark needs" in ended.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_master_is_refused_without_spark(run, table, tmp_path):
    ended = run(table, "out", "local[2]", ENGINE="local")
    assert (ended.returncode, "MASTER is for Spark" in ended.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
