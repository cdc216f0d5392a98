"""Crops of frames that the build dropped: they are not in the data set, and come from what it was built from."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from emonet.datasets import READERS
from emonet.datasets.builder import BuildOptions
from emonet.datasets.sample import Sample
from emonet.datasets.store import Store
from emonet.errors import DatasetError
from emonet.review.faces import FrameSequence
from facecrop import Face, crop_face
from facecrop.images import encode_jpeg


class Originals:
    """The frames of sequences as their publisher gave them, where the data are still where the build found them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._samples: dict[str, dict[str, Sample]] = {}  # source -> key -> sample
        self._boxes: dict[str, tuple[float, ...]] = {}

    def read(self, sequence: FrameSequence, place: int) -> bytes:
        """Cut the face out of a frame, where it is in the first frame that has one, as JPEG.

        Raises:
            EmonetError: The data are not there any more, or cannot be read.
        """
        with self._lock:
            samples = self._samples_of(sequence.source)
            box = self._box_of(sequence)
        frame = sequence.frames[place]
        if frame.key not in samples:
            raise DatasetError(self._store.path, f"{frame.key} is not in the data any more")
        image = samples[frame.key].image.read()
        height, width = image.shape[:2]
        face = Face((0, 0, width, height), 1.0, framed=True) if box is None else Face(box, 1.0)
        return encode_jpeg(np.asarray(crop_face(image, face, replace(self._store.crop, align=False)), np.uint8))

    def _samples_of(self, source: str) -> dict[str, Sample]:
        if source not in self._samples:
            path = self._store.info.options["inputs"].get(source, "")
            if source not in READERS or not Path(path).exists():
                raise DatasetError(self._store.path, f"what {source} was built from is not there: {path or 'unknown'}")
            choices = BuildOptions.from_dict(self._store.info.options).choices_of(source)
            reader = READERS[source](path, **choices)
            self._samples[source] = {sample.key: sample for sample in reader if sample.sequence}
        return self._samples[source]

    def _box_of(self, sequence: FrameSequence) -> tuple[float, float, float, float] | None:
        if not self._boxes:
            for split in self._store.splits:
                rows = self._store.table(split, ["key", "box"]).to_pydict()
                self._boxes |= {key: tuple(box) for key, box in zip(rows["key"], rows["box"], strict=True) if box}
        found = (self._boxes.get(frame.key) for frame in sequence.frames if frame.face >= 0)
        box = next((one for one in found if one), None)
        return None if box is None else (box[0], box[1], box[2], box[3])
