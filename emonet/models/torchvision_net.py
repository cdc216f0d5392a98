"""`torchvision:<name>`: torchvision's image networks (vgg16, resnet50, mobilenet_v2 and others) as baselines.

Weights are random, or with `pretrained` the best that torchvision offers, learned on ImageNet and downloaded by it; the
head is always new. 96 pixels is our choice: ImageNet's 224 are many more than a face of FER2013 has.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from emonet.models._arguments import check_choice, check_switch
from emonet.models._network import Network
from emonet.models._pretrained import downloading, on_meta_device
from emonet.models.inputs import InputSpec
from facecrop.packages import importing

# What ImageNet's networks were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

UNFIT = ("vit_", "maxvit_", "googlenet", "inception_")  # tied to 224 pixels, or answering more than logits


class TorchvisionNet(Network):
    """Wrap an image network of torchvision.

    Args:
        classes: How many logits.
        architecture: Its name in torchvision.
        pretrained: Whether its weights are torchvision's, learned on ImageNet; the head is new.
    """

    title = "an image network by name: torchvision:vgg16, torchvision:resnet18 ..."
    input = InputSpec(size=96, channels=3, scaling="standardised", mean=MEAN, std=STD)

    def __init__(self, classes: int = 7, *, architecture: str = "resnet50", pretrained: bool = False) -> None:
        with importing("the model 'torchvision'", "emonet[train]"):
            from torchvision import models

        super().__init__()
        known = [name for name in models.list_models(module=models) if not name.startswith(UNFIT)]
        check_choice("architecture", architecture, known)
        check_switch("pretrained", pretrained)
        self.network = _create(architecture, num_classes=classes)
        if pretrained and not on_meta_device():
            with downloading(f"torchvision's weights of {architecture}"):
                trained = _create(architecture, weights="DEFAULT").state_dict()
            own = self.network.state_dict()
            fitting = {name: value for name, value in trained.items() if value.shape == own[name].shape}
            self.network.load_state_dict(own | fitting)  # all but the head

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 96, 96) -> (N, classes)
        logits: Tensor = self.network(x)
        return logits


def _create(architecture: str, **arguments: Any) -> nn.Module:
    from torchvision import models

    try:
        network: nn.Module = models.get_model(architecture, **arguments)
    except NotImplementedError:  # regnets read their widths from tensors, which hold no numbers on the meta device
        with torch.device("cpu"):
            network = models.get_model(architecture, **arguments).to("meta")
    return network
