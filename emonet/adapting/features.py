"""What the last layer of a network is given, for each face and its mirror image, and what its heads answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emonet.errors import OptionError
from emonet.heads import sizes, softmax_heads
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import Machine
from emonet.inference.torch_classifier import CPU_BATCH, images_as_tensor
from emonet.inference.views import find_view
from emonet.models import Network
from emonet.models.inputs import Pixels
from emonet.review.features import recording_features

VIEW = "mirror"  # as `emonet predict` looks at faces
SAME = 1e-2  # by which the last layer's logits may miss the network's, of numbers of some tens

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What a network makes of faces.

    Attributes:
        values: What the last layer is given for each view of each face (N, views, D).
        probabilities: Of all heads side by side, averaged over the views (N, all heads' classes).
    """

    values: Array
    probabilities: NDArray[np.float32]

    def part(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Features:
        """Return those of some faces, given as a mask or as rows."""
        return Features(self.values[rows], self.probabilities[rows])


def find_last_layer(network: Network, checkpoint: Checkpoint) -> str:
    """Find the dense layer whose outputs are the logits, which takes the rows of a new head.

    Raises:
        OptionError: The network ends in another way.
    """
    dense = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    last = next(reversed(dense), "")
    if not last or dense[last].bias is None or dense[last].out_features != sum(sizes(checkpoint.heads)):
        raise make_error(checkpoint)
    return last


def make_error(checkpoint: Checkpoint) -> OptionError:
    """Make the error for a network whose last layer cannot take a new head."""
    return OptionError(
        f"the network {checkpoint.model!r} cannot be adapted: its logits are not those of one last dense layer, which "
        "a new head could be added to"
    )


def compute_features(checkpoint: Checkpoint, layer: str, pixels: Pixels, machine: Machine) -> Features:
    """Let a network look at faces and at their mirror images.

    Args:
        checkpoint: The model.
        layer: Its last layer, of `find_last_layer`.
        pixels: Faces as the network sees them (N, size, size, channels).
        machine: Where the network runs.

    Raises:
        OptionError: The logits of the network are not those of the layer.
    """
    network = checkpoint.network().to(machine.device)
    weights, bias = (checkpoint.weights[f"{layer}.{part}"] for part in ("weight", "bias"))
    values, probabilities = [], []
    with recording_features(network) as recorded, torch.inference_mode():
        for piece in torch.split(images_as_tensor(pixels), CPU_BATCH):
            of_views, answers = [], []
            for x in find_view(VIEW)(checkpoint.input.scale(piece.to(machine.device))):
                logits = network(x.contiguous(memory_format=torch.channels_last)).float()
                found = recorded()
                if found.shape != (len(piece), weights.shape[1]) or not _fit(found @ weights.T + bias, logits):
                    raise make_error(checkpoint)
                of_views.append(found)
                answers.append(softmax_heads(logits, sizes(checkpoint.heads)).cpu().numpy())
            values.append(np.stack(of_views, axis=1))
            probabilities.append(np.mean(answers, axis=0))
    return Features(np.concatenate(values).astype(np.float64), np.concatenate(probabilities).astype(np.float32))


def _fit(ours: NDArray[np.floating], theirs: torch.Tensor) -> bool:
    return bool(np.allclose(ours, theirs.cpu().numpy(), rtol=SAME, atol=SAME))
