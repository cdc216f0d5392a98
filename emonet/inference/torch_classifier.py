"""Classify faces with torch: from pixels to probabilities, in batches, on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.heads import softmax_heads
from emonet.inference.devices import Machine
from emonet.inference.views import find_view
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 512
CPU_BATCH = 128  # faces whose activations still fit a processor's caches


@dataclass(frozen=True, slots=True, eq=False)
class TorchClassifier:
    """Turn faces into probabilities, in float32.

    The probabilities of several heads stand side by side: `Checkpoint.choice` makes one answer of them.

    Attributes:
        network: The network, on the device.
        spec: The crops that it takes, and how they are scaled.
        machine: The device and the precision.
        batch_size: Faces that are classified together; None takes what suits the device.
        view: Test-time augmentation: the probabilities are the mean over the views of this name.
        heads: How many classes each head has; one head if empty.
    """

    network: nn.Module
    spec: InputSpec
    machine: Machine
    batch_size: int | None = None
    view: str = "none"
    heads: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        find_view(self.view)

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify faces (N, size, size, channels): probabilities (N, all heads' classes)."""
        import torch

        self.network.eval()
        size = self.batch_size or (CPU_BATCH if self.machine.device.type == "cpu" else BATCH)
        with torch.inference_mode():
            pieces = [self._probabilities(piece) for piece in torch.split(images_as_tensor(pixels), size)]
            return np.asarray(torch.cat(pieces).cpu().numpy(), np.float32)

    def _probabilities(self, piece: Tensor) -> Tensor:
        return self.answers(self.spec.scale(piece.to(self.machine.device)))

    def answers(self, x: Tensor) -> Tensor:
        """Classify one batch of scaled faces that is on the device already.

        The caller sets the network to evaluation, and switches gradients off.

        Args:
            x: Faces (N, channels, size, size), scaled by `spec`.

        Returns:
            Probabilities (N, all heads' classes), in float32.
        """
        import torch

        views = find_view(self.view)(x)
        with self.machine.autocast():
            logits = [self.network(x.contiguous(memory_format=torch.channels_last)) for x in views]
        return torch.stack([softmax_heads(one.float(), self.heads) for one in logits]).mean(0)


def images_as_tensor(pixels: Pixels) -> Tensor:
    """Turn images (N, height, width, channels) into a tensor with channels first, a view."""
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
