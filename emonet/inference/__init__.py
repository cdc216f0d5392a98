"""Use a trained network: open a model file, run it on a device, average views of an image, and export it to ONNX.

model_file.py      the form of a model file; checkpoint.py makes a model of it, onnx_model.py one of an ONNX file
loading.py         opens models by name or path; learned.py tells whose dev a model learned from
backends.py        chooses torch or ONNX Runtime; devices.py chooses torch's device, graphs.py finds ONNX graphs
classifier.py      opens a model there: torch_classifier.py or onnx_classifier.py
views.py           test-time augmentation
sharing.py         folders and repositories in the layout of the Hugging Face Hub
onnx.py            exports models, and makes the graphs of the package
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.inference.backends import Processor, choose_machine
    from emonet.inference.checkpoint import Checkpoint
    from emonet.inference.classifier import Classifier, open_classifier
    from emonet.inference.devices import Machine, open_machine
    from emonet.inference.loading import load_model, load_to_predict
    from emonet.inference.onnx_model import OnnxModel
    from emonet.inference.sharing import from_pretrained

__all__ = [
    "Checkpoint",
    "Classifier",
    "Machine",
    "OnnxModel",
    "Processor",
    "choose_machine",
    "from_pretrained",
    "load_model",
    "load_to_predict",
    "open_classifier",
    "open_machine",
]

_MODULES = {
    "Checkpoint": "checkpoint",
    "Classifier": "classifier",
    "Machine": "devices",
    "OnnxModel": "onnx_model",
    "Processor": "backends",
    "choose_machine": "backends",
    "from_pretrained": "sharing",
    "load_model": "loading",
    "load_to_predict": "loading",
    "open_classifier": "classifier",
    "open_machine": "devices",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: commands that show their help need none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
