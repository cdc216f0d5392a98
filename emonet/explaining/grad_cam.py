"""Grad-CAM: where on an image a network finds its evidence for a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emonet.errors import OptionError
from emonet.models import Network
from emonet.models._crops import Crop
from emonet.models._network import evaluating, observing
from emonet.models.averaged import Averaged

Maps = NDArray[np.float32]
Size = tuple[int, int]  # height, width
Grid = NDArray[np.float64]  # [start, step], each (y, x): where the pixels of maps lie on the image, in its pixels

SMALLEST = 4  # pixels a side of maps that still tell places apart: each pixel of smaller ones sees most of the image
OPAQUE = 0.7  # how much of the image the colour hides at most


def grad_cam(network: Network, x: Tensor, classes: Sequence[int] | Tensor) -> Maps:
    """Compute the evidence for a class in each image (Grad-CAM).

    This is the method of Selvaraju et al. (2017). A map is made from the last feature maps of at least 4 pixels a side
    (from smaller ones if there are no others). It is enlarged so that each of its pixels lies in the middle of what
    that pixel sees. The map of an ensemble is the mean of the maps of its members.

    Args:
        network: Any network with convolutions. It is left as it was.
        x: Scaled images (N, C, H, W), on the device of the network.
        classes: For each image the index of the logit to explain.

    Returns:
        Maps (N, H, W) from 0 to 1; a map is 0 everywhere if nothing in the image speaks for the class.

    Raises:
        OptionError: The network has no convolution, or x or classes do not fit it.
    """
    check_network(network, x)
    wanted = torch.as_tensor(classes, dtype=torch.long, device=x.device)
    if wanted.shape != x.shape[:1]:
        raise OptionError(f"classes must be one index for each of {len(x)} images, got {tuple(wanted.shape)}")
    if isinstance(network, Averaged):
        return scale_maps(np.stack([grad_cam(cast(Network, one), x, wanted) for one in network.members]).mean(0))
    return scale_maps(_find_evidence(network, x, wanted))


def check_network(network: Network, x: Tensor) -> None:
    """Refuse a network without convolutions, and images that do not fit it."""
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        reason = ": it memorises images" if network.fit == "memorise" else ""
        raise OptionError(f"{type(network).__name__} has no convolution that could be looked into{reason}")
    if x.ndim != 4 or x.shape[1] != network.input.channels or not len(x):
        channels = network.input.channels
        raise OptionError(f"x must be scaled images (N, {channels}, height, width), got {tuple(x.shape)}")


def scale_maps(maps: Maps) -> Maps:
    """Divide each map by its highest value; maps of zeros stay so."""
    highest = maps.max(axis=(1, 2), keepdims=True)
    scaled: Maps = np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
    return scaled


def overlay_heat(image: NDArray[np.uint8], heat: Maps) -> NDArray[np.uint8]:
    """Colour an image (height, width, 3) by a map (height, width).

    The higher the map, the more the colour hides.
    """
    import cv2

    colours = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    share = OPAQUE * heat[..., None]
    return ((1 - share) * image + share * colours).astype(np.uint8)


def _find_evidence(network: Network, x: Tensor, classes: Tensor) -> Maps:
    """Compute maps (N, H, W) from 0 to any height."""
    last = _LastMaps(x)
    with torch.inference_mode(False), torch.enable_grad(), evaluating(network):
        x = x.detach().clone().requires_grad_()  # the parameters may want no gradients
        classes = classes.clone()  # tensors that were made in inference mode cannot be used here
        with observing(network, last.observe):
            logits = network(x)
        if classes.min() < 0 or classes.max() >= logits.shape[1]:
            raise OptionError(f"classes must be from 0 to {logits.shape[1] - 1}, got {classes.tolist()}")
        if last.maps is None:
            raise OptionError(f"images of {x.shape[3]}x{x.shape[2]} leave {type(network).__name__} maps of one pixel")
        (gradients,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), last.maps)
    evidence = (gradients.mean((2, 3), keepdim=True) * last.maps.detach()).sum(1).relu()
    evidence = evidence.view(-1, len(x), *evidence.shape[1:]).mean(0)  # networks may answer several draws of a batch
    return _enlarge(evidence.float().numpy(force=True), last.grid(_size(last.maps)), _size(x))


class _LastMaps:
    """Find the last maps that tell places apart, and where maps of each size lie on the image."""

    def __init__(self, x: Tensor) -> None:
        self.maps: Tensor | None = None
        self._sizes: set[Size] = set()  # that convolutions made
        self._latest = _size(x)
        self._grids: dict[Size, list[Grid]] = {self._latest: [np.array([[0.0, 0.0], [1.0, 1.0]])]}

    def observe(self, _name: str, module: nn.Module, x: Tensor, y: Tensor) -> None:
        if x.ndim != 4 or y.ndim != 4:
            return
        before, after = _size(x), _size(y)
        if after != before and not any(module.children()):
            self._grids.setdefault(after, []).append(_place(module, self.grid(before), before, after))
            self._latest = after
        if isinstance(module, nn.Conv2d):
            self._sizes.add(after)
        smallest = 2 if self.maps is None else min(SMALLEST, *_size(self.maps))
        if after in self._sizes and min(after) >= smallest:  # also those behind batch norm, activation or a sum
            self.maps = y

    def grid(self, size: Size) -> Grid:
        """Take the mean of all ways that lead to maps of this size; other maps cover the same as the latest."""
        if size in self._grids:
            mean: Grid = np.mean(self._grids[size], axis=0)
            return mean
        return _cover(self.grid(self._latest), self._latest, size)


def _place(module: nn.Module, grid: Grid, before: Size, after: Size) -> Grid:
    """Find where the maps of a module lie, from where its input lies."""
    start, step = grid
    if isinstance(module, Crop):
        return np.array([start + step * ((np.array(before) - after) // 2), step])
    if isinstance(module, nn.Conv2d):
        padding = 0 if isinstance(module.padding, str) else np.array(module.padding)
        reach = np.array(module.dilation) * (np.array(module.kernel_size) - 1) / 2 - padding
        return np.array([start + step * reach, step * module.stride])
    return _cover(grid, before, after)


def _cover(grid: Grid, before: Size, after: Size) -> Grid:
    """Spread fewer or more pixels over the same part of the image."""
    start, step = grid
    wider = step * before / after
    return np.array([start + (wider - step) / 2, wider])


def _enlarge(maps: Maps, grid: Grid, size: Size) -> Maps:
    """Interpolate between the middles of a map's pixels; beyond the outermost, repeat the edge."""
    down, across = (_weigh(*each) for each in zip(size, maps.shape[1:], *grid, strict=True))
    return (down @ maps @ across.T).astype(np.float32)


def _weigh(length: int, count: int, start: float, step: float) -> NDArray[np.float64]:
    """Compute how much each of `count` pixels of a map gives to each of `length` pixels of the image."""
    middles = start + step * np.arange(count)
    return np.stack([np.interp(np.arange(length), middles, row) for row in np.eye(count)], axis=1)


def _size(x: Tensor) -> Size:
    return x.shape[2], x.shape[3]
