"""MTCNN's three networks as functions from uint8 pictures to numpy arrays: the only module that knows facenet-pytorch.

facenet-pytorch brings the layers and their weights in its wheel; its own detection code is not used. Three things
make the first network, which sees every pixel of every level, several times faster on a processor than a plain call:
channels last (the layout pictures come in anyway), pooling by the larger of neighbouring slices, and strips that fit
the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Pixels of input that go through a network at a time. On a processor the activations stay in the cache; more would
# also have the allocator return and ask for memory on every call. A GPU wants as much work as fits.
PIECE_PIXELS = {"cpu": 48_000, "cuda": 8_000_000}
STRIDE = 2  # of the first network, in input pixels
FIELD = 12  # pixels that one answer of the first network sees


def torch_device(device: str) -> str:
    """The device to run on: "auto" is CUDA where torch sees it. Asking for what is not there is an error."""
    kind = device.partition(":")[0]
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind not in PIECE_PIXELS:
        raise ValueError(f"device must be auto, {' or '.join(PIECE_PIXELS)}, got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but torch {torch.__version__} sees no CUDA device")
    return device


class Networks:
    """The three networks on one device, in evaluation mode."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.piece_pixels = PIECE_PIXELS[self.device.type]
        self.pnet, self.rnet, self.onet = (self._opened(network) for network in (PNet, RNet, ONet))

    def _opened(self, network: type[Any]) -> Any:
        return network().eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    def _input(self, pixels: Pixels) -> Tensor:
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last in memory
        return (x.float() - 127.5) / 128

    @torch.inference_mode()
    def propose(self, level: Pixels, threshold: float) -> tuple[Array, Array, NDArray[np.int64]]:
        """Cells of a level (N, H, W, 3) likely to hold a face: scores (n,), offsets (n, 4) and (image, row, column)."""
        found = []
        for first_image, first_row, strip in _pieces(level, self.piece_pixels):
            score, offsets = self._first(self._input(strip))
            cells = ((score >= threshold) & (score == _window_maximum(score))).nonzero()  # (n, 3)
            image, row, column = cells.unbind(1)
            places = cells + torch.tensor([first_image, first_row, 0], device=cells.device)
            found.append((score[image, row, column], offsets[image, :, row, column], places))
        scores, moves, where = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
        return scores, moves, where

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net = self.pnet
        x = net.prelu1(net.conv1(x))  # (N, 10, H-2, W-2)
        x = torch.maximum(x[:, :, 0::2], x[:, :, 1::2])
        x = torch.maximum(x[..., 0::2], x[..., 1::2])  # (N, 10, H/2-1, W/2-1): max-pool 2
        x = net.prelu2(net.conv2(x))
        x = net.prelu3(net.conv3(x))  # (N, 32, H/2-5, W/2-5)
        no_face, face = net.conv4_1(x).unbind(1)
        return torch.sigmoid(face - no_face), net.conv4_2(x)  # softmax of two

    @torch.inference_mode()
    def judge(self, cuts: Pixels) -> tuple[Array, Array]:
        """Second network, cuts of 24 pixels: scores (n,) and offsets (n, 4)."""
        offsets, probabilities = self._batched(self.rnet, cuts)
        return probabilities[:, 1], offsets

    @torch.inference_mode()
    def describe(self, cuts: Pixels) -> tuple[Array, Array, Array]:
        """Third network, cuts of 48 pixels: scores (n,), offsets (n, 4), landmarks (n, 10: five x, then five y)."""
        offsets, landmarks, probabilities = self._batched(self.onet, cuts)
        return probabilities[:, 1], offsets, landmarks

    def _batched(self, network: Any, cuts: Pixels) -> list[Array]:
        step = self.piece_pixels // cuts[0, ..., 0].size
        answers = [network(self._input(cuts[start : start + step])) for start in range(0, len(cuts), step)]
        return [torch.cat(parts).cpu().numpy() for parts in zip(*answers, strict=True)]


def _window_maximum(score: Tensor) -> Tensor:
    """The largest of each score and its eight neighbours: (N, h, w)."""
    x = functional.pad(score, (1, 1, 1, 1), value=0.0)
    x = torch.maximum(torch.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])
    return torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])


def _pieces(level: Pixels, pixels: int) -> Iterator[tuple[int, int, Pixels]]:
    """The level some pictures or some rows at a time, with the picture and the answer row each piece begins at.

    Neighbouring strips share the rows that an answer sees beyond its own, so the answers are those of one pass.
    """
    count, height, width = level.shape[:3]
    if height * width <= pixels:
        step = max(1, pixels // (height * width))
        for first in range(0, count, step):
            yield first, 0, level[first : first + step]
        return
    rows = max(STRIDE, pixels // width // STRIDE * STRIDE)
    shared = FIELD - STRIDE
    for image in range(count):
        for top in range(0, height - shared, rows):
            yield image, top // STRIDE, level[image : image + 1, top : top + rows + shared]
