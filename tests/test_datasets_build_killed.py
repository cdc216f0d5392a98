"""Builds that are killed at any moment and run again write the same bytes as others."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import imitations
import pytest
from folders import files

from emonet.datasets import open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare

# Small chunks, so that there are many, and slow ones, so that there is time to kill it; it prints those it works on.
SCRIPT = """
import sys, time
import emonet.datasets.builder.plan as plan, emonet.datasets.builder.run as run
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.builder.work import Workshop

plan.CHUNK = run.CHUNK = 4
work = Workshop.work
def told(self, chunk, path):
    print(chunk.name, flush=True)
    time.sleep(0.02)
    return work(self, chunk, path)
Workshop.work = told

if __name__ == "__main__":
    options = BuildOptions({"fer2013": sys.argv[1]}, detector="whole", dev=10, leaks="report")
    build_dataset(prepare(options), sys.argv[2], workers=int(sys.argv[3]))
"""

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture(scope="module")
def table(tmp_path_factory, portrait):
    rows = imitations.fer2013_rows(portrait, training=100, tests=14)
    return imitations.write_fer2013_csv(tmp_path_factory.mktemp("data") / "fer2013.csv", rows)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "build.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """What an uninterrupted build writes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    options = BuildOptions({"fer2013": str(table)}, detector="whole", dev=10, leaks="report")
    build_dataset(prepare(options), folder, workers=1)
    return files(folder)


def started(script, table, out, workers=1, **options):
    command = [sys.executable, script, table, out, str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def finished(process):
    """Wait for the end; return the names of the chunks that were worked on."""
    printed, _ = process.communicate()
    assert process.returncode == 0
    return printed.split()


def killed_when(process, condition):
    """Kill the process as soon as the condition holds; return what it printed."""
    while process.poll() is None and not condition():
        time.sleep(0.0005)
    process.kill()
    return process.communicate()[0].split()


def chunks_in(out):
    return sorted(path.stem for path in (out / ".build" / "chunks").glob("*.parquet"))


@pytest.mark.parametrize("done", [1, 9])
def test_killed_build_keeps_finished_chunks(script, table, whole, tmp_path, done):
    out = tmp_path / "out"
    killed_when(started(script, table, out), lambda: len(chunks_in(out)) >= done)
    there = chunks_in(out)
    assert done <= len(there) < 32
    worked_on = finished(started(script, table, out))
    assert not set(worked_on) & set(there)
    assert len(worked_on) + len(there) == 32
    assert files(out) == whole


@pytest.mark.parametrize(
    "sign",
    [
        ".build/chunks/greys-*",
        ".build/chunks/even.npy",
        ".build/finished/data/train-*",
        ".build/finished/report.html",
        "data/train-*",
        "rejected/*.parquet",
        "dataset.json",
    ],
)
def test_build_killed_while_writing_resumes(script, table, whole, tmp_path, sign):
    out = tmp_path / "out"
    killed_when(started(script, table, out), lambda: any(out.glob(sign)))
    if not (out / "dataset.json").exists():
        with pytest.raises(ValueError, match="not finished"):
            open_store(out)
    finished(started(script, table, out))
    assert files(out) == whole


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seed", range(25))
def test_build_killed_at_random_resumes(script, table, whole, tmp_path, seed, workers):
    lots = random.Random(seed)
    out = tmp_path / "out"
    for _ in range(lots.randint(1, 4)):
        end = time.monotonic() + lots.uniform(0, 6)
        killed_when(started(script, table, out, workers), lambda end=end: time.monotonic() >= end)
    finished(started(script, table, out, workers))
    assert files(out) == whole


@linux_only
def test_workers_end_with_their_parent(script, table, tmp_path):
    process = started(script, table, tmp_path / "out", workers=2, start_new_session=True)
    killed_when(process, lambda: len(chunks_in(tmp_path / "out")) >= 1)
    end = time.monotonic() + 20
    while (left := of_session(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert left == []


@linux_only
@pytest.mark.parametrize("sign", ["*.parquet", "greys-*", "even.npy"])
def test_killed_worker_is_reported(script, table, whole, tmp_path, sign):
    out = tmp_path / "out"
    process = started(script, table, out, workers=2, start_new_session=True, stderr=subprocess.PIPE)
    while not any((out / ".build" / "chunks").glob(sign)) and process.poll() is None:
        time.sleep(0.001)
    workers = [member for member in of_session(process.pid) if member != process.pid]
    for last in sorted(workers)[-1:]:  # none if it is done already
        with contextlib.suppress(ProcessLookupError):
            os.kill(last, signal.SIGKILL)
    errors = process.communicate()[1]
    if process.returncode:  # it was not done yet
        assert "MachineError: a worker was killed" in errors
    finished(started(script, table, out))
    assert files(out) == whole


def of_session(leader):
    """The processes of a session, by number."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(ProcessLookupError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


def test_full_disk_is_reported_and_the_build_resumes(script, table, whole, tmp_path):
    """A limit on the size of files stands in for it: the same call fails, with another number."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    out = tmp_path / "out"
    failed = started(script, table, out, preexec_fn=limited, stderr=subprocess.PIPE)
    errors = failed.communicate()[1]
    assert failed.returncode == 1
    assert "OSError" in errors
    assert not (out / "dataset.json").exists()
    assert not list(out.rglob("*-part"))
    finished(started(script, table, out))
    assert files(out) == whole


def test_interrupted_build_resumes(script, table, whole, tmp_path):
    out = tmp_path / "out"
    process = started(script, table, out, stderr=subprocess.DEVNULL)
    while not chunks_in(out):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate()
    finished(started(script, table, out))
    assert files(out) == whole
