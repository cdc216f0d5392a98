"""MTCNN's three networks (Zhang et al. 2016), with the weights that lie in facenet-pytorch's wheel.

The wheel is not imported, only its weight files are read: importing it takes longer than searching a small album,
because it loads torchvision and torch's compiler. The layers have the names that they have in the weight files.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facecrop.packages import find_data


class PNet(nn.Module):
    """The layers of the first network; `networks.py` runs them in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)


class RNet(nn.Module):
    """(N, 3, 24, 24) -> offsets (N, 4), probabilities of no face and of a face (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.pool(self.prelu1(self.conv1(x)))  # (N, 28, 11, 11)
        x = self.pool(self.prelu2(self.conv2(x)))  # (N, 48, 4, 4)
        x = self.prelu3(self.conv3(x))  # (N, 64, 3, 3)
        x = self.prelu4(self.dense4(_flatten(x)))
        return self.dense5_2(x), self.dense5_1(x).softmax(dim=1)


class ONet(nn.Module):
    """(N, 3, 48, 48) -> offsets (N, 4), landmarks (N, 10), probabilities of no face and of a face (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)
        self.pool, self.last_pool = nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.pool(self.prelu1(self.conv1(x)))  # (N, 32, 23, 23)
        x = self.pool(self.prelu2(self.conv2(x)))  # (N, 64, 10, 10)
        x = self.last_pool(self.prelu3(self.conv3(x)))  # (N, 64, 4, 4)
        x = self.prelu4(self.conv4(x))  # (N, 128, 3, 3)
        x = self.prelu5(self.dense5(_flatten(x)))
        return self.dense6_2(x), self.dense6_3(x), self.dense6_1(x).softmax(dim=1)


def _flatten(x: Tensor) -> Tensor:
    """Flatten (N, C, H, W) to (N, W H C), the order of the weights, which came from Caffe."""
    return x.permute(0, 3, 2, 1).flatten(1)


def open_network(kind: type[nn.Module]) -> nn.Module:
    """Open a network with its weights, in evaluation mode."""
    with torch.device("meta"):  # no numbers are drawn: the weights come next
        network = kind()
    name = f"{kind.__name__.lower()}.pt"
    path = find_data("the detector 'mtcnn'", "emonet[train]", "facenet_pytorch", "data", name)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    return network.eval().requires_grad_(False)
