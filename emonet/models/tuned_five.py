"""`tuned_five`: five layers whose activations, widths and dropout were searched for, on CK+.

Its source reports 21, 48 and 68 % on CK+ alone, tanh being its best activation, and publishes no sizes. So these are
our choice: 48 pixels, grey, from 0 to 1; convolutions of 3x3 with 32, 64 and 128 maps, padded, each with max-pooling
by 2; a dense layer of 128; tanh everywhere; no dropout. The fifth layer is the output. The
space `ckplus_team` of `emonet tune` searches what its source searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from emonet.models import _like_keras as like_keras
from emonet.models._arguments import check_choice, check_dropout, check_each, check_whole
from emonet.models._network import Network
from emonet.models.inputs import InputSpec

Activation = Literal["relu", "elu", "tanh"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}
HIDDEN = 4  # three convolutions and a dense layer


class TunedFive(Network):
    """Apply three convolutions and a dense layer, each with an activation of its own.

    Args:
        classes: How many logits.
        widths: Maps, or units, of each layer before the output.
        activations: relu, elu or tanh, for each layer before the output.
        dropout: Share that is dropped behind each layer before the output.
    """

    title = "3 convolutions and a dense layer, each with an activation of its own"
    input = InputSpec(size=48, channels=1, scaling="unit")

    def __init__(
        self,
        classes: int = 7,
        *,
        widths: Sequence[int] = (32, 64, 128, 128),
        activations: Sequence[Activation] = ("tanh", "tanh", "tanh", "tanh"),
        dropout: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        super().__init__()
        for name, values in (("widths", widths), ("activations", activations), ("dropout", dropout)):
            check_each(name, values, HIDDEN)
        for width, activation, share in zip(widths, activations, dropout, strict=True):
            check_whole("widths", width)
            check_choice("activations", activation, get_args(Activation))
            check_dropout("dropout", share)
        layers: list[nn.Module] = []
        for inputs, width, activation, share in zip((1, *widths), widths[:3], activations, dropout, strict=False):
            layers += [nn.Conv2d(inputs, width, 3, padding="same"), ACTIVATIONS[activation](), nn.MaxPool2d(2)]
            layers += [nn.Dropout(share)]  # (N, width, 24, 24), then 12 and 6 pixels a side
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(widths[2] * 6 * 6, widths[3]),
            ACTIVATIONS[activations[3]](),
            nn.Dropout(dropout[3]),
            nn.Linear(widths[3], classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits
