"""Why a network answered as it did: where on the picture its evidence lies, and what its convolutions make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emonet.errors import OptionError
from emonet.explaining._tracing import Mark, check_convolutions, check_pictures, tracing
from emonet.models import Network
from emonet.models.averaged import Averaged

Maps = NDArray[np.float32]
Picture = NDArray[np.uint8]

OPAQUE = 0.7  # how much colour hides of a picture at most


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps:
    """What one convolution made of a picture, each (channels, height, width)."""

    name: str  # of the module, with dots
    before: Maps  # its own answer
    after: Maps | None  # what the activation made of that; None where another convolution, or the end, comes first

    def __post_init__(self) -> None:
        if self.before.ndim != 3 or (self.after is not None and self.after.shape != self.before.shape):
            shapes = self.before.shape, None if self.after is None else self.after.shape
            raise OptionError(f"maps before and after must be (channels, height, width) alike, got {shapes}")


def grad_cam(network: Network, x: Tensor, places: Sequence[int] | Tensor) -> Maps:
    """Grad-CAM (Selvaraju et al., 2017): what in scaled pictures (N, C, H, W) speaks for the class at each place.

    Gives (N, H, W), each map from 0 to 1, or 0 everywhere if nothing speaks for the class. It is that of the last maps
    of at least 4 pixels a side (of smaller ones, only if there are no others), enlarged so that each of their pixels
    lies in the middle of what it sees. What a network crops off gets the values at the edge of what it keeps.
    Members of an ensemble have an equal say in its answer, and so in its map: it is the mean of theirs.
    """
    check_convolutions(network)
    check_pictures(network, x)
    wanted = torch.as_tensor(places, dtype=torch.long, device=x.device)
    if wanted.shape != x.shape[:1]:
        raise OptionError(f"places must name a class for each of {len(x)} pictures, got {tuple(wanted.shape)}")
    maps = _evidence(network, x, wanted)
    highest = maps.max(axis=(1, 2), keepdims=True)
    scaled: Maps = np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
    return scaled


def _evidence(network: Network, x: Tensor, places: Tensor) -> Maps:
    """Maps from 0 to any height, on x."""
    if isinstance(network, Averaged):
        members = [cast(Network, member) for member in network.members]
        mean: Maps = np.stack([grad_cam(member, x, places) for member in members]).mean(0)
        return mean
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_()  # of the parameters, none may want a gradient
        places = places.clone()  # as x is: what was made in inference mode cannot be used otherwise
        with tracing(network, x) as traced:
            scores = network(x)
        if places.min() < 0 or places.max() >= scores.shape[1]:
            raise OptionError(f"places must be from 0 to {scores.shape[1] - 1}, got {places.tolist()}")
        if traced.deepest is None:
            raise OptionError(f"pictures of {x.shape[3]}x{x.shape[2]} leave {type(network).__name__} maps of one pixel")
        (slopes,) = torch.autograd.grad(scores.gather(1, places[:, None]).sum(), traced.deepest)
    evidence = (slopes.mean((2, 3), keepdim=True) * traced.deepest.detach()).sum(1).relu()
    evidence = evidence.view(-1, len(x), *evidence.shape[1:]).mean(0)  # of all draws, where there are several
    return _enlarged(evidence.float().numpy(force=True), traced.of(traced.deepest), (x.shape[2], x.shape[3]))


def _enlarged(maps: Maps, mark: Mark, sides: tuple[int, int]) -> Maps:
    """Linearly between the middles of pixels; beyond the outermost, what is there."""
    down, across = (_weights(*each) for each in zip(sides, maps.shape[1:], mark.start, mark.step, strict=True))
    return (down @ maps @ across.T).astype(np.float32)


def _weights(length: int, count: int, start: float, step: float) -> NDArray[np.float64]:
    """How much each of `count` pixels of a map gives to each of `length` of the picture."""
    middles = start + step * np.arange(count)
    return np.stack([np.interp(np.arange(length), middles, row) for row in np.eye(count)], axis=1)


def under_heat(image: Picture, heat: Maps) -> Picture:
    """A picture (height, width, 3) under colour that hides more of it where a map (height, width) is hotter."""
    import cv2

    colours = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    share = OPAQUE * heat[..., None]
    return ((1 - share) * image + share * colours).astype(np.uint8)


def feature_maps(network: Network, x: Tensor) -> list[FeatureMaps]:
    """The maps of one scaled picture (1, C, H, W), of every convolution in the order they ran.

    Those of a single pixel are left out: they weigh channels, and there is nothing to see.
    """
    check_convolutions(network)
    check_pictures(network, x)
    if len(x) != 1:
        raise OptionError(f"feature maps are those of one picture, got {len(x)}")
    with torch.no_grad(), tracing(network, x, copying=True) as traced:
        network(x)
    return [
        FeatureMaps(one.name, _first(one.before), None if one.after is None else _first(one.after))
        for one in traced.convolutions
        if max(one.before.shape[2:]) > 1
    ]


def _first(maps: Tensor) -> Maps:
    return np.asarray(maps[0].float().numpy(force=True), np.float32)
