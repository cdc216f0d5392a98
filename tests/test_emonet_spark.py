"""What Spark needs is looked for before it is started, and said in one line."""

import pytest
from typer.testing import CliRunner

from emonet.commands import create_app
from emonet.errors import MachineError, OptionError
from emonet.spark.needs import check_needs, list_settings


def java(folder, told, status=0):
    """Write a program that answers as a Java of some version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\nexit {status}\n")
    program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def packages(monkeypatch):
    monkeypatch.setattr("emonet.spark.needs.check_installed", lambda *_: None)


def test_missing_java_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"needs Java 17 or newer, and there is no java.*openjdk-17"):
        check_needs("emonet build", "local[2]")


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.20"])
def test_old_java_is_refused(monkeypatch, tmp_path, version):
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "java", f'openjdk version "{version}"')))
    with pytest.raises(MachineError, match=f"{version}.*set JAVA_HOME"):
        check_needs("emonet build", "local[2]")


@pytest.mark.parametrize("version", ["17.0.15", "21"])
def test_new_java_is_taken(monkeypatch, tmp_path, version):
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "java", f'openjdk version "{version}" 2025-04-15')))
    check_needs("emonet build", "local[2]")


def test_java_that_does_not_run_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "java", "no shared objects", status=1)))
    with pytest.raises(MachineError, match="cannot be run"):
        check_needs("emonet build", "local[2]")


@pytest.mark.parametrize("master", ["", "locl[2]", "local[x]", "spark://", "spark://host:port", "http://host:7077"])
def test_master_that_is_none_is_refused(master):
    with pytest.raises(OptionError, match="master must be"):
        check_needs("emonet build", master)


def test_master_that_does_not_answer_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "java", 'openjdk version "17"')))
    with pytest.raises(MachineError, match=r"spark://127.0.0.1:1 cannot be reached: Connection refused"):
        check_needs("emonet build", "spark://127.0.0.1:1")


def test_yarn_needs_its_configuration(monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(OptionError, match="HADOOP_CONF_DIR"):
        check_needs("emonet build", "yarn")


@pytest.mark.parametrize(
    ("master", "used"),
    [("local", "local[1,4]"), ("local[2]", "local[2,4]"), ("local[*]", "local[*,4]"), ("local[2,1]", "local[2,1]")],
)
def test_local_tasks_are_tried_as_often_as_on_a_cluster(master, used):
    assert list_settings(master)["spark.master"] == used
    assert list_settings("spark://host:7077") == {"spark.master": "spark://host:7077"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--master", "local[2]"], "add --engine spark"),
        (["--conf", "spark.a=b"], "add --engine spark"),
        (["--engine", "spark", "--workers", "2"], "--workers"),
        (["--engine", "spark", "--master", "nowhere"], "master must be"),
        (["--engine", "spark", "--conf", "memory=1g"], "spark.NAME=VALUE"),
    ],
)
def test_options_that_do_not_fit_the_engine_are_refused(tmp_path, words, told):
    table = tmp_path / "fer2013.csv"
    table.write_text("emotion,pixels,Usage\n")
    ended = CliRunner().invoke(
        create_app(["build"]), ["build", "--fer2013", str(table), "-o", str(tmp_path / "out"), *words]
    )
    assert isinstance(ended.exception, OptionError)
    assert told in str(ended.exception)
    assert not (tmp_path / "out").exists()
