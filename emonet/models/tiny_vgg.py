"""`tiny_vgg`: ten narrow convolutions in the manner of VGG, with batch norm at the end of the first three blocks.

Its source reports an F1 of 61 on FER2013's faces that dlib's detector finds. Guesses: max-pooling by 2, pixels from
0 to 1, batch norm after the ReLU of its block's last convolution, no dropout. Widths and dense units are arguments,
because its source searched for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from emonet.models import _like_keras as like_keras
from emonet.models._arguments import check_each, check_whole
from emonet.models._network import Network
from emonet.models.inputs import InputSpec

KERNELS = ((5, 3), (3, 3), (3, 3, 3), (3, 3, 3))  # of the convolutions of each block
DENSE = 2  # dense layers before the output


class TinyVgg(Network):
    """Apply ten narrow convolutions in four blocks, and three dense layers.

    Args:
        classes: How many logits.
        widths: Maps of each block.
        dense: Units of each dense layer before the output.
    """

    title = "10 narrow convolutions in the manner of VGG"
    input = InputSpec(size=48, channels=1, scaling="unit")

    def __init__(
        self,
        classes: int = 7,
        *,
        widths: Sequence[int] = (16, 14, 56, 252),
        dense: Sequence[int] = (343, 343),
    ) -> None:
        super().__init__()
        check_each("widths", widths, len(KERNELS))
        check_each("dense", dense, DENSE)
        for name, values in (("widths", widths), ("dense", dense)):
            for value in values:
                check_whole(name, value)
        first, second = dense
        self.layers = nn.Sequential(
            *_create_blocks(widths),  # (N, width, 3, 3)
            nn.Flatten(),
            nn.Linear(widths[-1] * 3 * 3, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits


def _create_blocks(widths: Sequence[int]) -> list[nn.Module]:
    """Create the blocks; each halves the resolution, and all but the last end with batch norm."""
    layers: list[nn.Module] = []
    for place, (before, width, kernels) in enumerate(zip((1, *widths), widths, KERNELS, strict=False), start=1):
        layers += _create_block(before, width, kernels)
        layers += [like_keras.batch_norm(width)] if place < len(KERNELS) else []
        layers += [nn.MaxPool2d(2)]  # 24, 12, 6 and 3 pixels a side
    return layers


def _create_block(channels_in: int, channels: int, kernels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, kernel in zip((channels_in, *[channels] * len(kernels)), kernels, strict=False):
        layers += [nn.Conv2d(inputs, channels, kernel, padding="same"), nn.ReLU()]
    return layers
