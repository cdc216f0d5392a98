"""Choose what runs a model: torch, or ONNX Runtime, which is imported far faster and takes far less room on the disk.

ONNX Runtime runs on the processor. It takes ONNX files, and model files for whose network the package has a graph.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal, get_args

from emonet.errors import OptionError
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import Machine, check_precision, open_machine
from emonet.inference.graphs import find_graph
from emonet.inference.model import Model
from emonet.inference.views import check_pixel_view, find_view
from facecrop.devices import resolve_device
from facecrop.machine import count_processors
from facecrop.packages import import_packages, installed_version

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reports what it runs to its makers otherwise

Backend = Literal["auto", "torch", "onnx"]
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd")  # of NVIDIA's driver and of AMD's
NOT_FOR_TORCH = "torch cannot run ONNX files: use the back end onnx, or the model file it was exported from"


@dataclass(frozen=True, slots=True)
class Processor:
    """Name the processor as the machine that ONNX Runtime runs on, in float32.

    Attributes:
        threads: How many threads a classifier uses.
    """

    backend: ClassVar[str] = "onnx"
    device: ClassVar[str] = "cpu"

    threads: int

    def __str__(self) -> str:
        return f"{self.device} ({self.threads} threads), fp32"


def choose_machine(
    models: Sequence[Model],
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    view: str = "none",
) -> Machine | Processor:
    """Choose the back end, the device and the precision that run some models.

    Args:
        models: All of them run on the same back end.
        backend: `torch`, `onnx`, or `auto`: ONNX Runtime on a processor, if it can run all models; torch otherwise.
        device: As in `open_machine`. ONNX Runtime runs on the processor alone.
        precision: As in `open_machine`. ONNX Runtime runs in fp32 alone.
        view: The test-time augmentation that is to be done.

    Returns:
        A Processor for ONNX Runtime, a Machine for torch.

    Raises:
        OptionError: An option has a value that is not allowed, or the models do not run as asked.
        MissingPackageError: torch is needed, and is not installed.
    """
    if backend not in get_args(Backend):
        raise OptionError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    find_view(view)
    check_precision(precision)
    hindrance = _find_hindrance(models, device, precision, view)
    needs_onnx = [model for model in models if not isinstance(model, Checkpoint)]
    if backend == "onnx" or (backend == "auto" and needs_onnx):
        if hindrance is not None:
            raise OptionError(f"ONNX Runtime cannot be used: {hindrance}")
        return _open_processor()
    if needs_onnx:
        raise OptionError(NOT_FOR_TORCH)
    if backend == "auto" and hindrance is None and not _has_gpu(device):
        return _open_processor()
    resolve_device(device)
    why = f", for ONNX Runtime cannot do it ({hindrance})," if hindrance else ""
    import_packages(f"prediction with torch{why}", "emonet[train]", "torch")
    return open_machine(device, precision)


def count_threads() -> int:
    """Count the threads that this process should use: OMP_NUM_THREADS if set, else the processors it may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    return count_processors()


def describe_backend(machine: Machine | Processor) -> str:
    """Name a back end with its version, such as `onnxruntime 1.32.0`."""
    package = "onnxruntime" if isinstance(machine, Processor) else "torch"
    return f"{package} {installed_version(package) or installed_version('onnxruntime-gpu') or ''}".strip()


def _find_hindrance(models: Sequence[Model], device: str, precision: str, view: str) -> str | None:
    """Say why ONNX Runtime cannot run some models; None if it can."""
    if str(device) not in ("auto", "cpu"):
        return f"it runs on the processor, and device={device} is asked for"
    if precision not in ("auto", "fp32"):
        return f"it runs in fp32, and precision={precision} is asked for"
    for model in models:
        if isinstance(model, Checkpoint) and find_graph(model) is None:
            return (
                f"the package has no graph for the network of {str(model.shown)!r}; "
                "where torch is installed, `emonet export` makes an ONNX file of the model"
            )
        try:
            check_pixel_view(view, model.input)
        except OptionError as error:
            return str(error)
    return None


def _open_processor() -> Processor:
    import_packages("ONNX Runtime", "onnxruntime", "onnxruntime")
    return Processor(count_threads())


def _has_gpu(device: str) -> bool:
    """Tell whether torch would find a GPU. It is imported, which takes seconds, only where one seems to be there."""
    if str(device) == "cpu" or find_spec("torch") is None or not _seems_to_have_gpu():
        return False
    return open_machine().device.type != "cpu"


def _seems_to_have_gpu() -> bool:
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path(name).exists() for name in GPU_FILES) or shutil.which("nvidia-smi") is not None
