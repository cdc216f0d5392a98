"""A map of the faces: what the network's last layer is given, in two dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from emonet.models import Network
from emonet.models._network import observing
from emonet.review.options import MapMethod
from facecrop.packages import importing

Floats = NDArray[np.float32]

MOST_FEATURES = 4096  # of a network without a dense layer: more are averaged away


@contextmanager
def recording_features(network: Network) -> Iterator[Callable[[], Floats]]:
    """Record what the last dense layer is given while the network runs, or its logits if it has no such layer.

    Yields a function that returns the features (N, D) of the batch that was last run.
    """
    dense = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    last = dense[-1] if dense else ""
    seen: dict[str, Tensor] = {}

    def observe(name: str, module: nn.Module, x: Tensor, y: Tensor) -> None:
        if name == last:
            seen["features"] = (x if isinstance(module, nn.Linear) else y).detach().flatten(1)[:, :MOST_FEATURES]

    with observing(network, observe):
        yield lambda: np.asarray(seen["features"].float().cpu().numpy(), np.float32)


def draw_map(features: Floats, method: MapMethod = "pca") -> Floats:
    """Reduce features (N, D) to places from 0 to 1 (N, 2).

    Args:
        features: Of each face.
        method: `pca` takes the two directions in which faces differ most; `umap` keeps neighbours together, and needs
            the package umap-learn.

    Raises:
        MissingPackageError: umap-learn is not installed.
    """
    if len(features) < 3:
        return np.full((len(features), 2), 0.5, np.float32)
    places = _project(features) if method == "pca" else _embed(features)
    low, high = np.percentile(places, [0.5, 99.5], axis=0)  # a few outliers would squeeze all others together
    return np.asarray(((places - low) / np.maximum(high - low, 1e-12)).clip(0, 1), np.float32)


def _project(features: Floats) -> Floats:
    """Project on the two first principal components; their signs are fixed, so that a map is the same each time."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, :-3:-1] if vectors.shape[1] > 1 else np.repeat(vectors, 2, axis=1)
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    return np.asarray(centred @ axes, np.float32)


def _embed(features: Floats) -> Floats:
    with importing("a map by UMAP", "umap-learn"):
        from umap import UMAP
    return np.asarray(UMAP(n_components=2, random_state=0).fit_transform(features), np.float32)
