"""`facenet`: facenet-pytorch's InceptionResnetV1, a backbone that tells people apart, with a new head.

Weights are random, or with `pretrained="vggface2"` those of the library, learned on VGGFace2's people and downloaded by
it. They were trained on 160 pixels scaled by (x - 127.5) / 128, which `centred` comes within half a grey level of.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from emonet.models._network import Network
from emonet.models._pretrained import downloading, on_meta_device
from emonet.models.inputs import InputSpec
from facecrop.errors import OptionError
from facecrop.packages import importing


class Facenet(Network):
    """Wrap facenet-pytorch's InceptionResnetV1.

    Args:
        classes: How many logits.
        pretrained: `vggface2`, or None for random weights.
    """

    title = "InceptionResnetV1, made for telling people apart"
    input = InputSpec(size=160, channels=3, scaling="centred")

    def __init__(self, classes: int = 7, *, pretrained: Literal["vggface2"] | None = None) -> None:
        with importing("the model 'facenet'", "emonet[train]"):
            from facenet_pytorch import InceptionResnetV1

        super().__init__()
        if pretrained not in (None, "vggface2"):
            raise OptionError(f"pretrained must be vggface2, or left out, got {pretrained!r}")
        with downloading("facenet-pytorch's weights of vggface2"):
            weights = None if on_meta_device() else pretrained
            self.network = InceptionResnetV1(weights, classify=True, num_classes=classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 160, 160) -> (N, classes)
        logits: Tensor = self.network(x)
        return logits
