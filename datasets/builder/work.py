"""The first stage for one chunk: read images, find faces, find the onset, filter and crop."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk, Unit
from emonet.datasets.builder.rows import CropRow, write_rows
from emonet.datasets.ckplus import read_points
from emonet.datasets.curation.duplicates import hash_pixels, is_blank, is_grey, perceptual_hash
from emonet.datasets.curation.likeness import describe_likeness, shrink
from emonet.datasets.curation.onset import OnsetRule, correct_onset, find_onset
from emonet.datasets.ferplus import is_no_face
from emonet.datasets.formats.pixel_table import PixelText, read_rows
from emonet.datasets.sample import DropReason, Sample
from emonet.errors import DatasetError, ImageError
from emonet.labels import Emotion
from facecrop import CropSpec, Face, choose_faces, crop_face, open_detector
from facecrop.images import Image
from facecrop.threads import use_one_thread

BATCH_PIXELS = 24_000_000  # that are in memory at a time
PREVIEW = 96  # pixels

Read = Image | ImageError
Seconds = dict[str, float]  # that each step took


class Workshop:
    """A detector and what follows it.

    It works in one thread, so that results are the same everywhere.
    """

    def __init__(self, options: BuildOptions) -> None:
        self.options = options
        self.onset = OnsetRule.parse(options.onset)
        self.corrections = options.read_corrections()
        self.detector = open_detector(options.detector, options.device)
        self.seconds: Seconds = defaultdict(float)

    def work(self, chunk: Chunk, path: Path) -> Seconds:
        """Write the rows of a chunk; return the seconds that each step took."""
        self.seconds = defaultdict(float)
        rows = [row for batch in self._read_batches(chunk) for row in self._make_rows(batch, chunk)]
        with self._measure("write"):
            write_rows(rows, path)
        return self.seconds

    def _read_batches(self, chunk: Chunk) -> Iterator[list[tuple[Unit, list[Read]]]]:
        """Yield units with their images, at most BATCH_PIXELS at a time."""
        batch: list[tuple[Unit, list[Read]]] = []
        pixels = 0
        images_of_all = read_images([sample for unit in chunk.units for sample in unit])
        for unit in chunk.units:
            with self._measure("read"):
                images = [next(images_of_all) for _ in unit]
            batch.append((unit, images))
            pixels += sum(image.size // 3 for image in images if not isinstance(image, ImageError))
            if pixels >= BATCH_PIXELS:
                yield batch
                batch, pixels = [], 0
        yield batch

    def _make_rows(self, batch: list[tuple[Unit, list[Read]]], chunk: Chunk) -> list[CropRow]:
        readable = [image for _, images in batch for image in images if not isinstance(image, ImageError)]
        with self._measure("detect"):
            found = iter(self.detector.detect(readable))
        rows_of_batch, crops = [], []
        for unit, images in batch:
            rows = [_make_row(sample) for sample in unit]
            seen = []
            for row, sample, image in zip(rows, unit, images, strict=True):
                if isinstance(image, ImageError):
                    row.reason, row.detail = DropReason.UNREADABLE, image.reason
                else:
                    seen.append(_Seen(row, sample, image, *self._choose_face(image, next(found))))
            if chunk.sequences and len(unit) > 1:
                with self._measure("onset"):
                    self._drop_onset(seen)
            with self._measure("cut"):
                crops += [(one.row, crop) for one in seen if (crop := self._cut(one, chunk.framing)) is not None]
            rows_of_batch += rows
        with self._measure("compare"):
            greys = [shrink(crop) for _, crop in crops]
            for (row, _), grey, packed in zip(crops, greys, describe_likeness(greys).encode(), strict=True):
                row.grey, row.likeness = grey.tobytes(), packed
        return rows_of_batch

    def _choose_face(self, image: Image, faces: list[Face]) -> tuple[Face | None, str | None, str | None]:
        """Choose a face, and say what is wrong with it, if anything is."""
        selection = choose_faces(image, faces, self.options.rules)
        if selection.faces:
            return selection.faces[0], None, None
        worst = max(selection.rejections, key=lambda rejection: rejection.face.area if rejection.face else 0.0)
        return worst.face, worst.reason, worst.detail

    def _drop_onset(self, seen: list[_Seen]) -> None:
        """Drop the frames before the expression is there; those that the user labelled one by one stay as they are."""
        if all(one.row.emotion == Emotion.NEUTRAL for one in seen):
            return
        points = [_read_points(one.sample) for one in seen]
        onset = find_onset([one.image for one in seen], [one.face for one in seen], self.onset, points)
        first = self.corrections.onset(seen[0].sample)
        if first is not None:
            onset = correct_onset(onset, [one.sample.frame or 0 for one in seen], first)
        # `auto` keeps a first frame only for want of a rise.
        is_chosen = first is not None or self.onset.method != "auto"
        for index, (one, kept) in enumerate(zip(seen, onset.kept, strict=True)):
            one.row.activation = onset.activation[index] if onset.activation else None
            one.row.detail = onset.note or None
            if self.corrections.has_label_of(one.sample):
                continue
            wants_neutral = index == 0 and self.options.neutral == "first"
            if kept and wants_neutral and is_chosen:
                one.row.detail = onset.note or "no neutral frame: the expression is there in the first one"
            elif wants_neutral:
                one.row.emotion = Emotion.NEUTRAL
            elif not kept:
                activation = "" if one.row.activation is None else f"activation {one.row.activation:.2f}"
                one.row.reason, one.row.detail = DropReason.ONSET, activation

    def _cut(self, one: _Seen, framing: CropSpec | None) -> Image | None:
        """Make the crop and the hashes of an image, or a small preview if there is no face to cut out."""
        row, image, face = one.row, one.image, one.face
        if row.reason == DropReason.ONSET:
            return None
        row.sha1, row.blank = hash_pixels(image), is_blank(image)
        if face is not None:
            row.box, row.score, row.detector = list(face.box), face.score, face.detector
            row.landmarks = face.landmarks and [list(point) for point in face.landmarks]
        row.reason, detail = self._find_trouble(one)
        row.detail = detail or row.detail
        height, width = image.shape[:2]
        if framing is not None and not self.options.recrop and height == width:  # a published crop is square
            face = Face((0, 0, width, height), 1.0, framed=True)
        if face is None:
            row.preview = _make_preview(image)
            return None
        crop = self._make_crop(image, face)
        row.image, row.perceptual = _encode_png(crop), perceptual_hash(crop)
        row.size = len(row.image)
        return crop

    def _make_crop(self, image: Image, face: Face) -> Image:
        spec = self.options.crop
        if face.framed and image.shape == (spec.size, spec.size, 3) and (is_grey(image) or not spec.grey):
            return image  # a published crop of the right size, as it is
        return crop_face(image, face, spec)

    def _find_trouble(self, one: _Seen) -> tuple[str | None, str | None]:
        votes = one.sample.votes
        if one.row.blank:
            return DropReason.BLANK, "all pixels are the same"
        if self.options.drop_no_face_votes and votes and is_no_face(votes):
            return DropReason.NOT_A_FACE, f"{votes[-1]} of {sum(votes)} votes"
        return one.reason, one.detail

    @contextmanager
    def _measure(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] += time.perf_counter() - start


def store_options(options: BuildOptions) -> str:
    """Return the options of a build for other processes, which open a workshop with them."""
    return json.dumps(options.to_dict())


@cache
def open_workshop(stored: str, device: str | None = None) -> Workshop:
    """Open the workshop of this process, with its detector, at the first chunk; it stays.

    Args:
        stored: The options of the build, as `store_options` returns them.
        device: Of the detector; by default that of the options.
    """
    options = BuildOptions.from_dict(json.loads(stored))
    workshop = Workshop(options if device is None else replace(options, device=device))
    use_one_thread()
    return workshop


class _Seen:
    """An image that could be read, with what is known about it so far."""

    def __init__(
        self, row: CropRow, sample: Sample, image: Image, face: Face | None, reason: str | None, detail: str | None
    ) -> None:
        self.row, self.sample, self.image = row, sample, image
        self.face, self.reason, self.detail = face, reason, detail


def read_images(samples: Sequence[Sample]) -> Iterator[Read]:
    """Read the images of samples in order; open a table once for rows that follow each other."""
    for path, group in groupby(samples, key=lambda one: one.image.path if isinstance(one.image, PixelText) else None):
        if path is not None:
            greys = read_rows([sample.image for sample in group if isinstance(sample.image, PixelText)])
            yield from (grey if isinstance(grey, ImageError) else np.repeat(grey[..., None], 3, 2) for grey in greys)
        else:
            yield from map(_read, group)


def _read(sample: Sample) -> Read:
    try:
        return sample.image.read()
    except ImageError as error:
        return error


def _read_points(sample: Sample) -> NDArray[np.float64] | None:
    """Read the publisher's landmarks; None if there are none, or their file is broken."""
    try:
        return read_points(sample.points) if sample.points else None
    except DatasetError:
        return None


def _make_row(sample: Sample) -> CropRow:
    return CropRow(
        key=sample.key,
        source=sample.source,
        split=sample.split,
        emotion=str(sample.emotion),
        subject=sample.subject,
        sequence=sample.sequence,
        frame=sample.frame,
        votes=None if sample.votes is None else list(sample.votes),
    )


def _make_preview(image: Image) -> bytes:
    import cv2

    share = PREVIEW / max(image.shape[:2])
    size_wh = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
    return _encode_png(np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8))


def _encode_png(image: Image) -> bytes:
    """Encode an image, a grey one with one channel."""
    import cv2

    _, data = cv2.imencode(".png", image[..., 0] if is_grey(image) else image[..., ::-1])
    return data.tobytes()
