"""Devices that are not there. `PretendedCard` even computes, in the memory of the host, and counts what is waited for.

Networks learn on it, too. What would fail on a card fails here: operations on tensors of two devices, and numpy on a
tensor of the card. It is another card than the current one, cuda:1: what forgets the number fails as well.
"""

from __future__ import annotations

from collections import Counter
from functools import wraps
from threading import Thread

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

# The host waits for these: their results are as large as the card finds, or go to the host. (nms waits once itself.)
WAITING = {"aten::nonzero", "aten::_local_scalar_dense", "aten::masked_select", "aten::equal", "torchvision::nms"}
WAITING |= {"aten::_unique2", "aten::unique_consecutive", "aten::repeat_interleave", "aten::is_nonzero"}

INSIDE = torch.device("meta", 1)  # what autograd takes the card for: of the meta device, it asks no driver


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
        shape = torch.empty(held.untyped_storage().nbytes() // held.itemsize, dtype=held.dtype, device="meta")
        shape = shape.as_strided(held.shape, held.stride(), held.storage_offset())
        return torch.Tensor._make_subclass(cls, shape, False, dispatch_device=True, device_for_backend_keys=device)

    def __init__(self, held, device):
        self.held, self._card = held, device

    is_cuda, is_meta = True, False

    @property
    def device(self):
        return self._card

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, *, force=False):
        if not force:
            raise TypeError(f"can't convert a tensor of {self.device} to numpy; copy it to the host first")
        return self.detach().cpu().numpy()

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
        self._pinned = {}  # by their addresses, which are not free again while they are held
        self._lifts = []
        pretend_devices(monkeypatch, "cuda")
        monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (1 << 33, 1 << 34))
        for check in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
            monkeypatch.setattr(torch.optim.Optimizer, check, lambda _optimizer: None, raising=False)
        monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
        run = Thread.run
        monkeypatch.setattr(Thread, "run", lambda thread: self._run_in_thread(run, thread))

    def _run_in_thread(self, run, thread):
        with self:
            run(thread)

    def __enter__(self):
        self._lifts.append(torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)  # `torch.tensor` makes them on the host, and then copies them
        return super().__enter__()

    def __exit__(self, *raised):
        super().__exit__(*raised)
        torch._C._set_only_lift_cpu_tensors(self._lifts.pop())

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        if operation is torch.ops.prim.device.default:
            return INSIDE
        options = dict(options or {})
        if operation._can_decompose():  # into its parts, as it comes where gradients may be asked for
            with self:
                return operation.decompose(*arguments, **options)
        name = operation._schema.name
        tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor)]
        from_card = any(isinstance(tensor, CardTensor) for tensor in tensors)
        device = options.get("device")
        to_card = from_card if device is None else _is_card(torch.device(device))
        if name == "aten::is_pinned":
            return arguments[0].data_ptr() in self._pinned
        if name == "aten::copy_":
            from_card, to_card = (isinstance(tensor, CardTensor) for tensor in (arguments[1], arguments[0]))
        if name in ("aten::_to_copy", "aten::copy_") and from_card != to_card:
            self._count_copy(tensors[-1], to_card, waits=not options.get("non_blocking", arguments[2:] == (True,)))
        elif from_card or to_card:
            self._check_together(operation, tensors)
        if from_card and (name in WAITING or _has_mask(name, tensors)):
            self.waits[name] += 1
        if to_card and device is not None:
            assert torch.device(device) in (self.device, INSIDE), f"{operation} on {device}"
            options["device"] = torch.device("cpu")
        return self._ran(operation, arguments, options, to_card)

    def _ran(self, operation, arguments, options, to_card):
        if operation._schema.name == "aten::_pin_memory":
            pinned = arguments[0].clone()
            self._pinned[pinned.data_ptr()] = pinned
            return pinned
        given = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, CardTensor)]
        held = tree_map_only(CardTensor, lambda tensor: tensor.held, (arguments, options))
        result = operation(*held[0], **held[1])
        if not to_card:
            return result
        changed = {id(tensor.held): tensor for tensor in given}  # in place
        inference = torch.is_inference_mode_enabled() and any(tensor.is_inference() for tensor in given)
        with torch.inference_mode(inference):  # a view of what was made outside of it is none of its tensors
            return tree_map_only(
                torch.Tensor,
                lambda tensor: changed[id(tensor)] if id(tensor) in changed else CardTensor(tensor, self.device),
                result,
            )

    def _count_copy(self, tensor, to_card, *, waits):
        if to_card:
            self.sent += tensor.numel() * tensor.element_size()
        if waits or not to_card or tensor.data_ptr() not in self._pinned:
            self.waits["a copy to the card" if to_card else "a copy from the card"] += 1

    def _check_together(self, operation, tensors):
        beside = [tensor for tensor in tensors if not isinstance(tensor, CardTensor) and tensor.dim() > 0]
        assert not beside, f"{operation} on tensors of two devices"


def _has_mask(name, tensors):
    """Indexing by a mask asks for the places in which it is true."""
    return name in ("aten::index", "aten::index_put_") and any(tensor.dtype == torch.bool for tensor in tensors[1:])


def _is_card(device):
    return device.type == "cuda" or device == INSIDE
