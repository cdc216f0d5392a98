"""Classify faces: what all back ends have in common, and how one is opened.

- `torch_classifier.py` runs networks with torch, on any device.
- `onnx_classifier.py` runs graphs with ONNX Runtime, on the processor.
- `backends.py` chooses between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.heads import sizes
from emonet.inference.backends import NOT_FOR_TORCH, Processor
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import Machine
from emonet.inference.model import Model
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from emonet.inference.onnx_classifier import OnnxClassifier
    from emonet.inference.torch_classifier import TorchClassifier


class Classifier(Protocol):
    """Turn faces into probabilities, in float32.

    The probabilities of several heads stand side by side: `Model.choice` makes one answer of them.
    """

    @property
    def spec(self) -> InputSpec:
        """The crops that the network takes."""
        ...

    @property
    def machine(self) -> Machine | Processor:
        """Where the network runs."""
        ...

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify faces (N, size, size, channels): probabilities (N, all heads' classes)."""
        ...


@overload
def open_classifier(model: Checkpoint, machine: Machine, view: str = "none") -> TorchClassifier: ...


@overload
def open_classifier(model: Model, machine: Processor, view: str = "none") -> OnnxClassifier: ...


@overload
def open_classifier(model: Model, machine: Machine | Processor, view: str = "none") -> Classifier: ...


def open_classifier(model: Model, machine: Machine | Processor, view: str = "none") -> Classifier:
    """Open a model on a machine, ready to be used.

    Args:
        model: An open model.
        machine: What `open_machine` or `choose_machine` returned.
        view: Test-time augmentation: none, mirror or ten_crop.

    Raises:
        CheckpointError: The weights of the model do not fit its network.
        OptionError: The model does not run there, or there is no such view.
        MissingPackageError: The back end is not installed.
    """
    if isinstance(machine, Processor):
        from emonet.inference.onnx_classifier import open_onnx_classifier

        return open_onnx_classifier(model, machine, view)
    from emonet.inference.torch_classifier import TorchClassifier

    if not isinstance(model, Checkpoint):
        raise OptionError(NOT_FOR_TORCH)
    network = model.network().to(machine.device)
    return TorchClassifier(network, model.input, machine, view=view, heads=sizes(model.heads))
