"""MTCNN's three networks as functions from uint8 pictures to numpy arrays.

Three things make them several times faster on a processor than plain calls: channels last (the layout pictures come in
anyway), pooling by the larger of neighbouring slices, and pieces that fit the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facecrop.detectors.mtcnn.boxes import Array, Index
from facecrop.detectors.mtcnn.layers import ONet, PNet, RNet, open_network

Pixels = NDArray[np.uint8]

# Pixels of input that go at a time through the first network and through the others, which have more channels. On a
# processor the activations should stay in the cache; larger tensors would also be asked from the system on every call
# and given back. A GPU wants as much work as fits.
LEVEL_PIXELS = {"cpu": 150_000, "cuda": 8_000_000}
WINDOW_PIXELS = {"cpu": 30_000, "cuda": 8_000_000}
STRIDE = 2  # of the first network, in input pixels
FIELD = 12  # pixels that one answer of the first network sees


def torch_device(device: str) -> str:
    """The device to run on: "auto" is CUDA where torch sees it. Asking for what is not there is an error."""
    kind = device.partition(":")[0]
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind not in LEVEL_PIXELS:
        raise ValueError(f"device must be auto, {' or '.join(LEVEL_PIXELS)}, got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but torch {torch.__version__} sees no CUDA device")
    return device


class Proposals(NamedTuple):
    """Cells of a level that the first network takes for faces."""

    scores: Array  # (n,)
    offsets: Array  # (n, 4), in cells
    places: Index  # (n, 3): image, row, column


class Piece(NamedTuple):
    """Part of a level: its pixels, and the image and the row of answers it begins at."""

    image: int
    row: int
    pixels: Pixels


class Networks:
    """The three networks on one device, in evaluation mode."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.pnet, self.rnet, self.onet = (self._opened(network) for network in (PNet, RNet, ONet))

    def _opened(self, network: type[Any]) -> Any:
        return open_network(network).to(self.device).to(memory_format=torch.channels_last)

    def _input(self, pixels: Pixels) -> Tensor:
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last in memory
        return (x.float() - 127.5) / 128

    @torch.inference_mode()
    def propose(self, level: Pixels, threshold: float) -> Proposals:
        """The cells of a level (N, H, W, 3) that are likely to hold a face."""
        pieces = _pieces(level, LEVEL_PIXELS[self.device.type])
        parts = zip(*(self._propose_piece(piece, threshold) for piece in pieces), strict=True)
        scores, offsets, places = (torch.cat(part).cpu().numpy() for part in parts)
        return Proposals(scores, offsets, places)

    def _propose_piece(self, piece: Piece, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        score, offsets = self._first(self._input(piece.pixels))
        # Of neighbouring cells the best is enough: the next network is asked a third less often and finds no fewer.
        cells = ((score >= threshold) & (score == _window_maximum(score))).nonzero()  # (n, 3)
        image, row, column = cells.unbind(1)
        places = cells + torch.tensor([piece.image, piece.row, 0], device=cells.device)
        return score[image, row, column], offsets[image, :, row, column], places

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net = self.pnet
        x = net.prelu1(net.conv1(x))  # (N, 10, H-2, W-2)
        x = torch.maximum(x[:, :, 0::2], x[:, :, 1::2])
        x = torch.maximum(x[..., 0::2], x[..., 1::2])  # (N, 10, H/2-1, W/2-1): max-pool 2
        x = net.prelu2(net.conv2(x))
        x = net.prelu3(net.conv3(x))  # (N, 32, H/2-5, W/2-5)
        no_face, face = net.conv4_1(x).unbind(1)
        return torch.sigmoid(face - no_face), net.conv4_2(x)  # softmax of two

    def judge(self, cuts: Pixels) -> tuple[Array, Array]:
        """Second network, cuts of 24 pixels: scores (n,) and offsets (n, 4)."""
        offsets, probabilities = self._batched(self.rnet, cuts)
        return probabilities[:, 1], offsets

    def describe(self, cuts: Pixels) -> tuple[Array, Array, Array]:
        """Third network, cuts of 48 pixels: scores (n,), offsets (n, 4), landmarks (n, 10: five x, then five y)."""
        offsets, landmarks, probabilities = self._batched(self.onet, cuts)
        return probabilities[:, 1], offsets, landmarks

    @torch.inference_mode()
    def _batched(self, network: Any, cuts: Pixels) -> list[Array]:
        step = WINDOW_PIXELS[self.device.type] // cuts[0, ..., 0].size
        pieces = [cuts[start : start + step] for start in range(0, len(cuts), step)]
        answers = [network(self._input(piece)) for piece in pieces]
        return [torch.cat(parts).cpu().numpy() for parts in zip(*answers, strict=True)]


def _window_maximum(score: Tensor) -> Tensor:
    """The largest of each score and its eight neighbours: (N, h, w)."""
    x = functional.pad(score, (1, 1, 1, 1), value=0.0)
    x = torch.maximum(torch.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])
    return torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])


def _pieces(level: Pixels, pixels: int) -> Iterator[Piece]:
    """The level some pictures or some rows at a time.

    Neighbouring strips of rows share those that an answer sees beyond its own, so that none is missing.
    """
    count, height, width = level.shape[:3]
    if height * width <= pixels:
        step = max(1, pixels // (height * width))
        for first in range(0, count, step):
            yield Piece(first, 0, level[first : first + step])
        return
    rows = max(STRIDE, pixels // width // STRIDE * STRIDE)
    shared = FIELD - STRIDE
    for image in range(count):
        for top in range(0, height - shared, rows):
            yield Piece(image, top // STRIDE, level[image : image + 1, top : top + rows + shared])
