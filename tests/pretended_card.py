"""Devices that are not there. `PretendedCard` even computes, in the memory of the host, and counts what is waited for.

What would fail on a card fails here too: operations on tensors of two devices, and numpy on a tensor of the card.
"""

from __future__ import annotations

from collections import Counter
from functools import wraps

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

# The host waits for these: their results are as large as the card finds, or go to the host. (nms waits once itself.)
WAITING = {"aten::nonzero", "aten::_local_scalar_dense", "aten::masked_select", "aten::equal", "torchvision::nms"}
WAITING |= {"aten::_unique2", "aten::unique_consecutive", "aten::repeat_interleave", "aten::is_nonzero"}


def pretend_devices(monkeypatch, *kinds, cards=2):
    """Has torch see these kinds of devices, and so many cards."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards if "cuda" in kinds else 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {getattr(device, 'index', device) or 0}")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    has_mps = wraps(torch.backends.mps.is_available)(lambda: "mps" in kinds)  # torch.compile unwraps it when imported
    monkeypatch.setattr(torch.backends.mps, "is_available", has_mps)


class CardTensor(torch.Tensor):
    """A tensor that says that it lies on a card."""

    @staticmethod
    def __new__(cls, held, device):
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=device, **layout)

    def __init__(self, held, _device):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, operation, types, arguments=(), options=None):
        raise AssertionError(f"{operation} is asked of the card while nobody pretends to have it")


class PretendedCard(TorchDispatchMode):
    """While it is entered, torch has the card cuda:1. `waits` says for what the host waited, and how often."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.device = torch.device("cuda:1")
        self.waits = Counter()
        self.sent = 0  # bytes that went to the card
        self._pinned = set()
        pretend_devices(monkeypatch, "cuda")
        monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
        monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
        if not hasattr(torch._C, "_ensureCUDADeviceGuardSet"):
            pytest.skip(f"torch {torch.__version__} switches to a card even where there is none")
        torch._C._ensureCUDADeviceGuardSet()  # as fake tensors do: without a card, no card is switched to

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        options = dict(options or {})
        with self:
            parts = operation.decompose(*arguments, **options)  # as they come where gradients may be asked for
        if parts is not NotImplemented:
            return parts
        name = operation._schema.name
        tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor)]
        from_card = any(isinstance(tensor, CardTensor) for tensor in tensors)
        device = options.get("device")
        to_card = from_card if device is None else torch.device(device).type == "cuda"
        if name == "aten::is_pinned":
            return arguments[0].data_ptr() in self._pinned
        if name == "aten::_to_copy" and from_card != to_card:
            self._count_copy(arguments[0], options, to_card)
        elif from_card or to_card:
            self._check_together(operation, tensors)
        if from_card and (name in WAITING or _has_mask(name, tensors)):
            self.waits[name] += 1
        if device is not None:
            assert not to_card or torch.device(device) == self.device, f"{operation} on {device}"
            options["device"] = torch.device("cpu")
        return self._ran(operation, arguments, options, to_card)

    def _ran(self, operation, arguments, options, to_card):
        if operation._schema.name == "aten::_pin_memory":
            pinned = arguments[0].clone()
            self._pinned.add(pinned.data_ptr())
            return pinned
        held = tree_map_only(CardTensor, lambda tensor: tensor.held, (arguments, options))
        result = operation(*held[0], **held[1])
        if operation._schema.is_mutable:
            return arguments[0]
        if not to_card:
            return result
        return tree_map_only(torch.Tensor, lambda tensor: CardTensor(tensor, self.device), result)

    def _count_copy(self, tensor, options, to_card):
        if to_card:
            self.sent += tensor.numel() * tensor.element_size()
        if not to_card or not options.get("non_blocking") or tensor.data_ptr() not in self._pinned:
            self.waits["a copy to the card" if to_card else "a copy from the card"] += 1

    def _check_together(self, operation, tensors):
        beside = [tensor for tensor in tensors if not isinstance(tensor, CardTensor) and tensor.dim() > 0]
        assert not beside, f"{operation} on tensors of two devices"


def _has_mask(name, tensors):
    """Indexing by a mask asks for the places in which it is true."""
    return name in ("aten::index", "aten::index_put_") and any(tensor.dtype == torch.bool for tensor in tensors[1:])
