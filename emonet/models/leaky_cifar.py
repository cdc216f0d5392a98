"""`leaky_cifar`: two wide convolutions and three dense layers, the benchmark of the source of `apl_fmp`.

It reports 50.17 % (F1 36.55) on six classes of FER2013, without disgust. Guesses: its convolutions are unpadded
(`padding="same"` makes 28,461,510 parameters of 23,939,526), and its dense layers, whose activation is not stated, leak
by the same 0.2 as the convolutions.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from emonet.models import _like_keras as like_keras
from emonet.models._arguments import check_choice, check_dropout
from emonet.models._network import Network
from emonet.models.inputs import InputSpec

Padding = Literal["valid", "same"]

LEAK = 0.2


class LeakyCifar(Network):
    """Apply two wide convolutions and three dense layers.

    Args:
        classes: How many logits.
        padding: Of the convolutions, valid or same.
        dropout: Share of the units behind the first two dense layers that is dropped.
    """

    title = "2 wide convolutions, 3 dense layers"
    input = InputSpec(size=48, channels=1, scaling="unit")

    def __init__(self, classes: int = 6, *, padding: Padding = "valid", dropout: float = 0.3) -> None:
        super().__init__()
        check_choice("padding", padding, get_args(Padding))
        check_dropout("dropout", dropout)
        side = 22 if padding == "valid" else 24
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=padding),  # (N, 64, 46, 46)
            nn.LeakyReLU(LEAK),
            nn.Conv2d(64, 128, 3, padding=padding),  # (N, 128, 44, 44)
            nn.LeakyReLU(LEAK),
            nn.MaxPool2d(2),  # (N, 128, 22, 22)
            nn.Flatten(),
            nn.Linear(128 * side**2, 384),
            nn.LeakyReLU(LEAK),
            nn.Dropout(dropout),
            nn.Linear(384, 192),
            nn.LeakyReLU(LEAK),
            nn.Dropout(dropout),
            nn.Linear(192, classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits
