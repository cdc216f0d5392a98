"""`tiny_vgg`: ten narrow convolutions in the manner of VGG, with batch norm at the end of the first three blocks.

Its source reports an F1 of 61 on FER2013's faces that dlib's detector finds. Guesses: max-pooling by 2, pixels from
0 to 1, batch norm after the ReLU of its block's last convolution, no dropout.
"""

from __future__ import annotations

from torch import Tensor, nn

from emonet.models import _like_keras as like_keras
from emonet.models._network import Network
from emonet.models.inputs import InputSpec


class TinyVgg(Network):
    """Apply ten narrow convolutions in four blocks, and three dense layers.

    Args:
        classes: How many logits.
    """

    title = "10 narrow convolutions in the manner of VGG"
    input = InputSpec(size=48, channels=1, scaling="unit")

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_create_block(1, 16, kernels=(5, 3)),
            like_keras.batch_norm(16),
            nn.MaxPool2d(2),  # (N, 16, 24, 24)
            *_create_block(16, 14, kernels=(3, 3)),
            like_keras.batch_norm(14),
            nn.MaxPool2d(2),  # (N, 14, 12, 12)
            *_create_block(14, 56, kernels=(3, 3, 3)),
            like_keras.batch_norm(56),
            nn.MaxPool2d(2),  # (N, 56, 6, 6)
            *_create_block(56, 252, kernels=(3, 3, 3)),
            nn.MaxPool2d(2),  # (N, 252, 3, 3)
            nn.Flatten(),  # (N, 2268)
            nn.Linear(2268, 343),
            nn.ReLU(),
            nn.Linear(343, 343),
            nn.ReLU(),
            nn.Linear(343, classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits


def _create_block(channels_in: int, channels: int, kernels: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, kernel in zip((channels_in, *[channels] * len(kernels)), kernels, strict=False):
        layers += [nn.Conv2d(inputs, channels, kernel, padding="same"), nn.ReLU()]
    return layers
