"""The number of processes of a build, the device of each, and how they share out tasks."""

import os
import re

import pytest
from pretended_card import pretend_devices
from worker_tasks import divide, fail, square, tell_device

from emonet.datasets.builder import BuildOptions, open_workers, prepare, worker_devices


def devices(device, workers=None, chunks=1000, detector="mtcnn"):
    return worker_devices(BuildOptions({"jaffe": "jaffe"}, detector=detector, device=device), chunks, workers)


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    pretend_devices(monkeypatch, "cuda", cards=3)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


def test_worker_for_each_core_and_two_for_each_gpu():
    assert devices("cpu") == ["cpu"] * 64
    assert devices("cuda:1") == ["cuda:1"] * 2
    assert devices("cuda") == ["cuda:0", "cuda:1", "cuda:2"] * 2
    assert devices("auto", detector="dlib") == ["cpu"] * 64


def test_fewer_workers_are_allowed_but_not_more_on_a_gpu():
    assert devices("cuda", 4) == ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]
    assert devices("cuda", 1) == ["cuda:0"]
    assert devices("cuda:2", 64) == ["cuda:2"] * 2
    assert devices("cpu", 100) == ["cpu"] * 100


def test_no_more_workers_than_chunks():
    assert devices("cpu", chunks=3) == ["cpu"] * 3
    assert devices("cuda", chunks=2) == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize(("device", "words"), [("cuda:3", "cuda:2 (card 2)"), ("mps", "cuda and cpu only")])
def test_build_on_a_missing_device_is_refused(device, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        prepare(BuildOptions({"jaffe": "jaffe"}, device=device))


@pytest.fixture(scope="module")
def workers():
    with open_workers(["first", "second"]) as opened:
        yield opened


def test_results_come_in_the_order_of_the_tasks(workers):
    done = workers.run_tasks(range(30), square)
    assert [result for result, _ in done] == [number * number for number in range(30)]
    assert os.getpid() not in {process for _, process in done}


def test_tasks_are_taken_when_there_is_room_for_them(workers):
    taken = []
    results = workers.run((taken.append(number) or number for number in range(100)), square)
    first, _ = next(results)
    assert len(taken) <= 4
    assert sorted([first, *(number for number, _ in results)]) == list(range(100))
    assert taken == list(range(100))


def test_each_process_has_a_device(workers):
    assert set(workers.run_tasks(range(30), tell_device)) <= {"first", "second"}


def test_groups_are_worked_on_in_one_piece_and_in_order(workers):
    assert workers.run_groups(range(7), divide, 5, sum) == [0 + 3 + 6, 1 + 4, 2 + 5]


def test_what_a_task_raises_is_raised(workers):
    with pytest.raises(KeyError, match="this one"):
        workers.run_tasks(range(3), fail)
    assert workers.run_tasks([4], square)[0][0] == 16


def test_single_worker_is_this_process():
    with open_workers(["cpu"]) as alone:
        assert alone.run_tasks([3], square) == [(9, os.getpid())]
        assert alone.run_groups(range(4), divide, 3, len) == [2, 1, 1]
