"""`lenet28`: two small convolutions on images of 28 pixels, after TensorFlow's first tutorial.

Its source reports 48.8 % on a random fifth of an altered FER2013 (disgust repeated four times), which cannot be
compared with any other figure. The run that printed it had a dense layer of 64 units and pixels from 0 to 1, the
defaults here; its text has 3,136 units (2,490,551 parameters) and (x - 128) / 128. Weights begin normally distributed
with a deviation of 0.1, cut at two deviations, and biases at 1. Guesses: the convolutions are padded to keep the size;
the output begins likewise.
"""

from __future__ import annotations

from torch import Tensor, nn

from emonet.models._arguments import check_whole
from emonet.models._network import Network
from emonet.models.inputs import InputSpec


class Lenet28(Network):
    """Apply two small convolutions and a dense layer.

    Args:
        classes: How many logits.
        hidden: Units of the dense layer.
    """

    title = "2 convolutions of 16 maps on images of 28 pixels"
    input = InputSpec(size=28, channels=1, scaling="unit")

    def __init__(self, classes: int = 7, *, hidden: int = 64) -> None:
        super().__init__()
        check_whole("hidden", hidden)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding="same"),  # (N, 16, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 16, 14, 14)
            nn.Conv2d(16, 16, 5, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 16, 7, 7)
            nn.Flatten(),  # (N, 784)
            nn.Linear(784, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )
        for name, tensor in self.named_parameters():
            if name.endswith("weight"):
                nn.init.trunc_normal_(tensor, std=0.1, a=-0.2, b=0.2)
            else:
                nn.init.ones_(tensor)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 28, 28) -> (N, classes)
        logits: Tensor = self.layers(x)
        return logits
