"""A split as a PyTorch data set. Of the modules of the store, only this one imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from emonet.datasets.store.store import Store, decode
from emonet.models.inputs import InputSpec
from facecrop.images import Image


class FaceDataset(Dataset[tuple[Any, int]]):
    """One split of a data set for torch's DataLoader: images and their labels.

    Images stay encoded in memory (FER2013 takes 60 MB) and are decoded when they are asked for, so loaders may use
    several workers. `Store.as_torch` makes one.

    Args:
        store: The data set, from `emonet.datasets.open_store`.
        split: One of its splits.
        spec: The size, channels and scaling of the images. By default they stay as they are stored, with pixels from
            0 to 1.
        transform: What to do with an image (H, W, 3; RGB, uint8) instead of scaling it.

    Attributes:
        spec: As it was given, or what the data set holds.
        transform: As it was given.
        classes: The classes, in the order of the labels.
        labels: The label of each image (N,).
        keys: The key of each image.

    Examples:
        >>> from emonet.datasets import open_store
        >>> from emonet.faces import FaceDataset
        >>> from torch.utils.data import DataLoader
        >>> dataset = FaceDataset(open_store("data/fer2013"), "train")  # doctest: +SKIP
        >>> loader = DataLoader(dataset, batch_size=32, shuffle=True)  # doctest: +SKIP
        >>> x, label = next(iter(loader))  # doctest: +SKIP
        >>> x.shape, label.shape  # doctest: +SKIP
        (torch.Size([32, 1, 48, 48]), torch.Size([32]))
    """

    def __init__(
        self,
        store: Store,
        split: str,
        spec: InputSpec | None = None,
        transform: Callable[[Image], Any] | None = None,
    ) -> None:
        rows = store.table(split, ["image", "label", "key"])
        self.spec = spec or InputSpec(store.crop.size, 1 if store.crop.grey else 3)
        self.transform = transform
        self.classes = store.classes
        self.labels: NDArray[np.int64] = np.asarray(rows["label"].to_numpy(), np.int64)
        self.keys: list[str] = rows["key"].to_pylist()
        self._images: list[dict[str, Any]] = rows["image"].to_pylist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """Return an image, by default a tensor (channels, size, size), and its label."""
        image = decode(self._images[index])
        return self._scale(image) if self.transform is None else self.transform(image), int(self.labels[index])

    def _scale(self, image: Image) -> torch.Tensor:
        pixels = torch.from_numpy(self.spec.resize(image))
        return self.spec.scale(pixels.permute(2, 0, 1)[None])[0]
