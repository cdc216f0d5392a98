"""One answer to where things run."""

import pytest
import torch
from pretended_card import pretend_devices

from facecrop.devices import resolve_device


@pytest.mark.parametrize(
    ("there", "kinds", "best"),
    [
        ((), ("cuda", "mps", "cpu"), "cpu"),
        (("mps",), ("cuda", "mps", "cpu"), "mps"),
        (("mps", "cuda"), ("cuda", "mps", "cpu"), "cuda"),
        (("mps",), ("cuda", "cpu"), "cpu"),
        (("mps", "cuda"), ("cpu",), "cpu"),
    ],
)
def test_auto_takes_the_best_available_device(monkeypatch, there, kinds, best):
    pretend_devices(monkeypatch, *there)
    assert resolve_device("auto", kinds) == best


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda", "cuda:0", "cuda:1"])
def test_an_available_device_keeps_its_name(monkeypatch, device):
    pretend_devices(monkeypatch, "cuda", "mps")
    assert resolve_device(device) == device
    assert resolve_device(torch.device(device)) == device


@pytest.mark.parametrize("device", ["cuda:9", "cuda:2", "cuda:09"])
def test_a_missing_card_is_refused_with_the_available_ones(monkeypatch, device):
    pretend_devices(monkeypatch, "cuda", cards=2)
    with pytest.raises(
        ValueError, match=r"^device 'cuda:\d' was asked for, .* sees cuda:0 \(card 0\), cuda:1 \(card 1\)$"
    ):
        resolve_device(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_missing_kind_of_device_is_refused_with_the_version_of_torch(monkeypatch, device):
    pretend_devices(monkeypatch)
    with pytest.raises(ValueError, match=rf"^device '{device}' was asked for, and torch \S+ sees none$"):
        resolve_device(device)


@pytest.mark.parametrize(
    "device", ["gpu", "", "cuda:", "cuda:-1", "cuda:first", "cuda:\N{SUPERSCRIPT ONE}", "mps:0", None]
)
def test_unknown_devices_are_refused_with_the_known_ones(monkeypatch, device):
    pretend_devices(monkeypatch, "cuda", "mps")
    with pytest.raises(ValueError, match=f"device must be auto, cuda, mps, cpu, or cuda with a number, got '{device}'"):
        resolve_device(device)


def test_devices_of_other_kinds_are_refused_with_the_usable_ones(monkeypatch):
    pretend_devices(monkeypatch, "cuda", "mps")
    with pytest.raises(ValueError, match="device must be auto or cpu, got 'cuda'"):
        resolve_device("cuda", ("cpu",))
    with pytest.raises(ValueError, match="device must be auto, cuda, cpu, or cuda with a number, got 'mps'"):
        resolve_device("mps", ("cuda", "cpu"))
