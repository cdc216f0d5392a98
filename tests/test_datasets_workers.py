"""The number of processes of a build, and the device of each."""

import os
import re

import pytest
from pretended_card import pretend_devices

from emonet.datasets.builder import BuildOptions, prepare, worker_devices


def devices(device, workers=None, chunks=1000, detector="mtcnn"):
    return worker_devices(BuildOptions({"jaffe": "jaffe"}, detector=detector, device=device), chunks, workers)


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    pretend_devices(monkeypatch, "cuda", cards=3)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


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
