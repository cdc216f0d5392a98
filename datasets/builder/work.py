"""The first stage on one chunk: read, detect, find the onset, judge, cut. Each worker has a `Workshop` of its own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk, Unit
from emonet.datasets.builder.rows import Row, write_rows
from emonet.datasets.ckplus import read_points
from emonet.datasets.curation.duplicates import content_hash, is_blank, is_grey, perceptual_hash
from emonet.datasets.curation.onset import OnsetRule, find_onset
from emonet.datasets.ferplus import is_no_face
from emonet.datasets.formats.pixel_table import PixelText, read_rows
from emonet.datasets.sample import DropReason, Sample
from emonet.errors import DatasetError, ImageError
from emonet.labels import Emotion
from facecrop import CropSpec, Face, choose_faces, crop_face, open_detector
from facecrop.images import Image

BATCH_PIXELS = 24_000_000  # that are in memory at a time
PREVIEW = 96  # pixels

Read = Image | ImageError
Seconds = dict[str, float]  # that each step took


class Workshop:
    """A detector with everything around it. It is to work in one thread, so that results are the same everywhere."""

    def __init__(self, options: BuildOptions) -> None:
        self.options = options
        self.onset = OnsetRule.parse(options.onset)
        self.detector = open_detector(options.detector, options.device)
        self.seconds: Seconds = defaultdict(float)

    def work(self, chunk: Chunk, path: Path) -> Seconds:
        """Writes the chunk's rows; returns the seconds that each step took."""
        self.seconds = defaultdict(float)
        rows = [row for batch in self._batches(chunk) for row in self._rows(batch, chunk)]
        with self._timed("write"):
            write_rows(rows, path)
        return self.seconds

    def _batches(self, chunk: Chunk) -> Iterator[list[tuple[Unit, list[Read]]]]:
        """Units with their pictures, as many at a time as memory allows."""
        batch: list[tuple[Unit, list[Read]]] = []
        pixels = 0
        pictures = read_pictures([sample for unit in chunk.units for sample in unit])
        for unit in chunk.units:
            with self._timed("read"):
                images = [next(pictures) for _ in unit]
            batch.append((unit, images))
            pixels += sum(image.size // 3 for image in images if not isinstance(image, ImageError))
            if pixels >= BATCH_PIXELS:
                yield batch
                batch, pixels = [], 0
        yield batch

    def _rows(self, batch: list[tuple[Unit, list[Read]]], chunk: Chunk) -> Iterator[Row]:
        readable = [image for _, images in batch for image in images if not isinstance(image, ImageError)]
        with self._timed("detect"):
            found = iter(self.detector.detect(readable))
        for unit, images in batch:
            rows = [_described(sample) for sample in unit]
            seen = []
            for row, sample, image in zip(rows, unit, images, strict=True):
                if isinstance(image, ImageError):
                    row.reason, row.detail = DropReason.UNREADABLE, image.reason
                else:
                    seen.append(_Seen(row, sample, image, *self._judged(image, next(found))))
            if chunk.sequences and len(unit) > 1:
                with self._timed("onset"):
                    self._drop_onset(seen)
            with self._timed("cut"):
                for one in seen:
                    self._cut(one, chunk.framing)
            yield from rows

    def _judged(self, image: Image, faces: list[Face]) -> tuple[Face | None, str | None, str | None]:
        """The face to use, and what is wrong with it if anything is."""
        selection = choose_faces(image, faces, self.options.rules)
        if selection.faces:
            return selection.faces[0], None, None
        worst = max(selection.rejections, key=lambda rejection: rejection.face.area if rejection.face else 0.0)
        return worst.face, worst.reason, worst.detail

    def _drop_onset(self, seen: list[_Seen]) -> None:
        if not seen or seen[0].row.emotion == Emotion.NEUTRAL:
            return
        points = [_points(one.sample) for one in seen]
        onset = find_onset([one.image for one in seen], [one.face for one in seen], self.onset, points)
        for index, (one, kept) in enumerate(zip(seen, onset.kept, strict=True)):
            one.row.activation = onset.activation[index] if onset.activation else None
            one.row.detail = onset.note or None
            if index == 0 and self.options.neutral == "first":
                one.row.emotion = Emotion.NEUTRAL
            elif not kept:
                activation = "" if one.row.activation is None else f"activation {one.row.activation:.2f}"
                one.row.reason, one.row.detail = DropReason.ONSET, activation

    def _cut(self, one: _Seen, framing: CropSpec | None) -> None:
        """The crop and the hashes of one picture; for what cannot be cut, a small picture of the whole."""
        row, image, face = one.row, one.image, one.face
        if row.reason == DropReason.ONSET:
            return
        row.sha1, row.blank = content_hash(image), is_blank(image)
        if face is not None:
            row.box, row.score, row.detector = list(face.box), face.score, face.detector
            row.landmarks = face.landmarks and [list(point) for point in face.landmarks]
        row.reason, detail = self._trouble(one)
        row.detail = detail or row.detail
        height, width = image.shape[:2]
        if framing is not None and not self.options.recrop and height == width:  # a published crop is square
            face = Face((0, 0, width, height), 1.0, framed=True)
        if face is None:
            row.preview = _preview(image)
            return
        crop = self._crop(image, face)
        row.image, row.perceptual = _png(crop), perceptual_hash(crop)
        row.size = len(row.image)

    def _crop(self, image: Image, face: Face) -> Image:
        spec = self.options.crop
        if face.framed and image.shape == (spec.size, spec.size, 3) and (is_grey(image) or not spec.grey):
            return image  # a published crop of the right size, as it is
        return crop_face(image, face, spec)

    def _trouble(self, one: _Seen) -> tuple[str | None, str | None]:
        votes = one.sample.votes
        if one.row.blank:
            return DropReason.BLANK, "all pixels are the same"
        if self.options.drop_no_face_votes and votes and is_no_face(votes):
            return DropReason.NOT_A_FACE, f"{votes[-1]} of {sum(votes)} votes"
        return one.reason, one.detail

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] += time.perf_counter() - start


