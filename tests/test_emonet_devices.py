from functools import partial

import pytest
import torch
from pretended_card import pretend_devices

from emonet.inference.devices import open_machine


@pytest.fixture
def there(monkeypatch):
    """Pretends that these kinds of devices are there, with two cards, and the processor."""
    return partial(pretend_devices, monkeypatch)


@pytest.mark.parametrize(
    ("kinds", "device", "expected"),
    [
        ((), "auto", "cpu"),
        (("mps",), "auto", "mps"),
        (("mps", "cuda"), "auto", "cuda"),
        (("cuda",), "cpu", "cpu"),
        (("cuda",), "cuda:1", "cuda:1"),
    ],
)
def test_auto_takes_the_best_device(there, kinds, device, expected):
    there(*kinds)
    assert open_machine(device, "fp32").device == torch.device(expected)


@pytest.mark.parametrize("device", ["gpu", "cuda:first", "cuda:", ""])
def test_unknown_devices_are_refused(there, device):
    there("cuda")
    with pytest.raises(ValueError, match=f"device must be auto, cuda, mps, cpu, or cuda with a number, got '{device}'"):
        open_machine(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_devices_that_are_missing_are_refused(there, device):
    there()
    with pytest.raises(ValueError, match=rf"device '{device}' was asked for, and torch \S+ sees none"):
        open_machine(device)


def test_unknown_precisions_are_refused():
    with pytest.raises(ValueError, match="precision must be auto, fp32 or bf16, got 'fp16'"):
        open_machine("cpu", "fp16")


@pytest.mark.parametrize(("kinds", "bf16"), [(("cuda",), True), (("mps",), False)])
def test_auto_precision_on_other_devices(there, kinds, bf16):
    there(*kinds)
    assert open_machine().bf16 is bf16


@pytest.mark.parametrize("has", [True, False])
def test_auto_precision_on_the_cpu_is_what_its_hardware_does(monkeypatch, has):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    assert open_machine("cpu").bf16 is has


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_networks_run_in_the_precision_asked_for(precision, dtype):
    with open_machine("cpu", precision).autocast():
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype


def test_a_machine_names_device_and_precision(there):
    there("cuda")
    assert str(open_machine("cpu", "fp32")) == f"cpu ({torch.get_num_threads()} threads), fp32"
    assert str(open_machine("cuda:1")) == "cuda:1 (card 1), bf16"
