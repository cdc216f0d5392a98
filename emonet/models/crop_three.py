"""`crop_three`: random crops of 42 pixels, three convolutions and one large dense layer.

Its source reports 64 to 65 % of FER2013's PrivateTest, and 67.17 % with five of them averaged (`averaged`). Guesses:
LeakyReLU leaks by Keras' 0.3; batch norm stands before it. The source tried a 3x3 convolution in front and a further
dense layer of 1,000 units without saying more: here the convolution has 32 padded maps, batch norm and LeakyReLU like
the others, and the dense layer a LeakyReLU.
"""

from __future__ import annotations

from torch import Tensor, nn

from emonet.models import _like_keras as like_keras
from emonet.models._arguments import check_dropout, check_switch
from emonet.models._crops import Crop
from emonet.models._network import Network
from emonet.models.inputs import InputSpec


class CropThree(Network):
    """Crop at random, and apply three convolutions and a large dense layer.

    Args:
        classes: How many logits.
        batch_norm: Whether batch norm follows each convolution.
        extra_conv: Whether there is a further convolution in front.
        extra_dense: Whether there is a further dense layer.
        dropout: Share of the units before the dense layers that is dropped.
    """

    title = "random crops, 3 convolutions, a dense layer of 3,072"
    input = InputSpec(size=48, channels=1, scaling="standardised")

    def __init__(
        self,
        classes: int = 7,
        *,
        batch_norm: bool = True,
        extra_conv: bool = False,
        extra_dense: bool = False,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        for name, value in (("batch_norm", batch_norm), ("extra_conv", extra_conv), ("extra_dense", extra_dense)):
            check_switch(name, value)
        check_dropout("dropout", dropout)
        first = 32 if extra_conv else 1
        last = 1000 if extra_dense else 3072
        self.layers = nn.Sequential(
            Crop(42),  # (N, 1, 42, 42)
            *(_create_convolution(1, 32, 3, 1, batch_norm) if extra_conv else ()),
            *_create_convolution(first, 32, 5, 2, batch_norm),  # (N, 32, 42, 42)
            nn.MaxPool2d(2),  # (N, 32, 21, 21)
            *_create_convolution(32, 32, 4, 1, batch_norm),  # (N, 32, 20, 20)
            nn.AvgPool2d(2),  # (N, 32, 10, 10)
            *_create_convolution(32, 64, 5, 2, batch_norm),  # (N, 64, 10, 10)
            nn.AvgPool2d(2),  # (N, 64, 5, 5)
            nn.Flatten(),  # (N, 1600)
            nn.Dropout(dropout),
            nn.Linear(1600, 3072),
            nn.LeakyReLU(like_keras.LEAK),
            *((nn.Linear(3072, last), nn.LeakyReLU(like_keras.LEAK)) if extra_dense else ()),
            nn.Linear(last, classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits


def _create_convolution(channels_in: int, channels: int, kernel: int, padding: int, normed: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels, kernel, padding=padding)
    return [convolution, *([like_keras.batch_norm(channels)] if normed else []), nn.LeakyReLU(like_keras.LEAK)]