class _Seen:
    """A picture that could be read, on its way through the workshop."""

    def __init__(
        self, row: Row, sample: Sample, image: Image, face: Face | None, reason: str | None, detail: str | None
    ) -> None:
        self.row, self.sample, self.image = row, sample, image
        self.face, self.reason, self.detail = face, reason, detail


def read_pictures(samples: Sequence[Sample]) -> Iterator[Read]:
    """The samples' pictures in order, one at a time; rows of a table many at a time, which is faster."""
    for kind, group in groupby(samples, key=lambda sample: isinstance(sample.image, PixelText)):
        if kind:
            rows = [sample.image for sample in group if isinstance(sample.image, PixelText)]
            greys = read_rows(rows)
            yield from (grey if isinstance(grey, ImageError) else np.repeat(grey[..., None], 3, 2) for grey in greys)
        else:
            yield from map(_read, group)


def _read(sample: Sample) -> Read:
    try:
        return sample.image.read()
    except ImageError as error:
        return error


def _points(sample: Sample) -> NDArray[np.float64] | None:
    """The publisher's landmarks; a file of them that is broken is as good as none."""
    try:
        return read_points(sample.points) if sample.points else None
    except DatasetError:
        return None


def _described(sample: Sample) -> Row:
    return Row(
        key=sample.key,
        source=sample.source,
        split=sample.split,
        emotion=str(sample.emotion),
        subject=sample.subject,
        sequence=sample.sequence,
        frame=sample.frame,
        votes=None if sample.votes is None else list(sample.votes),
    )


def _preview(image: Image) -> bytes:
    import cv2

    share = PREVIEW / max(image.shape[:2])
    size_wh = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
    return _png(np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8))


def _png(image: Image) -> bytes:
    """As a grey picture where it is grey."""
    import cv2

    _, data = cv2.imencode(".png", image[..., 0] if is_grey(image) else image[..., ::-1])
    return data.tobytes()
