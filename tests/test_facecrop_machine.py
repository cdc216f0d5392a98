"""What a process may use of its machine: a container may have less than there is."""

import math

import pytest

from facecrop import machine

MEMORY = "MemTotal:       32000000 kB\nMemFree:         1000000 kB\nMemAvailable:    9000000 kB\n"


@pytest.fixture(autouse=True)
def pretended(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text(MEMORY)
    return tmp_path


def test_what_the_system_keeps_of_files_is_free():
    assert machine.find_free_memory() == 9_000_000 * 1024


@pytest.mark.parametrize(
    ("most", "used", "left"), [("2000000", "500000", 1_500_000), ("500", "600", 0), ("max", "500000", 9_000_000 * 1024)]
)
def test_a_container_may_have_less(pretended, most, used, left):
    (pretended / "memory.max").write_text(most)
    (pretended / "memory.current").write_text(used)
    assert machine.find_free_memory() == left


def test_another_system_says_it_in_another_way_or_not_at_all(pretended, monkeypatch):
    (pretended / "meminfo").unlink()
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 1000, raising=False)
    assert machine.find_free_memory() == 1_000_000
    monkeypatch.delattr(machine.os, "sysconf")
    assert machine.find_free_memory() == math.inf
