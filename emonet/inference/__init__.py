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

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

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

__getattr__, __dir__ = import_when_used(
    __name__,
    {
        "backends": ("Processor", "choose_machine"),
        "checkpoint": ("Checkpoint",),
        "classifier": ("Classifier", "open_classifier"),
        "devices": ("Machine", "open_machine"),
        "loading": ("load_model", "load_to_predict"),
        "onnx_model": ("OnnxModel",),
        "sharing": ("from_pretrained",),
    },
)
