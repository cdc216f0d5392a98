"""How much memory `emonet predict` takes for large photos.

    python benchmarks/memory.py [--portrait photo.jpg] [--case 3] [--photos 4] [--threads 4]

Each case is a process of its own, which reads photos that are made here: PNGs of 196 megapixels, of two colours (24 kB)
and of all, and JPEGs of 60, 48 and 12. Each photo holds a face (of --portrait, or scikit-image's astronaut). Printed
are the peak of the process, what it takes before the first photo, and the seconds. Needs Linux.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import PIL.Image
from peak import read_peak

from emonet import EmotionPredictor
from emonet.album import AlbumRun
from emonet.inference.backends import count_threads
from facecrop.images import Image, read_image

T = TypeVar("T")


class Case(NamedTuple):
    """Photos of one kind."""

    title: str
    photos: int
    write: Callable[[Path, Image], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="emonet")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--portrait", type=Path)
    parser.add_argument("--case", type=int, choices=range(1, len(CASES) + 1), help="only this one")
    parser.add_argument("--photos", type=int, help="so many of each kind")
    parser.add_argument("--threads", type=int, default=count_threads(), help="photos that are read at the same time")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # of the processes that are started here
    portrait = read_portrait(arguments.portrait)
    for case in CASES if arguments.case is None else [CASES[arguments.case - 1]]:
        asked = case._replace(photos=arguments.photos or case.photos)
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / "photos"
            apply_apart(write_photos, asked, photos, portrait)
            before, peak, faces, seconds = apply_apart(
                run, photos, arguments.model, arguments.backend, arguments.detector
            )
        print(
            f"{asked.photos} {asked.title}: peak {peak} MB, of which {before} before; {faces} faces, {seconds:.0f} s",
            flush=True,
        )


def apply_apart(function: Callable[..., T], *values: object) -> T:
    """Call a function in a process of its own, because a peak of memory is that of a whole process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, values)


def read_portrait(path: Path | None) -> Image:
    if path is not None:
        return read_image(path)
    from skimage import data

    return np.array(data.astronaut()[:320])


def write_photos(case: Case, folder: Path, portrait: Image) -> None:
    folder.mkdir()
    for number in range(case.photos):
        case.write(folder / f"{number:02}", portrait)


def write_black(path: Path, _: Image) -> None:
    PIL.Image.new("1", (14_000, 14_000)).save(path.with_suffix(".png"))


def write_colours(path: Path, portrait: Image) -> None:
    draw_around(portrait, 14_000, 14_000).save(path.with_suffix(".png"), compress_level=1)


def write_jpeg(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".jpg"), quality=85)


def write_60(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 9_000, 6_700)


def write_48(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 8_000, 6_000)


def write_12(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 4_000, 3_000)


def draw_around(portrait: Image, width: int, height: int) -> PIL.Image.Image:
    """Draw the portrait, enlarged to a third of the height, into a grey photo."""
    canvas = PIL.Image.new("RGB", (width, height), (120, 130, 140))
    side = height // 3
    canvas.paste(PIL.Image.fromarray(portrait).resize((side * portrait.shape[1] // portrait.shape[0], side)), (99, 99))
    return canvas


def run(photos: Path, model: str, backend: str, detector: str) -> tuple[int, int, int, float]:
    predictor = EmotionPredictor(model, detector=detector, device="cpu", backend=backend)
    predictor.predict(np.zeros((300, 300, 3), np.uint8))
    before, faces, started = read_peak(), 0, time.perf_counter()
    album = AlbumRun(photos, photos.with_name("album"), predictor, annotate=True)
    album.run(lambda *_: None)
    faces = sum(len(entry.result.predictions) for entry in album.entries())
    return before, read_peak(), faces, time.perf_counter() - started


CASES = (
    Case("PNGs of 196 megapixels in two colours", 6, write_black),
    Case("PNGs of 196 megapixels in colour", 6, write_colours),
    Case("JPEGs of 60 megapixels", 10, write_60),
    Case("JPEGs of 48 megapixels", 4, write_48),
    Case("JPEGs of 12 megapixels", 40, write_12),
)

if __name__ == "__main__":
    main()
