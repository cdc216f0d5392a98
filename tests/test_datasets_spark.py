"""Builds on Spark write what local builds write, byte for byte, whatever is killed meanwhile."""

import gzip
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import imitations
import killers
import pytest
import sparks
from folders import files

import emonet.datasets.builder.plan as plan_module
from emonet.datasets import open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.errors import DatasetError, MachineError, OptionError

sparks.skip_without_spark()

CHUNK = 16
BROKEN = 2  # photos

pytestmark = sparks.QUIET


@pytest.fixture(scope="module")
def session(root):
    with sparks.open_small_session(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def engine(session):
    from emonet.datasets.builder.spark import SparkEngine

    return SparkEngine(session)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(plan_module, "CHUNK", CHUNK)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, portrait):
    """FER2013 with an exact, a near, a mirrored and a shifted copy of test images; a folder with two broken photos."""
    folder = tmp_path_factory.mktemp("data")
    rows = imitations.fer2013_rows(portrait, training=60, tests=21)
    tested = [row for row in rows if row.usage == "PrivateTest"]
    copies = [
        tested[0].face,
        imitations.noisy(tested[1].face, 1),
        tested[2].face[:, ::-1],
        imitations.framed(tested[3].face, (48, 48), 1.1, grey=False),
    ]
    train = [row for row in rows if row.usage == "Training"]
    rows = [*rows, *(replace(train[0], face=face) for face in copies), replace(train[0], face=tested[0].face * 0)]
    photos = imitations.write_folder(folder / "photos", portrait)
    (Path(photos) / "train" / "Happy" / "broken.png").write_bytes(b"no image")
    (Path(photos) / "train" / "Happy" / "empty.jpg").write_bytes(b"")
    return {"fer2013": str(imitations.write_fer2013_csv(folder / "fer2013.csv", rows)), "folder": str(photos)}


def options(inputs, **more):
    folds = 0 if "folder" in inputs else 3  # the people of a folder are not known
    return BuildOptions(inputs, **{"detector": "whole", "dev": 10, "folds": folds, **more})


@pytest.mark.parametrize("leaks", ["near", "exact"])
def test_spark_writes_the_bytes_of_the_local_build(engine, inputs, tmp_path, leaks):
    chosen = options(inputs, leaks=leaks, near=0.995)
    local = build_dataset(prepare(chosen), tmp_path / "local", workers=1)
    spark = build_dataset(prepare(chosen), tmp_path / "spark", engine=engine)
    assert spark.store.splits == local.store.splits
    assert spark.store.rejected().to_pylist() == local.store.rejected().to_pylist()
    assert files(tmp_path / "spark") == files(tmp_path / "local")
    reasons = Counter(local.store.rejected().column("reason").to_pylist())
    assert {"leak", "unreadable", "blank"} <= set(reasons)
    assert leaks == "exact" or reasons["near_leak"] >= 3
    assert spark.seconds.keys() == local.seconds.keys()


def test_faces_of_detectors_are_the_same(engine, portrait, tmp_path):
    inputs = {"jaffe": str(imitations.write_jaffe(tmp_path / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:2]))}
    chosen = options(inputs, detector="yunet", dev=0, folds=0, leaks="exact", shares={"train": 0.5, "test": 0.5})
    build_dataset(prepare(chosen), tmp_path / "local", workers=1)
    build_dataset(prepare(chosen), tmp_path / "spark", engine=engine)
    assert files(tmp_path / "spark") == files(tmp_path / "local")


def with_killer(prepared, number, **killing):
    samples = prepared.surveys["fer2013"].samples
    samples[number] = replace(samples[number], image=killers.Killing(samples[number].image, **killing))
    return samples[number]


def test_process_that_is_killed_changes_nothing(engine, inputs, tmp_path):
    chosen = options(inputs, leaks="exact")
    build_dataset(prepare(chosen), tmp_path / "local", workers=1)
    prepared = prepare(chosen)
    with_killer(prepared, 20, sign=tmp_path / "killed")
    build_dataset(prepared, tmp_path / "spark", engine=engine)
    assert (tmp_path / "killed").exists()
    assert files(tmp_path / "spark") == files(tmp_path / "local")


def test_image_that_kills_whoever_reads_it_is_rejected(engine, inputs, tmp_path):
    prepared = prepare(options(inputs, leaks="exact"))
    sample = with_killer(prepared, 5, sign=tmp_path / "killed", always=True)
    built = build_dataset(prepared, tmp_path / "spark", engine=engine)
    (told,) = [row for row in built.store.rejected().to_pylist() if row["key"] == sample.key]
    assert (told["reason"], "killed" in told["detail"]) == ("unreadable", True)
    assert built.broken == 1 + BROKEN
    assert sum(built.store.splits.values()) + built.store.rejected().num_rows == prepared.samples + len(
        prepared.rejected
    )


def test_error_of_a_task_is_raised_as_it_is(session, tmp_path):
    from emonet.spark import Executors

    with pytest.raises(DatasetError, match="row 3: torn"):
        Executors(session, tmp_path / "tasks").run_tasks(["torn", "again"], killers.fail)
    with pytest.raises(MachineError, match="ZeroDivisionError"):
        Executors(session, tmp_path / "tasks").run_tasks([0], killers.divide)
    assert not list(tmp_path.iterdir())


def test_groups_are_whole_whatever_is_killed(session, tmp_path):
    from emonet.spark import Executors

    divide, work = (partial(one, tmp_path) for one in (killers.divide_by_digit, killers.add_up))
    found = Executors(session, tmp_path / "tasks").run_groups(range(100), divide, 12, work)
    assert found == [sum(range(digit, 100, 10)) for digit in range(10)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["added", "divided"]
    assert Executors(session, tmp_path / "tasks").run_groups([], divide, 1, work) == []


def test_output_that_the_executors_do_not_see_is_refused(session, tmp_path, monkeypatch):
    import emonet.datasets.builder.spark.machines as machines

    with pytest.raises(MachineError, match=r"does not see .*elsewhere: give the absolute path"):
        machines.check_machines(session, tmp_path, [str(tmp_path / "elsewhere")], ["emonet"])
    monkeypatch.setattr(machines, "installed_version", lambda _: "0.0.1")
    with pytest.raises(MachineError, match=r"has numpy .*, and the driver 0.0.1"):
        machines.check_machines(session, tmp_path, [], ["numpy"])
    assert not list(tmp_path.iterdir())


def test_unpacked_copies_that_other_machines_do_not_see_are_refused(portrait, tmp_path):
    from emonet.datasets.builder.spark import SparkEngine

    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", imitations.fer2013_rows(portrait))
    with gzip.open(tmp_path / "packed.csv.gz", "wb") as packed:
        packed.write(table.read_bytes())
    prepared = prepare(BuildOptions({"fer2013": str(tmp_path / "packed.csv.gz")}, detector="whole"))
    cluster = SparkEngine(SimpleNamespace(sparkContext=SimpleNamespace(master="spark://one:7077")))
    with pytest.raises(OptionError, match="which other machines do not see: unpack it on the disk that they share"):
        cluster.check(prepared.options, prepared.readers, tmp_path)


DRIVER = """
import sys
import emonet.datasets.builder.plan as plan
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.builder.spark import SparkEngine
from emonet.spark import open_session

if __name__ == "__main__":
    plan.CHUNK = 4
    with open_session("a test", "local[1]", {"spark.driver.memory": "1g"}) as session:
        options = BuildOptions({"fer2013": sys.argv[1]}, detector="whole", dev=10, folds=3, leaks="exact")
        build_dataset(prepare(options), sys.argv[2], engine=SparkEngine(session))
"""


def test_killed_driver_leaves_no_data_set_and_the_build_resumes(engine, inputs, tmp_path, root, monkeypatch):
    table, out = inputs["fer2013"], tmp_path / "out"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    process = subprocess.Popen([sys.executable, script, table, out], env={**os.environ, "PYTHONPATH": str(root)})
    end = time.monotonic() + 240
    while len(list(out.glob(".build/chunks/*.parquet"))) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()
    process.wait()
    with pytest.raises((ValueError, FileNotFoundError)):
        open_store(out)
    kept = {path: path.stat().st_mtime_ns for path in out.glob(".build/chunks/*.parquet")}
    assert kept
    monkeypatch.setattr(plan_module, "CHUNK", 4)
    chosen = options({"fer2013": table}, leaks="exact")
    build_dataset(prepare(chosen), out, engine=engine)
    monkeypatch.setattr(plan_module, "CHUNK", CHUNK)
    build_dataset(prepare(chosen), tmp_path / "local", workers=1)
    assert files(out) == files(tmp_path / "local")
